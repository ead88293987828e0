/// `OFPT_BUNDLE_CONTROL` (OpenFlow 1.4.0 §7.3.9), and the ONF's extension 230 for 1.3.
public struct BundleControl: Hashable, Sendable {
    public enum Kind: UInt16, Hashable, Sendable {
        case openRequest, openReply, closeRequest, closeReply, commitRequest, commitReply, discardRequest, discardReply
        public var text: String {
            ["OPEN_REQUEST", "OPEN_REPLY", "CLOSE_REQUEST", "CLOSE_REPLY", "COMMIT_REQUEST", "COMMIT_REPLY", "DISCARD_REQUEST", "DISCARD_REPLY"][
                Int(rawValue)]
        }
        /// The reply to a request.
        public var reply: Kind { Kind(rawValue: rawValue | 1)! }
    }
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let atomic = Flags(rawValue: 1)
        public static let ordered = Flags(rawValue: 2)
        static func read(_ v: UInt16) throws(OpenFlowError) -> Flags {
            if v & ~3 != 0 { throw OpenFlowError(.bundleFlags, "The flags 0x\(String(v, radix: 16)) of a bundle are not known.") }
            return Flags(rawValue: v)
        }
    }

    public var bundle: UInt32
    public var kind: Kind
    public var flags: Flags

    public init(bundle: UInt32, _ kind: Kind, flags: Flags = []) {
        self.bundle = bundle
        self.kind = kind
        self.flags = flags
    }

    static let onfType: UInt32 = 2300

    init(_ r: inout WireReader) throws(OpenFlowError) {
        try r.atLeast(8, "A bundle control")
        bundle = r.u32()
        let n = r.u16()
        guard let k = Kind(rawValue: n) else { throw OpenFlowError(.bundleType, "\(n) is not a kind of bundle control.") }
        kind = k
        flags = try Flags.read(r.u16())
        // Properties are those of experimenters; none is known and none is needed.
        while !r.isEmpty {
            let (_, property) = try r.enterProperty()
            try r.leaveProperty(property)
        }
    }

    func write(_ w: inout WireWriter) {
        w.u32(bundle)
        w.u16(kind.rawValue)
        w.u16(flags.rawValue)
    }
}

/// `OFPT_BUNDLE_ADD_MESSAGE`: a message to keep until the bundle is committed.
public struct BundleAdd: Hashable, Sendable {
    public var bundle: UInt32
    public var flags: BundleControl.Flags
    /// The whole message with its header, whose version and xid are those of the message around it. `MessageDecoder` reads it.
    public var message: [UInt8]

    public init(bundle: UInt32, flags: BundleControl.Flags = [], message: [UInt8]) {
        self.bundle = bundle
        self.flags = flags
        self.message = message
    }

    static let onfType: UInt32 = 2301

    init(_ r: inout WireReader, version: OpenFlowVersion, xid: UInt32) throws(OpenFlowError) {
        try r.atLeast(8, "A bundle message")
        bundle = r.u32()
        r.skip(2)
        flags = try BundleControl.Flags.read(r.u16())
        let length = Int(r.peek16(2))
        if r.remaining < 8 || length < 8 || length > r.remaining {
            throw OpenFlowError(.bundleMessageLength, "The message inside a bundle message has the length \(length), which does not fit.")
        }
        if r.peek8() != version.rawValue {
            throw OpenFlowError(.bundleMessageVersion, "The message inside a bundle message has another version.")
        }
        if r.peek32(4) != xid { throw OpenFlowError(.bundleMessageXID, "The message inside a bundle message has another xid.") }
        message = r.bytes(length)
    }

    func write(_ w: inout WireWriter) {
        w.u32(bundle)
        w.u16(0)
        w.u16(flags.rawValue)
        w.put(message)
    }
}
