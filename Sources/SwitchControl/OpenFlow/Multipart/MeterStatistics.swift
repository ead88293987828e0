import Flow

/// An entry of the reply to `meter`.
public struct MeterStatistics: Hashable, Sendable {
    public var meter: UInt32
    public var flows: UInt32
    public var packets: UInt64
    public var bytes: UInt64
    public var seconds: UInt32
    public var nanoseconds: UInt32
    public var bands: [PartCounters]

    public init(
        meter: UInt32, flows: UInt32 = 0, packets: UInt64 = 0, bytes: UInt64 = 0, seconds: UInt32 = 0, nanoseconds: UInt32 = 0,
        bands: [PartCounters] = []
    ) {
        self.meter = meter
        self.flows = flows
        self.packets = packets
        self.bytes = bytes
        self.seconds = seconds
        self.nanoseconds = nanoseconds
        self.bands = bands
    }

    init(_ r: inout WireReader) throws(OpenFlowError) {
        let meter = r.u32()
        let length = Int(r.u16())
        if length < 40 || length - 6 > r.remaining { throw OpenFlowError(.badRequestLength, "Meter statistics of \(length) bytes do not fit.") }
        let outer = r.enter(length - 6)
        r.skip(6)
        self.init(meter: meter, flows: r.u32(), packets: r.u64(), bytes: r.u64(), seconds: r.u32(), nanoseconds: r.u32())
        while r.remaining >= 16 { bands.append(PartCounters(packets: r.u64(), bytes: r.u64())) }
        if !r.isEmpty { throw OpenFlowError(.badRequestLength, "Meter statistics end inside a band.") }
        r.leave(outer)
    }

    func write(_ w: inout WireWriter) {
        w.u32(meter)
        w.u16(UInt16(clamping: 40 + 16 * bands.count))
        w.zeros(6)
        w.u32(flows)
        w.u64(packets)
        w.u64(bytes)
        w.u32(seconds)
        w.u32(nanoseconds)
        for b in bands {
            w.u64(b.packets)
            w.u64(b.bytes)
        }
    }
}

/// An entry of the reply to `meter-config` is the meter itself.
extension Meter {
    init(configuration r: inout WireReader) throws(OpenFlowError) {
        let length = Int(r.u16())
        if length < 8 || length - 2 > r.remaining { throw OpenFlowError(.badRequestLength, "A meter of \(length) bytes does not fit into its list.") }
        let outer = r.enter(length - 2)
        let flags = r.u16()
        self = try r.meter(r.u32(), flags)
        r.leave(outer)
    }

    func writeConfiguration(_ w: inout WireWriter) {
        w.u16(UInt16(clamping: 8 + 16 * bands.count))
        w.u16(WireWriter.meterFlags(self))
        w.u32(id)
        w.bands(self)
    }
}

/// Reply to `meter-features`.
public struct MeterFeatures: Hashable, Sendable {
    public var maximumMeters: UInt32
    /// Bit n for band type n.
    public var bandTypes: UInt32
    /// Flags of `meter-mod`.
    public var capabilities: UInt32
    public var maximumBands: UInt8
    public var maximumColors: UInt8

    public init(maximumMeters: UInt32, bandTypes: UInt32, capabilities: UInt32, maximumBands: UInt8, maximumColors: UInt8 = 0) {
        self.maximumMeters = maximumMeters
        self.bandTypes = bandTypes
        self.capabilities = capabilities
        self.maximumBands = maximumBands
        self.maximumColors = maximumColors
    }

    /// OpenFlow 1.5.1 has eight bytes more, which Open vSwitch leaves out; both lengths are read.
    init(_ r: inout WireReader) throws(OpenFlowError) {
        try r.atLeast(16, "Meter features")
        self.init(maximumMeters: r.u32(), bandTypes: r.u32(), capabilities: r.u32(), maximumBands: r.u8(), maximumColors: r.u8())
        r.skip(r.remaining)
    }

    func write(_ w: inout WireWriter) {
        w.u32(maximumMeters)
        w.u32(bandTypes)
        w.u32(capabilities)
        w.u8(maximumBands)
        w.u8(maximumColors)
        w.u16(0)
    }
}
