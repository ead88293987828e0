import CLinux
import CXDP
import Glibc
import Synchronization

/// An existing network device by AF_XDP: frames bypass the host's stack from the driver on. For network cards; on a veth a packet socket is faster for
/// TCP, which rides on large segments there.
///
/// Worker `i` has the device's queue `i`. The device must have no more receive queues than there are workers (`ethtool -L`): what arrives at the others
/// goes to the host. Workers beyond the queues send by packet sockets and receive nothing. Native and generic XDP, with and without copying, are tried in
/// order; `summary` says which it became.
///
/// AF_XDP has no offloads. Frames are finished in software on the way out. On the way in their checksums must be complete, which a veth's other
/// end has to be told: `ethtool -K DEVICE tx off`.
public final class XDPPort: LivePort, ReceiveErrorCounting {
    private struct Device {
        var index: Int32 = 0
        var queues: [XDPQueue] = []
        var program: XDPProgram?
        var mode = ""
        var status = PortStatus()
        var address: [UInt8] = []
    }

    public let name: String
    public let number: UInt32
    public let kind = PortKind.xdp
    private let configuration: PacketPort.Configuration
    private let monitor: LinkMonitor
    private let state = DeviceState()
    private let device = Mutex(Device())

    /// The port, or a packet port where AF_XDP cannot be had, with a notice that says why.
    public static func makeOrFallBack(
        name: String, number: UInt32, configuration: PacketPort.Configuration, monitor: LinkMonitor
    ) throws(PortError) -> (port: any LivePort, notice: String?) {
        let why: PortError
        do { return (try XDPPort(name: name, number: number, configuration: configuration, monitor: monitor), nil) } catch { why = error }
        return (try PacketPort(name: name, number: number, configuration: configuration, monitor: monitor), "\(why); a packet socket is used")
    }

    /// - Throws: when the device does not exist or takes AF_XDP in no mode.
    public init(name: String, number: UInt32, configuration: PacketPort.Configuration, monitor: LinkMonitor) throws(PortError) {
        self.name = name
        self.number = number
        self.configuration = configuration
        self.monitor = monitor
        monitor.drain()
        let opened = try open()
        device.withLock { $0 = opened }
        state.apply(opened.status)
    }

    public var summary: String {
        device.withLock { device in
            let what = "device \"\(configuration.device)\"\(monitor.namespace.phrase)"
            return device.queues.isEmpty
                ? what + ", gone" : "\(what), AF_XDP on \(device.queues.count) queue\(device.queues.count == 1 ? "" : "s"), \(device.mode)"
        }
    }

    public var address: [UInt8]? { device.withLock { $0.address.isEmpty ? nil : $0.address } }
    public var status: PortStatus { device.withLock { $0.status } }
    public func receiver(worker index: Int) -> (any FrameReceiver)? { device.withLock { index < $0.queues.count ? $0.queues[index] : nil } }

    public func transmitter(worker index: Int) -> any FrameTransmitter {
        let (queues, link) = device.withLock { ($0.queues, $0.index) }
        if index < queues.count { return queues[index] }
        let descriptor = queues.isEmpty ? -1 : (try? monitor.namespace.run { PacketPort.openSender(link) }) ?? -1
        if descriptor < 0 { return DownTransmitter() }
        return PacketQueue(
            socket: PacketSocket(descriptor: OwnedDescriptor(descriptor), wantsRing: false), state: state, port: number,
            capabilities: [.checksum, .tcpSegmentation])
    }

    public func refresh() -> Bool {
        monitor.drain()
        let link = monitor.link(named: configuration.device)
        var current = device.withLock { $0 }
        let before = (current.status, current.index)
        if let link, link.index == current.index, !current.queues.isEmpty {
            current.status = link.status
            current.address = link.address
        } else {
            current.queues = []
            current.program = nil
            current.index = 0
            current.status.isPresent = false
            if link != nil, let opened = try? open() { current = opened }
        }
        device.withLock { $0 = current }
        state.apply(current.status)
        return (current.status, current.index) != before
    }

    public func close() {
        let (queues, program) = device.withLock { device in
            defer { (device.queues, device.program) = ([], nil) }
            return (device.queues, device.program)
        }
        program?.close()
        for queue in queues { queue.close() }
    }

    var countedReceiveErrors: ReceiveErrors { state.receiveErrors }

    private func open() throws(PortError) -> Device {
        guard let link = monitor.link(named: configuration.device) else {
            throw PortError("no network device \"\(configuration.device)\"\(monitor.namespace.phrase)")
        }
        // 256 bytes of each frame are the kernel's.
        guard link.mtu + 18 + 256 <= 4096 else {
            throw PortError("device \"\(configuration.device)\": AF_XDP takes an MTU of up to 3822, not \(link.mtu)")
        }
        let frameSize = link.mtu + 18 + 256 <= 2048 ? 2048 : 4096
        let configuration = configuration
        let (state, number) = (state, number)
        let opened: (queues: [XDPQueue], program: XDPProgram?, mode: String, error: Int32) = try monitor.namespace.run {
            var failure: Int32 = 0
            for mode in XDPQueue.Mode.all {
                let count = max(configuration.workers, 1)
                guard let program = XDPProgram(device: link.index, queues: count, isNative: mode.isNative, failure: &failure) else { continue }
                var queues: [XDPQueue] = []
                for queue in 0..<UInt32(count) {
                    guard
                        let made = XDPQueue(
                            device: configuration.device, queue: queue, mode: mode, frameSize: frameSize, program: program, state: state,
                            port: number, failure: &failure)
                    else { break }
                    queues.append(made)
                }
                if !queues.isEmpty { return (queues, program, mode.phrase, 0) }
            }
            return ([], nil, "", failure)
        }
        if opened.queues.isEmpty {
            throw PortError("device \"\(configuration.device)\"\(monitor.namespace.phrase) takes no AF_XDP socket: \(errorText(opened.error))")
        }
        var device = Device()
        device.index = link.index
        device.status = link.status
        device.address = link.address
        device.queues = opened.queues
        device.program = opened.program
        device.mode = opened.mode
        return device
    }
}

extension PacketPort {
    /// A packet socket that only sends; a descriptor, or negative. Call in the device's namespace.
    static func openSender(_ index: Int32) -> Int32 {
        let descriptor = weft_packet_open()
        if descriptor >= 0 { _ = weft_packet_bind_sender(descriptor, index) }
        return descriptor
    }
}
