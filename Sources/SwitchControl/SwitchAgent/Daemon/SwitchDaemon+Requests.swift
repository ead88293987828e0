import CLinux
import Datapath
import Flow
import Foundation
import Glibc
import Ports
import Yams

/// The methods of the control socket.
extension SwitchDaemon {
    public static let methods = [
        "switch.about", "switch.reload", "switch.stats", "port.list", "port.add", "port.del", "port.queues", "flow.add", "flow.del", "flow.dump",
        "capture", "trace",
    ]

    func handle(_ call: ControlCall) throws(ControlError) -> Data {
        switch call.method {
        case "switch.about":
            return ControlLine.encode(
                ControlValue.About(pid: getpid(), socket: server.path, configuration: file, workers: virtualSwitch.options.workers))
        case "switch.reload":
            do throws(ConfigurationError) {
                return ControlLine.encode(ControlValue.Reloaded(changes: try reload()))
            } catch {
                throw ControlError(.refused, error.description)
            }
        case "switch.stats": return ControlLine.encode(virtualSwitch.report())
        case "port.list":
            return ControlLine.encode(
                ControlValue.Ports(
                    ports: virtualSwitch.ports(),
                    waiting: waitingPorts.map { ControlValue.Waiting(name: $0.name, number: $0.number, kind: $0.kind, reason: $0.reason) }))
        case "port.add":
            let wanted = try Self.wantedPort(call.rawParameters())
            return ControlLine.encode(ControlValue.AddedPort(name: wanted.name, number: try add(wanted)))
        case "port.del": return ControlLine.encode(ControlValue.PortName(port: try remove(call.parameters(ControlValue.PortName.self).port)))
        case "port.queues":
            let (port, queueing) = try Self.wantedQueues(call.rawParameters())
            return ControlLine.encode(ControlValue.PortName(port: try setQueues(port, queueing)))
        case "flow.add": return try addFlows(call.parameters(ControlValue.FlowChange.self).flows)
        case "flow.del": return try deleteFlows(call.parameters())
        case "flow.dump": return try dumpFlows(call.parameters(else: ControlValue.FlowSelection(filter: "")))
        case "capture": return try capture(call.parameters(), call.connection)
        default:
            if let handler = handlers[call.method] { return try handler(call) }
            let hint = FlowText.nearestName(to: call.method, among: Self.methods).map { " (did you mean \($0)?)" } ?? ""
            throw ControlError(.unknownMethod, "there is no method '\(call.method)'\(hint)")
        }
    }

    /// Adds a method, or replaces `trace`, which needs the words of the program around.
    public func addMethod(_ name: String, _ handler: @escaping (ControlCall) throws(ControlError) -> Data) { handlers[name] = handler }

    /// A port as in a configuration: JSON is YAML, so the same reader judges it.
    static func wantedPort(_ json: Data) throws(ControlError) -> Wanted {
        let kind = (try? JSONSerialization.jsonObject(with: json) as? [String: Any])?["kind"] as? String
        let list = kind.flatMap(PortKind.init(rawValue:))?.isTunnel == true ? "tunnels" : "ports"
        let configuration: SwitchConfiguration
        do throws(ConfigurationError) {
            configuration = try SwitchConfiguration(yaml: "{\"\(list)\": [\(String(decoding: json, as: UTF8.self))]}", file: "")
        } catch {
            throw ControlError(
                .badParameters, error.faults.map { $0.message.replacingOccurrences(of: " 1 has", with: " has") }.joined(separator: "\n"))
        }
        let namespace = configuration.ports.first?.namespace ?? configuration.tunnels.first?.namespace
        if namespace != nil, !Privileges.mayEnterNamespaces {
            throw ControlError(
                .refused, "the switch has given up what it takes to enter namespaces (CAP_SYS_ADMIN); start it with 'namespaces: true'")
        }
        if let port = configuration.ports.first { return .port(port) }
        if let tunnel = configuration.tunnels.first { return .tunnel(tunnel) }
        throw ControlError(.badParameters, "no port was described")
    }

    /// A port and its queues with the keys of the configuration; without any the port has none.
    static func wantedQueues(_ json: Data) throws(ControlError) -> (port: String, queueing: PortQueueing?) {
        let faults = FaultList()
        guard let root = try? Yams.compose(yaml: String(decoding: json, as: UTF8.self)), let mapping = root.mapping else {
            throw ControlError(.badParameters, "port.queues: params must be an object")
        }
        var reader = MappingReader(mapping, what: "port.queues", faults: faults)
        let port = reader.text("port")
        let queueing = SwitchConfiguration.queueing(&reader, "the port")
        reader.finish()
        guard let port else { throw ControlError(.badParameters, "port.queues: which port?") }
        if !faults.faults.isEmpty { throw ControlError(.badParameters, faults.faults.map(\.message).joined(separator: "\n")) }
        return (port, queueing)
    }

    // MARK: - Entries

