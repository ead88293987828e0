import CLinux
import Glibc
import Synchronization

/// A TAP device: the switch is the far end of a network interface of this host, of a namespace or of a virtual machine.
///
/// The device is made, or adopted when it exists as a TAP; each worker has a queue of its own. Frames carry their offload state in a virtio header both
/// ways. A persistent device outlives the switch, and is adopted by the next. When the device is deleted under the port, `refresh` makes it anew.
public final class TapPort: LivePort, ReceiveErrorCounting {
    public struct Configuration: Sendable {
        /// Name of the device, up to 15 bytes.
        public var device: String
        /// To be set on the device; nil leaves what it has.
        public var mtu: Int?
        public var address: [UInt8]?
        /// Whether the device stays when the switch ends.
        public var isPersistent = false
        public var workers = 1

        public init(device: String, mtu: Int? = nil, address: [UInt8]? = nil, isPersistent: Bool = false, workers: Int = 1) {
            self.device = device
            self.mtu = mtu
            self.address = address
            self.isPersistent = isPersistent
            self.workers = workers
        }
    }

    private struct Device {
        var index: Int32 = 0
        var queues: [OwnedDescriptor] = []
        var capabilities: OffloadCapabilities = []
        var wasAdopted = false
        var status = PortStatus()
        var address: [UInt8] = []
    }

    public let name: String
    public let number: UInt32
    public let kind = PortKind.tap
    private let configuration: Configuration
    let monitor: LinkMonitor
    private let state = DeviceState()
    private let device = Mutex(Device())

    /// - Throws: when the device cannot be made, adopted or set up.
    public init(name: String, number: UInt32, configuration: Configuration, monitor: LinkMonitor) throws(PortError) {
        guard (1...15).contains(configuration.device.utf8.count), !configuration.device.contains("/") else {
            throw PortError("\"\(configuration.device)\" is no name for a device: 1 to 15 bytes without a slash")
        }
        self.name = name
        self.number = number
        self.configuration = configuration
        self.monitor = monitor
        let opened = try open()
        device.withLock { $0 = opened }
        state.apply(opened.status)
    }

    public var summary: String {
        device.withLock { device in
            if device.queues.isEmpty { return "TAP \"\(configuration.device)\"\(monitor.namespace.phrase), gone" }
            var text = "TAP \"\(configuration.device)\"\(monitor.namespace.phrase), \(device.wasAdopted ? "adopted" : "made")"
            text += configuration.isPersistent ? ", persistent" : ""
            text += device.queues.count == 1 ? ", 1 queue" : ", \(device.queues.count) queues"
            return text + ", \(device.capabilities.phrase)"
        }
    }

    public var address: [UInt8]? { device.withLock { $0.address.isEmpty ? nil : $0.address } }
    public var status: PortStatus { device.withLock { $0.status } }

    public func receiver(worker index: Int) -> (any FrameReceiver)? { queue(index) }
    public func transmitter(worker index: Int) -> any FrameTransmitter { queue(index) ?? DownTransmitter() }

