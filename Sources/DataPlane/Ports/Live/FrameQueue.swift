import Flow

/// Room for one frame in a worker's buffers, filled in by the port it comes from.
///
/// `data` and `capacity` are the worker's; 64 bytes before `data` may be overwritten too, which is where a virtio header goes, so that header and frame
/// are one read.
public struct ReceiveSlot {
    public let data: UnsafeMutableRawPointer
    /// Bytes that fit behind `data`.
    public let capacity: Int
    /// Bytes of the frame. A longer frame than `capacity` is the port's to count as an error.
    public var length: Int
    /// The number of the port it came by.
    public var inPort: UInt32
    /// Whether `tunnel` was filled in.
    public var isTunneled: Bool
    /// What is left to do; `checksumStart` counts from `data`.
    public var offload: Offload
    /// The tunnel words of the flow key, `FlowKeyLayout.tunnelWords`: written in full by tunnel ports, left alone by others.
    public let tunnel: UnsafeMutablePointer<UInt64>

    public init(data: UnsafeMutableRawPointer, capacity: Int, tunnel: UnsafeMutablePointer<UInt64>) {
        self.data = data
        self.capacity = capacity
        self.tunnel = tunnel
        length = 0
        inPort = 0
        isTunneled = false
        offload = .none
    }
}

/// A frame to be sent, as a worker hands it to a port.
///
/// The bytes stay the worker's and last until `transmit` returns. They may be changed: 64 bytes before `data` are free for headers, and the frame itself may be
/// finished in place (checksums) or cut up.
public struct TransmitFrame {
    public var data: UnsafeMutableRawPointer
    public var length: Int
    public var offload: Offload
    /// Offset of the network header, or 0xffff when the frame has none that is known.
    public var network: UInt16
    /// Offset of the transport header, or 0xffff.
    public var transport: UInt16
    /// The port to leave by; several tunnel ports share one transmitter.
    public var port: UInt32
    /// The tunnel words of the flow key as the tables left them; nil unless the port is a tunnel's.
    public var tunnel: UnsafePointer<UInt64>?
    /// Set by the port when the frame was not sent.
    public var refusal: TransmitRefusal

    public init(
        data: UnsafeMutableRawPointer, length: Int, offload: Offload = .none, network: UInt16 = 0xffff, transport: UInt16 = 0xffff,
        port: UInt32 = 0, tunnel: UnsafePointer<UInt64>? = nil
    ) {
        self.data = data
        self.length = length
        self.offload = offload
        self.network = network
        self.transport = transport
        self.port = port
        self.tunnel = tunnel
        refusal = .none
    }
}

/// Why a port did not send a frame; each is a drop reason of the same name.
public enum TransmitRefusal: UInt8, CaseIterable, Sendable {
    case none
    /// The device or its reader can take no more now.
    case transmitQueueFull
    /// The device is down, gone, or has no carrier.
    case portDown
    /// Longer than the device's MTU allows, and not to be cut.
    case exceedsMTU
    /// Neither the port nor the entries say where the tunnel ends.
    case tunnelNoRemote
    /// The host has no route to the tunnel's other end.
    case tunnelNoRoute
    /// The next hop does not answer.
    case tunnelNoNeighbor
    /// Addressed as packets of liveness are, which only the host itself sends.
    case tunnelReserved
    /// The kernel refused it for another reason.
    case transmitError
}

/// Where frames come from: used by one worker, never blocks.
public protocol FrameReceiver: AnyObject {
    /// Readable when frames wait; -1 for a receiver that has to be asked (`hasFrames`).
    var receiveDescriptor: Int32 { get }
    /// Whether frames wait that the descriptor, if there is one, does not tell of.
    var hasFrames: Bool { get }
    /// Whether the last `receive` saw that nothing more waited; a receiver that does not know says no.
    var isDrained: Bool { get }
    /// Fills slots from the first on; returns how many. 0 when nothing waits.
    func receive(_ slots: UnsafeMutablePointer<ReceiveSlot>, count: Int) -> Int
}

extension FrameReceiver {
    public var hasFrames: Bool { false }
    public var isDrained: Bool { false }
}

/// Where frames leave: used by one worker, never blocks.
public protocol FrameTransmitter: AnyObject {
    /// Sends what it can; a frame that was not sent has its `refusal` set.
    func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int)
}

/// One worker's share of a port that both sends and receives.
public typealias FrameQueue = FrameReceiver & FrameTransmitter
