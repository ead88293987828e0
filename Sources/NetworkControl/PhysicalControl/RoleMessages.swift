import Flow
import Translation

// What the roles of a controller say to each other. All of it are values, so that roles may be in one process or in several.

/// From a logical to a physical controller: what one host is to do, after a change of the network (spec 000-080, B119).
public struct HostUpdate: Sendable {
    public var host: String
    /// The revision of the network that the host has afterwards.
    public var revision: UInt64
    /// In order, one transaction.
    public var modifications: [FlowModification]
    /// Names of devices that go.
    public var closed: [String]
    public var opened: [HostDevice]
    /// The host is not part of the network any more.
    public var isGone: Bool

    public init(
        host: String, revision: UInt64, modifications: [FlowModification] = [], closed: [String] = [], opened: [HostDevice] = [], isGone: Bool = false
    ) {
        self.host = host
        self.revision = revision
        self.modifications = modifications
        self.closed = closed
        self.opened = opened
        self.isGone = isGone
    }

    public var isEmpty: Bool { modifications.isEmpty && closed.isEmpty && opened.isEmpty && !isGone }
}

/// From a logical to a physical controller: everything that one host is to have (CPCP), with which a forwarding element is compared when it connects.
public struct HostSnapshot: Sendable {
    public var host: String
    public var revision: UInt64
    public var program: HostProgram
    public var devices: [HostDevice]
    public init(host: String, revision: UInt64, program: HostProgram, devices: [HostDevice]) {
        self.host = host
        self.revision = revision
        self.program = program
        self.devices = devices
    }
}

/// From a physical to a logical controller.
public enum PhysicalReport: Sendable {
    /// A host has the network of that revision, entries and ports.
    case inForce(host: String, revision: UInt64)
    /// A host came, went, or was refused, and why.
    case connected(host: String)
    case disconnected(host: String, reason: String)
    /// Another controller leads it; it is still connected.
    case superseded(host: String)
}

/// A packet that entries of a host handed over, and what is to be done with the answer.
public struct HostPacket: Sendable {
    public var frame: [UInt8]
    public var metadata: FlowKey
    public var userdata: [UInt8]
    public init(frame: [UInt8], metadata: FlowKey, userdata: [UInt8]) {
        self.frame = frame
        self.metadata = metadata
        self.userdata = userdata
    }
}
