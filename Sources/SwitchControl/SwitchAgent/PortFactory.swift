import CLinux
import Ports

/// Makes ports of what a configuration says, and watches their devices. Used on one thread.
final class PortFactory {
    private let workers: Int
    /// Where services connect unless the port says otherwise.
    private let folder: String
    private var services: [UInt32: ServicePort] = [:]
    private let namespaces = DeviceNamespaces()
    let tunnels: TunnelStack
    /// Ends of patches whose other end has been made, by name.
    private var patchEnds: [String: PatchPort] = [:]
    /// The ports made, and where their devices are; for changes.
    private var devices: [UInt32: (device: String, monitor: LinkMonitor, link: Link?, isMadeByPort: Bool)] = [:]
    /// The number of a wanted port by name.
    var number: (String) -> UInt32? = { _ in nil }
    /// Told of what a port, by its name, became instead of what was asked for.
    var notice: (String, String) -> Void = { _, _ in }

    /// - Parameter folder: where services connect, as `NAME.service`.
    init(workers: Int, folder: String) {
        self.workers = workers
        self.folder = folder
        tunnels = TunnelStack(workers: workers)
    }

    /// - Throws: when the device cannot be had; a later attempt may succeed.
    func make(_ port: SwitchConfiguration.Port, number: UInt32) throws(PortError) -> any LivePort {
        switch port.kind {
        case .tap:
            let monitor = try namespaces.monitor(for: port.namespace)
            let made = try TapPort(
                name: port.name, number: number,
                configuration: TapPort.Configuration(
                    device: port.deviceName, mtu: port.mtu, address: port.address, isPersistent: port.isPersistent, workers: workers),
                monitor: monitor)
            devices[number] = (port.deviceName, monitor, monitor.link(named: port.deviceName), true)
            return made
        case .packet:
            let monitor = try namespaces.monitor(for: port.namespace)
            let made = try PacketPort(
                name: port.name, number: number, configuration: PacketPort.Configuration(device: port.deviceName, workers: workers), monitor: monitor)
            devices[number] = (port.deviceName, monitor, monitor.link(named: port.deviceName), false)
            return made
        case .xdp:
            let monitor = try namespaces.monitor(for: port.namespace)
            let (made, notice) = try XDPPort.makeOrFallBack(
                name: port.name, number: number, configuration: PacketPort.Configuration(device: port.deviceName, workers: workers), monitor: monitor)
            if let notice { self.notice(port.name, notice) }
            devices[number] = (port.deviceName, monitor, monitor.link(named: port.deviceName), false)
            return made
        case .patch: return try patch(port, number)
        case .memory: return MemoryPort(name: port.name, number: number)
        case .service:
            let made = try ServicePort(
                name: port.name, number: number, path: port.path ?? "\(folder)/\(port.name).service", workers: workers)
            services[number] = made
            return made
        default: throw PortError("\(port.name): this version has no \(port.kind.rawValue) ports")
        }
    }

    private func patch(_ port: SwitchConfiguration.Port, _ number: UInt32) throws(PortError) -> any LivePort {
        if let made = patchEnds.removeValue(forKey: port.name), made.number == number { return made }
        guard let peer = port.peer, let peerNumber = self.number(peer) else {
            throw PortError("its other end \"\(port.peer ?? "")\" is not there")
        }
        let (own, other) = PatchPort.pair((port.name, number), (peer, peerNumber), workers: workers)
        patchEnds[peer] = other
        return own
    }

    func make(_ tunnel: SwitchConfiguration.Tunnel, number: UInt32) throws(PortError) -> any LivePort {
        do {
            return try tunnels.makePort(tunnel.portConfiguration(number: number), namespace: NetworkNamespace(tunnel.namespace).path)
        } catch let error as PortError {
            throw error
        } catch {
            throw PortError("\(tunnel.name): \(error)")
        }
    }

    /// Forgets what was made for a port that is gone.
    func forget(name: String, number: UInt32) {
        patchEnds[name] = nil
        devices[number] = nil
        services[number] = nil
    }

    /// The numbers of ports whose devices, connections or tunnels' other ends have changed since they were `refreshed`, and of those whose TAP is gone: they
    /// make it anew once they can.
    func changedPorts() -> [UInt32] {
        for monitor in namespaces.all { monitor.drain() }
        // Somebody connects or goes; or not, which refreshing finds out.
        var changed = services.filter { $0.value.descriptors.contains { weft_is_readable($0) != 0 } }.map(\.key) + tunnels.monitor.takeChanges()
        for (number, d) in devices {
            let link = d.monitor.link(named: d.device)
            if link != d.link || (link == nil && d.isMadeByPort && d.monitor.descriptor >= 0) {
                changed.append(number)
            }
        }
        return changed
    }

    /// Notes what a port's device was when the port looked at it. It may have looked at something newer than `changedPorts` did: compared with that, the way
    /// back would be no change, and the port would stay as it is.
    func refreshed(_ number: UInt32) {
        guard let d = devices[number] else { return }
        devices[number]!.link = d.monitor.link(named: d.device)
    }

    /// Descriptors that are readable when a device, a connection or a tunnel's other end has changed.
    var descriptors: [Int32] {
        (namespaces.all.map(\.descriptor) + services.values.flatMap(\.descriptors) + [tunnels.monitor.descriptor]).filter { $0 >= 0 }
    }

    func close() { for monitor in namespaces.all { monitor.close() } }
}
