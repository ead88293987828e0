import Flow

/// Reply to `desc`: who made the switch (OpenFlow 1.3.5 §A.3.5.1).
public struct SwitchDescription: Hashable, Sendable {
    public var manufacturer: String
    public var hardware: String
    public var software: String
    public var serialNumber: String
    public var datapath: String

    public init(manufacturer: String, hardware: String, software: String, serialNumber: String, datapath: String) {
        self.manufacturer = manufacturer
        self.hardware = hardware
        self.software = software
        self.serialNumber = serialNumber
        self.datapath = datapath
    }

    init(_ r: inout WireReader) throws(OpenFlowError) {
        try r.exactly(1056, "A switch description")
        manufacturer = r.name(256)
        hardware = r.name(256)
        software = r.name(256)
        serialNumber = r.name(32)
        datapath = r.name(256)
    }

    func write(_ w: inout WireWriter) {
        w.name(manufacturer, 256)
        w.name(hardware, 256)
        w.name(software, 256)
        w.name(serialNumber, 32)
        w.name(datapath, 256)
    }
}

/// An entry of the reply to `table`.
public struct TableStatistics: Hashable, Sendable {
    public var table: UInt8
    public var active: UInt32
    public var lookups: UInt64
    public var matches: UInt64

    public init(table: UInt8, active: UInt32, lookups: UInt64, matches: UInt64) {
        self.table = table
        self.active = active
        self.lookups = lookups
        self.matches = matches
    }

    init(_ r: inout WireReader) throws(OpenFlowError) {
        table = r.u8()
        r.skip(3)
        active = r.u32()
        lookups = r.u64()
        matches = r.u64()
    }

    func write(_ w: inout WireWriter) {
        w.u8(table)
        w.zeros(3)
        w.u32(active)
        w.u64(lookups)
        w.u64(matches)
    }
}

/// An entry of the reply to `port`. A counter that is not kept is all ones.
public struct PortStatistics: Hashable, Sendable {
    public var port: UInt32
    public var receivedPackets: UInt64 = 0
    public var sentPackets: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    public var sentBytes: UInt64 = 0
    public var receiveDropped: UInt64 = 0
    public var sendDropped: UInt64 = 0
    public var receiveErrors: UInt64 = 0
    public var sendErrors: UInt64 = 0
    public var frameErrors: UInt64 = 0
    public var overruns: UInt64 = 0
    public var crcErrors: UInt64 = 0
    public var collisions: UInt64 = 0
    public var seconds: UInt32 = 0
    public var nanoseconds: UInt32 = 0

    public init(port: UInt32) { self.port = port }

    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        if version < .v14 {
            port = r.u32()
            r.skip(4)
            readCounters(&r)
            readEthernet(&r)
            seconds = r.u32()
            nanoseconds = r.u32()
            return
        }
        let length = Int(r.u16())
        if length < 80 || length - 2 > r.remaining { throw OpenFlowError(.badRequestLength, "Port statistics of \(length) bytes do not fit.") }
        let outer = r.enter(length - 2)
        r.skip(2)
        port = r.u32()
        seconds = r.u32()
        nanoseconds = r.u32()
        readCounters(&r)
        while !r.isEmpty {
            let (type, property) = try r.enterProperty()
            if type == 0 {
                r.skip(4)
                readEthernet(&r)
            }
            try r.leaveProperty(property)
        }
        r.leave(outer)
    }

    private mutating func readCounters(_ r: inout WireReader) {
        receivedPackets = r.u64()
        sentPackets = r.u64()
        receivedBytes = r.u64()
        sentBytes = r.u64()
        receiveDropped = r.u64()
        sendDropped = r.u64()
        receiveErrors = r.u64()
        sendErrors = r.u64()
    }

    private mutating func readEthernet(_ r: inout WireReader) {
        frameErrors = r.u64()
        overruns = r.u64()
        crcErrors = r.u64()
        collisions = r.u64()
    }

    func write(_ w: inout WireWriter) {
        let start = w.count
        if w.version >= .v14 {
            w.u32(0)
            w.u32(port)
            w.u32(seconds)
            w.u32(nanoseconds)
        } else {
            w.u32(port)
            w.u32(0)
        }
        for v in [receivedPackets, sentPackets, receivedBytes, sentBytes, receiveDropped, sendDropped, receiveErrors, sendErrors] { w.u64(v) }
        func ethernet(_ w: inout WireWriter) { for v in [frameErrors, overruns, crcErrors, collisions] { w.u64(v) } }
        if w.version >= .v14 {
            w.property(0) {
                $0.u32(0)
                ethernet(&$0)
            }
            w.set16(w.count - start, at: start)
        } else {
            ethernet(&w)
            w.u32(seconds)
            w.u32(nanoseconds)
        }
    }
}

/// An entry of the reply to `queue`.
public struct QueueStatistics: Hashable, Sendable {
    public var port: UInt32
    public var queue: UInt32
    public var bytes: UInt64
    public var packets: UInt64
    public var errors: UInt64
    public var seconds: UInt32
    public var nanoseconds: UInt32

    public init(
        port: UInt32, queue: UInt32, bytes: UInt64 = 0, packets: UInt64 = 0, errors: UInt64 = 0, seconds: UInt32 = 0, nanoseconds: UInt32 = 0
    ) {
        self.port = port
        self.queue = queue
        self.bytes = bytes
        self.packets = packets
        self.errors = errors
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        var size = 40
        if version >= .v14 {
            size = Int(r.u16()) - 8
            r.skip(6)
            if size < 40 || size > r.remaining { throw OpenFlowError(.badRequestLength, "Queue statistics of \(size + 8) bytes do not fit.") }
        }
        let outer = r.enter(size)
        self.init(
            port: r.u32(), queue: r.u32(), bytes: r.u64(), packets: r.u64(), errors: r.u64(), seconds: r.u32(), nanoseconds: r.u32())
        r.leave(outer)
    }

    func write(_ w: inout WireWriter) {
        if w.version >= .v14 {
            w.u16(48)
            w.zeros(6)
        }
        w.u32(port)
        w.u32(queue)
        w.u64(bytes)
        w.u64(packets)
        w.u64(errors)
        w.u32(seconds)
        w.u32(nanoseconds)
    }
}

/// Packets and bytes of a bucket or band.
public struct PartCounters: Hashable, Sendable {
    public var packets: UInt64
    public var bytes: UInt64
    public init(packets: UInt64, bytes: UInt64) {
        self.packets = packets
        self.bytes = bytes
    }
}
