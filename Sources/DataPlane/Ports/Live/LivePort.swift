/// A port of a running switch: a device, a tunnel, a ring to another process.
///
/// The port belongs to the control side; its queues belong to the workers, one each. Control and workers share no mutable state but what a queue
/// documents.
public protocol LivePort: AnyObject, Sendable {
    /// The name in the configuration, unique in the switch.
    var name: String { get }
    /// OpenFlow port number, 1…0xfffffeff.
    var number: UInt32 { get }
    var kind: PortKind { get }
    /// What the port is and how it was obtained, for people: `veth "vm1", packet socket, checksum and segmentation offload`.
    var summary: String { get }
    /// The Ethernet address of the device, when it has one.
    var address: [UInt8]? { get }
    /// State as last read from the device.
    var status: PortStatus { get }
    /// The receiving side for worker `index`, nil when that worker does not receive from this port.
    func receiver(worker index: Int) -> (any FrameReceiver)?
    /// The sending side for worker `index`.
    func transmitter(worker index: Int) -> any FrameTransmitter
    /// Reads the device's state anew; opens it again when it was gone and has come back. True when something changed, queues included.
    func refresh() -> Bool
    /// Closes descriptors; called when no worker uses the queues any more.
    func close()
}

public enum PortKind: String, CaseIterable, Sendable, Codable {
    case tap, packet, xdp, patch, service, vxlan, geneve, gre, memory
    /// Whether frames come and go with tunnel words: context and marks.
    public var carriesContext: Bool { isTunnel || self == .service }
    public var isTunnel: Bool { self == .vxlan || self == .geneve || self == .gre }
}

/// A device's state.
public struct PortStatus: Equatable, Sendable, Codable {
    /// Whether the device exists.
    public var isPresent = true
    /// Administratively up.
    public var isUp = true
    /// Carrier present.
    public var hasLink = true
    /// Bytes of a frame's payload behind the Ethernet header (and a VLAN tag).
    public var mtu = 1500
    /// Why a tunnel has no link: `remote 192.0.2.2: no packet for 900 ms`.
    public var reason: String?
    public init() {}
    public var isForwarding: Bool { isPresent && isUp && hasLink }
}

/// Why a port could not be made or configured.
public struct PortError: Error, CustomStringConvertible, Sendable {
    public var description: String
    public init(_ description: String) { self.description = description }
}
