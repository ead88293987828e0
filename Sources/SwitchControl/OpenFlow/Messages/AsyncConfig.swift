/// Which asynchronous messages a controller gets (OpenFlow 1.3.5 §A.3.10, 1.5.1 §7.3.10): a mask of reasons for each kind and for both roles.
///
/// `OFPT_SET_ASYNC` of 1.4 and later may name some masks only; those that are not named stay as they are.
public struct AsyncConfig: Hashable, Sendable {
    public enum Kind: UInt16, Hashable, Sendable, CaseIterable { case packetIn, portStatus, flowRemoved, roleStatus, tableStatus, requestForward }

    /// Masks of reasons while the controller is slave.
    public var slave: [Kind: UInt32]
    /// Masks of reasons while it is master or equal.
    public var master: [Kind: UInt32]

    public init(slave: [Kind: UInt32] = [:], master: [Kind: UInt32] = [:]) {
        self.slave = slave
        self.master = master
    }

    static let legacyKinds: [Kind] = [.packetIn, .portStatus, .flowRemoved]

    /// The form of 1.3 and of `NXT_SET_ASYNC_CONFIG`: six masks.
    init(masks r: inout WireReader) throws(OpenFlowError) {
        try r.exactly(24, "An asynchronous configuration")
        self.init()
        for k in Self.legacyKinds {
            master[k] = r.u32()
            slave[k] = r.u32()
        }
    }

    /// The form of 1.4 and of `NXT_SET_ASYNC_CONFIG2`: properties.
    init(properties r: inout WireReader) throws(OpenFlowError) {
        self.init()
        while !r.isEmpty {
            let (type, property) = try r.enterProperty()
            guard let kind = Kind(rawValue: type / 2) else {
                throw OpenFlowError(.asyncUnsupported, "The asynchronous property \(type) is not supported.")
            }
            if r.remaining != 4 { throw OpenFlowError(.badPropertyLength, "An asynchronous property has \(r.remaining) bytes where 4 are right.") }
            if type % 2 == 0 { slave[kind] = r.u32() } else { master[kind] = r.u32() }
            try r.leaveProperty(property)
        }
    }

    func writeMasks(_ w: inout WireWriter) {
        for k in Self.legacyKinds {
            w.u32(master[k] ?? 0)
            w.u32(slave[k] ?? 0)
        }
    }

    func writeProperties(_ w: inout WireWriter) {
        for k in Kind.allCases {
            if let m = slave[k] { w.property(k.rawValue * 2) { $0.u32(m) } }
            if let m = master[k] { w.property(k.rawValue * 2 + 1) { $0.u32(m) } }
        }
    }
}