    private func addFlows(_ text: String) throws(ControlError) -> Data {
        let parsed = FlowText.parse(text)
        guard parsed.isValid else { throw ControlError(.badParameters, parsed.errors.prefix(20).map(\.description).joined(separator: "\n")) }
        if let (index, error) = virtualSwitch.applyAll(parsed.modifications) {
            throw ControlError(.refused, "line \(parsed.lines[index]): \(error); none of the lines is in effect")
        }
        return ControlLine.encode(ControlValue.Count(count: parsed.modifications.count))
    }

    private struct Selection {
        var table: UInt8?
        var pattern: FlowEntry
        var cookieMask: UInt64
        var outPort: UInt32?

        func selects(_ e: FlowEntry) -> Bool {
            if let table, e.table != table { return false }
            if (e.cookie ^ pattern.cookie) & cookieMask != 0 { return false }
            if let outPort, !e.actions.contains(where: { if case .output(outPort, _) = $0 { true } else { false } }) { return false }
            return e.match.isWithin(pattern.match)
        }
    }

    /// Reads a filter as `ovs-ofctl` does: the rest of a `delete` line.
    private static func modification(_ filter: String, strict: Bool) throws(ControlError) -> FlowModification {
        if filter.contains(where: \.isNewline) { throw ControlError(.badParameters, "a filter is one line") }
        let command = strict ? "delete_strict" : "delete"
        let parsed = FlowText.parse("\(command) \(filter)\n")
        if let d = parsed.errors.first { throw ControlError(.badParameters, "the filter '\(filter)': \(d.text)") }
        guard let modification = parsed.modifications.first else { throw ControlError(.badParameters, "the filter '\(filter)' says nothing") }
        return modification
    }

    private func deleteFlows(_ selection: ControlValue.FlowSelection) throws(ControlError) -> Data {
        let before = virtualSwitch.report().entryCount
        let modification = try Self.modification(selection.filter, strict: selection.strict ?? false)
        if let (_, error) = virtualSwitch.applyAll([modification]) { throw ControlError(.refused, "\(error)") }
        return ControlLine.encode(ControlValue.Count(count: max(0, before - virtualSwitch.report().entryCount)))
    }

    private func dumpFlows(_ selection: ControlValue.FlowSelection) throws(ControlError) -> Data {
        guard case .flow(_, let pattern, let anyTable, let cookieMask, let outPort) = try Self.modification(selection.filter, strict: false) else {
            throw ControlError(.badParameters, "the filter '\(selection.filter)' is not about entries")
        }
        let filter = Selection(table: anyTable ? nil : pattern.table, pattern: pattern, cookieMask: cookieMask, outPort: outPort)
        let now = weft_monotonic_ns()
        let flows = virtualSwitch.entries().filter { filter.selects($0.entry) }.map { e in
            ControlValue.Flow(
                table: e.entry.table, priority: e.entry.priority, cookie: "0x" + String(e.entry.cookie, radix: 16),
                match: FlowText.text(e.entry.match),
                actions: e.entry.actions.isEmpty ? "drop" : e.entry.actions.map { FlowText.text($0) }.joined(separator: ","), packets: e.packets,
                bytes: e.bytes, idleTimeout: e.entry.idleTimeout, hardTimeout: e.entry.hardTimeout, importance: e.entry.importance,
                idleAge: now > e.lastUsed ? Double(now - e.lastUsed) / 1e9 : 0, text: FlowText.text(e.entry))
        }
        return ControlLine.encode(ControlValue.Flows(flows: flows))
    }

    // MARK: - Captures

    private func capture(_ p: ControlValue.Capture, _ connection: ControlConnection) throws(ControlError) -> Data {
        if connection.stream != nil { throw ControlError(.refused, "this connection has a capture already") }
        let filter: FrameMirror.Filter
        let what: String
        switch (p.port, p.match) {
        case (let port?, nil):
            let number = try number(of: port)
            filter = .port(number)
            what = "port \(number)"
        case (nil, let match?):
            do throws(FlowTextDiagnostic) {
                filter = .flow(try FlowText.parseMatch(match).match)
            } catch {
                throw ControlError(.badParameters, "the match '\(match)', column \(error.column): \(error.text)")
            }
            what = match
        default: throw ControlError(.badParameters, "capture: give either port or match")
        }
        if let count = p.count, count < 1 { throw ControlError(.badParameters, "capture: count \(count) must be at least 1") }
        if let snap = p.snap, !(14...(1 << 18)).contains(snap) { throw ControlError(.badParameters, "capture: snap \(snap) must be 14 to 262144") }
        let mirror = FrameMirror(filter: filter, snapLength: p.snap ?? 1 << 18)
        let s = virtualSwitch
        connection.stream = CaptureStream(mirror: mirror, count: p.count, portName: { s.portName($0) }, onEnd: { s.removeMirror(mirror) })
        s.addMirror(mirror)
        return ControlLine.encode(ControlValue.CaptureBegun(what: what))
    }
}
