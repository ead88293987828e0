/// What a controller may do on a switch (OpenFlow 1.3.5 §6.3.5).
public enum ControllerRole: UInt32, Hashable, Sendable {
    /// In requests: tell the present role.
    case noChange, equal, master, slave
    public var text: String {
        switch self {
        case .noChange: "nochange"
        case .equal: "equal"
        case .master: "master"
        case .slave: "slave"
        }
    }
}

/// `OFPT_ROLE_REQUEST` and `OFPT_ROLE_REPLY` (OpenFlow 1.3.5 §A.3.9).
public struct RoleMessage: Hashable, Sendable {
    public var role: ControllerRole
    /// Newer than any that the switch saw, for master and slave; all ones: none.
    public var generation: UInt64
    /// Short id of the controller, 1.5 only; 0xffff: none.
    public var shortID: UInt16

    public init(_ role: ControllerRole, generation: UInt64 = .max, shortID: UInt16 = 0xffff) {
        self.role = role
        self.generation = generation
        self.shortID = shortID
    }

    init(_ r: inout WireReader, _ version: OpenFlowVersion) throws(OpenFlowError) {
        try r.exactly(16, "A role message")
        let n = r.u32()
        guard let role = ControllerRole(rawValue: n) else { throw OpenFlowError(.roleBad, "\(n) is not a role.") }
        self.role = role
        let short = r.u16()
        shortID = version >= .v15 ? short : 0xffff
        r.skip(2)
        generation = r.u64()
    }

    func write(_ w: inout WireWriter) {
        w.u32(role.rawValue)
        w.u16(w.version >= .v15 ? shortID : 0)
        w.u16(0)
        w.u64(generation)
    }
}

/// `OFPT_ROLE_STATUS`: another controller's request or the configuration changed this one's role; from 1.4 on, and as an ONF extension in 1.3.
public struct RoleStatus: Hashable, Sendable {
    public enum Reason: UInt8, Hashable, Sendable { case masterRequest, configuration, experimenter }
    public var role: ControllerRole
    public var reason: Reason
    public var generation: UInt64

    public init(role: ControllerRole, reason: Reason, generation: UInt64) {
        self.role = role
        self.reason = reason
        self.generation = generation
    }

    static let onfType: UInt32 = 1911

    init(_ r: inout WireReader) throws(OpenFlowError) {
        try r.atLeast(16, "A role status")
        guard let role = ControllerRole(rawValue: r.u32()), let reason = Reason(rawValue: r.u8()) else {
            throw OpenFlowError(.roleBad, "A role status has an unknown role or reason.")
        }
        self.role = role
        self.reason = reason
        r.skip(3)
        generation = r.u64()
    }

    func write(_ w: inout WireWriter) {
        w.u32(role.rawValue)
        w.u8(reason.rawValue)
        w.zeros(3)
        w.u64(generation)
    }
}