    /// The queue of worker `index`; workers beyond the queues of an adopted single-queue device send by its one queue and receive nothing.
    private func queue(_ index: Int) -> TapQueue? {
        device.withLock { device in
            guard !device.queues.isEmpty else { return nil }
            return TapQueue(descriptor: device.queues[index % device.queues.count], state: state, port: number, capabilities: device.capabilities)
        }
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
            // Closes what nobody uses any more; workers close theirs when they let go of the old queues.
            current.queues = []
            current.index = 0
            current.status.isPresent = false
            if let opened = try? open() { current = opened }
        }
        device.withLock { $0 = current }
        state.apply(current.status)
        return (current.status, current.index) != before
    }

    public func close() {
        let queues = device.withLock { device in
            defer { device.queues = [] }
            return device.queues
        }
        for queue in queues { queue.close() }
    }

    var countedReceiveErrors: ReceiveErrors { state.receiveErrors }

    // MARK: -

    private func open() throws(PortError) -> Device {
        let configuration = configuration
        monitor.drain()
        var device = Device()
        let existing = monitor.link(named: configuration.device)
        device.wasAdopted = existing != nil
        // Each queue is a descriptor, opened in the device's namespace.
        let wanted = max(configuration.workers, 1)
        let opened: (descriptors: [Int32], error: Int32) = try monitor.namespace.run {
            for isMultiQueue in wanted > 1 ? [true, false] : [false, true] {
                var descriptors: [Int32] = []
                for _ in 0..<(isMultiQueue ? wanted : 1) {
                    let descriptor = weft_tap_open(configuration.device, isMultiQueue ? 1 : 0)
                    if descriptor < 0 {
                        // EINVAL: an existing device that has one queue, or several, other than asked for.
                        if descriptor == -EINVAL, descriptors.isEmpty { break }
                        for descriptor in descriptors { Glibc.close(descriptor) }
                        return ([], -descriptor)
                    }
                    descriptors.append(descriptor)
                }
                if !descriptors.isEmpty { return (descriptors, 0) }
            }
            return ([], EINVAL)
        }
        if opened.error != 0 {
            let why =
                switch opened.error {
                case ENOENT: "/dev/net/tun does not exist"
                case EPERM: "no permission (CAP_NET_ADMIN is needed)"
                case EBUSY: "another program uses it"
                case EINVAL: "a device of that name exists and is not a TAP"
                default: errorText(opened.error)
                }
            throw PortError("cannot open TAP device \"\(configuration.device)\"\(monitor.namespace.phrase): \(why)")
        }
        device.queues = opened.descriptors.map(OwnedDescriptor.init)
        for queue in device.queues { device.capabilities = Self.prepare(queue.value) }
        if configuration.isPersistent {
            let code = weft_tap_set_persistent(opened.descriptors[0], 1)
            if code != 0 { throw PortError("cannot make TAP device \"\(configuration.device)\" persistent: \(errorText(-code))") }
        }
        monitor.drain()
        guard let made = monitor.link(named: configuration.device) else {
            throw PortError("TAP device \"\(configuration.device)\" was gone as soon as it was made")
        }
        device.index = made.index
        if let error = monitor.configure(
            index: made.index, mtu: configuration.mtu, address: configuration.address == made.address ? nil : configuration.address, up: true)
        {
            throw PortError("TAP device \"\(configuration.device)\": \(error)")
        }
        monitor.drain()
        if let link = monitor.link(named: configuration.device), link.index == device.index {
            device.status = link.status
            device.address = link.address
        }
        return device
    }

    /// Sets up a queue; what the kernel's side takes over.
    private static func prepare(_ descriptor: Int32) -> OffloadCapabilities {
        _ = weft_tap_set_header_size(descriptor, Int32(VirtioHeader.size))
        let tcp = UInt32(WEFT_TAP_CSUM | WEFT_TAP_TSO4 | WEFT_TAP_TSO6)
        let congestion = UInt32(WEFT_TAP_TSO_ECN)
        let udp = UInt32(WEFT_TAP_USO4 | WEFT_TAP_USO6)
        // Older kernels refuse all when they do not know one; UDP segments they then do not read from a header either.
        if weft_tap_set_offload(descriptor, tcp | congestion | udp) == 0 { return .all }
        if weft_tap_set_offload(descriptor, tcp | congestion) != 0 { _ = weft_tap_set_offload(descriptor, tcp) }
        return [.checksum, .tcpSegmentation]
    }
}

extension OffloadCapabilities {
    /// For people: `checksum, TCP and UDP segmentation offload`.
    var phrase: String {
        switch (contains(.tcpSegmentation), contains(.udpSegmentation)) {
        case (true, true): "checksum, TCP and UDP segmentation offload"
        case (true, false): "checksum and TCP segmentation offload"
        default: contains(.checksum) ? "checksum offload" : "no offload"
        }
    }
}

extension DeviceState {
    var receiveErrors: ReceiveErrors {
        var errors = ReceiveErrors()
        errors.malformed = malformed.load(ordering: .relaxed)
        errors.tooLong = tooLong.load(ordering: .relaxed)
        errors.failed = failed.load(ordering: .relaxed)
        return errors
    }
}
