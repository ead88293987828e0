import CLinux
import Flow
import Foundation
import OpenFlow
import Ports

/// What controllers ask for by the configuration channel (Docs/Controller.md): who this is, and the ports and tunnels of its host.
///
/// Ports of the channel stand beside those of the configuration and those added by command, and are changed by neither. They stay when the controller is gone.
extension SwitchDaemon {
    /// Ports that are asked for in one request, and on a host.
    static let publishedLimit = 65_536

    private struct Request: Decodable {
        var id: RequestID?
        var method: String
    }

    struct HostAbout: Encodable {
        var host: String
        var datapath: String
        var pid: Int32
        /// Names of the ports that controllers asked for.
        var ports: [String]
    }

    struct HostPortsResult: Encodable {
        var opened: Int
        var closed: Int
        /// Ports that stayed open and have other queues.
        var requeued = 0
        /// Ports whose devices cannot be had now, and why; tried again every second.
        var waiting: [String: String]
        /// Ports that cannot be at all, and why.
        var refused: [String: String]
    }

    /// Takes a request on the control queue and carries it out on the socket's thread.
    func answer(_ line: [UInt8], mayChange: Bool, reply: @escaping @Sendable ([UInt8]) -> Void) {
        server.perform { [self] in
            var id: RequestID?
            do throws(ControlError) {
                let request: Request
                do {
                    request = try JSONDecoder().decode(Request.self, from: Data(line))
                } catch {
                    throw ControlError(.malformed, "a request is a JSON object like {\"id\":1,\"method\":\"host.about\"}")
                }
                id = request.id
                let result: Data
                switch request.method {
                case "host.about":
                    result = ControlLine.encode(
                        HostAbout(
                            host: hostName ?? "", datapath: "0x" + String(agent?.options.datapathID ?? 0, radix: 16), pid: getpid(),
                            ports: published.keys.sorted()))
                case "host.ports":
                    if !mayChange { throw ControlError(.refused, "only the master may change ports") }
                    result = ControlLine.encode(try publish(line))
                default: throw ControlError(.unknownMethod, "there is no method '\(request.method)'; there are host.about and host.ports")
                }
                reply(Array(ControlLine.result(id, result)))
            } catch {
                reply(Array(ControlLine.failure(id, error)))
            }
        }
    }

    /// `host.ports`: `all` says that these are all, so that others go; `remove` names those that go; `ports` are there afterwards.
    private func publish(_ line: [UInt8]) throws(ControlError) -> HostPortsResult {
        guard let object = (try? JSONSerialization.jsonObject(with: Data(line))) as? [String: Any],
            let parameters = object["params"] as? [String: Any],
            let list = parameters["ports"] as? [[String: Any]]
        else { throw ControlError(.badParameters, "host.ports: params.ports must be a list of ports") }
        let isAll = parameters["all"] as? Bool ?? false
        var goes = Set(parameters["remove"] as? [String] ?? [])
        var result = HostPortsResult(opened: 0, closed: 0, waiting: [:], refused: [:])
        var opens: [Wanted] = []
        var names: Set<String> = []
        for item in list {
            guard let name = item["name"] as? String, (1...200).contains(name.utf8.count) else {
                throw ControlError(.badParameters, "host.ports: each port has a name of 1 to 200 bytes")
            }
            names.insert(name)
            do throws(ControlError) {
                var wanted = try Self.publishedPort(item)
                wanted.name = name
                if published[name] == wanted { continue }
                if let other = published[name], other.isSameDevice(as: wanted) {
                    requeue(wanted, in: \.published)
                    result.requeued += 1
                    goes.remove(name)
                    continue
                }
                if published[name] != nil { goes.insert(name) }
                opens.append(wanted)
            } catch {
                result.refused[name] = error.message
                goes.insert(name)
            }
        }
        if isAll { goes.formUnion(published.keys.filter { !names.contains($0) }) }
        for name in goes.sorted() where published.removeValue(forKey: name) != nil {
            close(name)
            result.closed += 1
        }
        for wanted in opens {
            let number = wanted.number!
            if let other = numbers.first(where: { $0.value == number })?.key {
                result.refused[wanted.name] = "port number \(number) is taken by \"\(other)\""
            } else if isTaken(wanted.name) {
                result.refused[wanted.name] = "the switch has a port of that name"
            } else if published.count >= Self.publishedLimit {
                result.refused[wanted.name] = "there are \(Self.publishedLimit) ports already"
            } else {
                published[wanted.name] = wanted
                open(wanted, number: number)
                result.opened += 1
            }
        }
        for port in waitingPorts where names.contains(port.name) { result.waiting[port.name] = port.reason }
        if !result.refused.isEmpty { log.error("ports are refused", metadata: ["reasons": "\(result.refused)"]) }
        return result
    }

    /// A port with the keys of the configuration; names of logical ports are longer than those of the configuration may be.
    private static func publishedPort(_ item: [String: Any]) throws(ControlError) -> Wanted {
        var item = item
        item["name"] = "published"
        guard JSONSerialization.isValidJSONObject(item),
            let json = try? JSONSerialization.data(withJSONObject: item, options: [.withoutEscapingSlashes])
        else {
            throw ControlError(.badParameters, "a port cannot be read")
        }
        let wanted = try wantedPort(json)
        guard wanted.number != nil else { throw ControlError(.badParameters, "a port of the channel has a number") }
        return wanted
    }
}

extension OpenFlowSession {
    /// Gives a whole line to the daemon; the reply goes back with the request's transaction id.
    func handle(
        _ e: UnknownExperimenter, xid: UInt32,
        _ handler: (_ line: [UInt8], _ mayChange: Bool, _ reply: @escaping @Sendable ([UInt8]) -> Void) -> Void
    ) throws(OpenFlowError) {
        guard let (kind, line) = try configurationLine.add(e, xid: xid) else { return }
        guard kind == .request else { throw OpenFlowError(.badRequestType, "Controllers send requests.") }
        handler(line, role != .slave) { [weak self] reply in
            self?.vswitch.passToControl { [weak self] in
                for m in ConfigurationChannel.messages(.reply, reply) { self?.send(m, xid: xid) }
            }
        }
    }
}
