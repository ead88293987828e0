/// `OFPT_HELLO`: what the sender speaks (OpenFlow 1.3.5 §A.5.1).
public struct Hello: Hashable, Sendable {
    /// The number in the message's header: the highest version that the sender speaks.
    public var highest: UInt8
    /// Bit n for version number n, from the version bitmap element; nil without one. Versions above 31 are left out.
    public var bitmap: UInt32?

    public init(highest: UInt8, bitmap: UInt32? = nil) {
        self.highest = highest
        self.bitmap = bitmap
    }

    /// Elements that are not known are skipped, and so are broken ones: a hello must be answered whatever it holds.
    init(_ r: inout WireReader, version: UInt8) {
        highest = version
        while r.remaining >= 4 {
            let type = r.u16()
            let length = Int(r.u16())
            if length < 4 || length - 4 > r.remaining { return }
            let outer = r.enter(length - 4)
            if type == 1, r.remaining >= 4 { bitmap = r.u32() }
            r.leave(outer)
            r.skip(min(-length & 7, r.remaining))
        }
    }

    func write(_ w: inout WireWriter) {
        guard let bitmap else { return }
        w.u16(1)
        w.u16(8)
        w.u32(bitmap)
    }
}

/// `OFPT_ERROR` (OpenFlow 1.3.5 §A.4.4).
public struct ErrorMessage: Hashable, Sendable {
    /// As OpenFlow 1.5 numbers it; the wire has the version's number.
    public var code: ErrorCode
    /// The refused message's first bytes, or a text for `OFPHFC_INCOMPATIBLE`.
    public var data: [UInt8]

    public init(code: ErrorCode, data: [UInt8]) {
        self.code = code
        self.data = data
    }
    /// The answer to a message that was refused.
    public init(_ e: OpenFlowError) { self.init(code: e.code, data: e.data) }

    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        try r.atLeast(4, "An error")
        let type = r.u16()
        let code = r.u16()
        let experimenter = type == 0xffff ? r.u32() : 0
        try r.check(.badRequestLength, "An error")
        self.code = ErrorCode.read(ErrorCode(type, code, experimenter: experimenter), version: version)
        data = r.rest()
    }

    func write(_ w: inout WireWriter) {
        let wire = code.wire(in: w.version)
        w.u16(wire.type)
        w.u16(wire.code)
        if wire.type == 0xffff { w.u32(wire.experimenter) }
        w.put(data)
    }
}
