import CLinux
import Glibc
import Synchronization

/// An existing network device by packet sockets: a veth, a network card, a VLAN device.
///
/// Each worker has a socket; with several the kernel spreads arriving frames over them by flow (PACKET_FANOUT). The device is made promiscuous. The host's
/// own protocols see nothing of what arrives at it while the port is open: a filter at its ingress drops what the sockets have already got
/// (`LinkMonitor.installIngressGuard`). Without it the port works, and `notices` says so.
///
/// The queueing discipline is not bypassed (PACKET_QDISC_BYPASS): with 60-byte frames between veths it made no difference above the noise.
///
/// Frames carry offload state both ways. The kernel cuts and sums what the device does not, so that the port takes every large frame.
public final class PacketPort: LivePort, ReceiveErrorCounting {
    public struct Configuration: Sendable {
        /// Name of the device.
        public var device: String
        public var workers = 1
        /// Bytes waiting in a socket at most, each way.
        public var bufferSize = 16 << 20
        /// Whether small frames arrive in a ring, while the budget lasts.
        public var usesRing = true

        public init(device: String, workers: Int = 1) {
            self.device = device
            self.workers = workers
        }
    }

    private struct Device {
        var index: Int32 = 0
        var sockets: [PacketSocket] = []
        var isGuarded = false
        var status = PortStatus()
        var address: [UInt8] = []
        var linkKind = ""
        var notices: [String] = []
    }

    public let name: String
    public let number: UInt32
    public let kind = PortKind.packet
    private let configuration: Configuration
    private let monitor: LinkMonitor
    private let state = DeviceState()
    private let device = Mutex(Device())
    private let capabilities = PacketPort.kernelCapabilities()

    /// - Throws: when the device does not exist or no packet socket can be had.
    public init(name: String, number: UInt32, configuration: Configuration, monitor: LinkMonitor) throws(PortError) {
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
            let what = "\(device.linkKind.isEmpty ? "device" : device.linkKind) \"\(configuration.device)\"\(monitor.namespace.phrase)"
            if device.sockets.isEmpty { return what + ", gone" }
            let sockets = device.sockets.count == 1 ? "packet socket" : "\(device.sockets.count) packet sockets"
            let rings = device.sockets.contains { $0.ring != nil } ? sockets + " with ring" : sockets
            return ([what, rings, capabilities.phrase] + device.notices).joined(separator: ", ")
        }
    }

    /// What could not be had, for people.
    public var notices: [String] { device.withLock { $0.notices } }
    public var address: [UInt8]? { device.withLock { $0.address.isEmpty ? nil : $0.address } }
    public var status: PortStatus { device.withLock { $0.status } }

    public func receiver(worker index: Int) -> (any FrameReceiver)? { queue(index) }
    public func transmitter(worker index: Int) -> any FrameTransmitter { queue(index) ?? DownTransmitter() }

    private func queue(_ index: Int) -> PacketQueue? {
        device.withLock { device in
            guard !device.sockets.isEmpty else { return nil }
            return PacketQueue(socket: device.sockets[index % device.sockets.count], state: state, port: number, capabilities: capabilities)
        }
    }

    public func refresh() -> Bool {
        monitor.drain()
        let link = monitor.link(named: configuration.device)
        var current = device.withLock { $0 }
        let before = (current.status, current.index, current.sockets.count)
        // A group of sockets can only be made on a device that is up.
        let lacksSockets = link?.isUp == true && current.sockets.count < configuration.workers
        if let link, link.index == current.index, !current.sockets.isEmpty, !lacksSockets {
            current.status = link.status
            current.address = link.address
        } else {
            current.sockets = []
            current.index = 0
            current.status.isPresent = false
            if link != nil, let opened = try? open() { current = opened }
        }
        device.withLock { $0 = current }
        state.apply(current.status)
        return (current.status, current.index, current.sockets.count) != before
    }

    public func close() {
        let old = device.withLock { device in
            defer {
                device.sockets = []
                device.isGuarded = false
            }
            return device
        }
        for socket in old.sockets { socket.close() }
        if old.isGuarded { monitor.removeIngressGuard(index: old.index) }
    }

    var countedReceiveErrors: ReceiveErrors {
        let sockets = device.withLock { $0.sockets }
        for socket in sockets {
            var drops: UInt32 = 0
            // Reading sets the kernel's count back to 0.
            if weft_packet_drops(socket.descriptor.value, &drops) == 0 { state.missed.wrappingAdd(UInt64(drops), ordering: .relaxed) }
        }
        var errors = state.receiveErrors
        errors.missed = state.missed.load(ordering: .relaxed)
        return errors
    }

    // MARK: -

    private func open() throws(PortError) -> Device {
        guard let link = monitor.link(named: configuration.device) else {
            throw PortError("no network device \"\(configuration.device)\"\(monitor.namespace.phrase)")
        }
        let configuration = configuration
        var device = Device()
        device.index = link.index
        device.status = link.status
        device.address = link.address
        device.linkKind = link.kind
        let code = monitor.installIngressGuard(index: link.index)
        device.isGuarded = code == 0
        if code != 0 { device.notices.append("the host's own protocols also see what arrives (no ingress filter: \(errorText(code)))") }
        let opened: (sockets: [PacketSocket], error: Int32) = try monitor.namespace.run {
            var sockets: [PacketSocket] = []
            var group: Int32 = 0
            let count = link.isUp ? max(configuration.workers, 1) : 1
            for _ in 0..<count {
                let descriptor = weft_packet_open()
                if descriptor < 0 { return ([], -descriptor) }
                sockets.append(PacketSocket(descriptor: OwnedDescriptor(descriptor), wantsRing: configuration.usesRing))
                _ = weft_packet_set_buffers(descriptor, Int32(configuration.bufferSize), Int32(configuration.bufferSize))
                var code = weft_packet_bind(descriptor, link.index)
                if code == 0 { code = weft_packet_set_promiscuous(descriptor, link.index) }
                if code == 0, count > 1 {
                    group = weft_packet_join_fanout(descriptor, group)
                    if group < 0 { code = group }
                }
                // A device that is down is bound all the same, and says so.
                if code != 0, code != -ENETDOWN { return ([], -code) }
            }
            return (sockets, 0)
        }
        if opened.error != 0 {
            if device.isGuarded { monitor.removeIngressGuard(index: link.index) }
            let why = opened.error == EPERM ? "no permission (CAP_NET_RAW is needed)" : errorText(opened.error)
            throw PortError("cannot attach to device \"\(configuration.device)\"\(monitor.namespace.phrase): \(why)")
        }
        device.sockets = opened.sockets
        return device
    }

    /// Headers with UDP segments are understood from Linux 6.2 on.
    private static func kernelCapabilities() -> OffloadCapabilities {
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let numbers = release.split(whereSeparator: { !$0.isNumber }).prefix(2).map { Int($0) ?? 0 }
        return numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 2) ? .all : [.checksum, .tcpSegmentation]
    }
}
