import Glibc
import Synchronization

/// What the queues of a device's port share with its control side: the control side writes the limits, the queues count.
///
/// Relaxed atomics: a queue may see a new MTU or state a little late, which is a frame refused or sent at the time of the change.
final class DeviceState: Sendable {
    /// Bytes behind the Ethernet header and a VLAN tag.
    let mtu = Atomic<Int>(1500)
    /// False while the device is down, gone or without carrier.
    let isForwarding = Atomic<Bool>(true)
    let malformed = Atomic<UInt64>(0)
    let tooLong = Atomic<UInt64>(0)
    let failed = Atomic<UInt64>(0)
    let missed = Atomic<UInt64>(0)

    func apply(_ status: PortStatus) {
        mtu.store(status.mtu, ordering: .relaxed)
        isForwarding.store(status.isForwarding, ordering: .relaxed)
    }

    func count(_ counter: borrowing Atomic<UInt64>) { counter.wrappingAdd(1, ordering: .relaxed) }
}

/// Frames that a port received and did not deliver.
public struct ReceiveErrors: Equatable, Sendable, Codable {
    /// Offload information that contradicts the frame.
    public var malformed: UInt64 = 0
    /// Longer than a worker's buffer.
    public var tooLong: UInt64 = 0
    /// Not received because the socket's buffer was full.
    public var missed: UInt64 = 0
    /// Calls that failed otherwise.
    public var failed: UInt64 = 0
    public init() {}
}

extension LivePort {
    /// Frames received and not delivered, since the port was made.
    public var receiveErrors: ReceiveErrors { (self as? any ReceiveErrorCounting)?.countedReceiveErrors ?? ReceiveErrors() }
}

/// A port that counts what it could not deliver.
protocol ReceiveErrorCounting { var countedReceiveErrors: ReceiveErrors { get } }

extension TransmitRefusal {
    /// What a failed send means for the frame, and whether the frames behind it would fail as well.
    static func of(errno code: Int32) -> (refusal: TransmitRefusal, endsBurst: Bool) {
        switch code {
        case EAGAIN: (.transmitQueueFull, true)
        case ENOBUFS: (.transmitQueueFull, false)
        case EMSGSIZE: (.exceedsMTU, false)
        case ENETDOWN, ENXIO, EBADFD, EIO, ENODEV: (.portDown, true)
        default: (.transmitError, false)
        }
    }
}

/// The sending side of a device that is gone.
final class DownTransmitter: FrameTransmitter {
    func transmit(_ frames: UnsafeMutablePointer<TransmitFrame>, count: Int) {
        for i in 0..<count { frames[i].refusal = .portDown }
    }
}
