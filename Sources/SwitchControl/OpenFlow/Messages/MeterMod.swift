import Flow

/// `OFPT_METER_MOD` (OpenFlow 1.3.5 §A.3.4.4).
public struct MeterMod: Hashable, Sendable {
    public enum Command: UInt16, Hashable, Sendable { case add, modify, delete }
    public enum VirtualMeter {
        public static let slowPath: UInt32 = 0xffff_fffd
        public static let controller: UInt32 = 0xffff_fffe
    }
    public var command: Command
    /// For `delete` only the id counts, and `OpenFlowNumber.allMeters` is all meters.
    public var meter: Meter

    public init(_ command: Command, _ meter: Meter) {
        self.command = command
        self.meter = meter
    }

    init(_ r: inout WireReader) throws(OpenFlowError) {
        try r.atLeast(8, "A meter-mod")
        let number = r.u16()
        guard let c = Command(rawValue: number) else { throw OpenFlowError(.meterCommand, "\(number) is not a command of a meter-mod.") }
        command = c
        let flags = r.u16()
        let id = r.u32()
        let isVirtual = id == VirtualMeter.slowPath || id == VirtualMeter.controller
        guard id != 0, id <= OpenFlowNumber.maxMeter || isVirtual || id == OpenFlowNumber.allMeters && command == .delete else {
            throw OpenFlowError(.invalidMeter, "\(id) is not the number of a meter.")
        }
        if command == .delete {
            meter = Meter(id: id, unit: .kbps)
        } else {
            meter = try r.meter(id, flags)
        }
    }

    func write(_ w: inout WireWriter) {
        w.u16(command.rawValue)
        w.u16(command == .delete ? 0 : WireWriter.meterFlags(meter))
        w.u32(meter.id)
        if command != .delete { w.bands(meter) }
    }
}

extension WireReader {
    /// The bands of a meter up to the reader's end.
    mutating func meter(_ id: UInt32, _ flags: UInt16) throws(OpenFlowError) -> Meter {
        if flags & ~0xf != 0 || flags & 3 == 3 {
            throw OpenFlowError(.meterFlags, "The flags 0x\(String(flags, radix: 16)) of a meter are not known or contradict each other.")
        }
        var m = Meter(id: id, unit: flags & 2 != 0 ? .pktps : .kbps, hasBurst: flags & 4 != 0, collectsStatistics: flags & 8 != 0)
        while !isEmpty {
            let type = u16()
            let length = Int(u16())
            if isShort || length < 12 || length - 4 > remaining {
                throw OpenFlowError(.badRequestLength, "A meter band of \(length) bytes does not fit into its list.")
            }
            let outer = enter(length - 4)
            let rate = u32()
            let burst = u32()
            switch type {
            case 1: m.bands.append(.drop(rate: rate, burst: burst))
            case 2: m.bands.append(.dscpRemark(rate: rate, burst: burst, precedence: u8()))
            default: throw OpenFlowError(.meterBand, "Meter bands of type \(type) are not supported.")
            }
            if length != 16 { throw OpenFlowError(.badRequestLength, "A meter band has \(length) bytes where 16 are right.") }
            leave(outer)
        }
        return m
    }
}

extension WireWriter {
    static func meterFlags(_ m: Meter) -> UInt16 {
        (m.unit == .kbps ? 1 : 2) | (m.hasBurst ? 4 : 0) | (m.collectsStatistics ? 8 : 0)
    }

    mutating func bands(_ m: Meter) {
        for b in m.bands {
            switch b {
            case .drop: u16(1)
            case .dscpRemark: u16(2)
            }
            u16(16)
            u32(b.rate)
            u32(b.burst)
            if case .dscpRemark(_, _, let precedence) = b { u8(precedence) } else { u8(0) }
            zeros(3)
        }
    }
}
