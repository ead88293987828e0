import LogicalNetwork
import Wire
import Yams

/// Reads the YAML form of a network (Docs/NetworkFile.md).
///
/// A file is taken as a whole or not at all: `NetworkFaults` holds everything that is wrong with it, first what cannot be read, then what does not fit
/// together, each with its line and column.
public enum NetworkFile {
    /// Larger files are refused.
    public static let sizeLimit = 256 << 20

    public static func parse(_ text: String) throws(NetworkFaults) -> NetworkDescription {
        if text.utf8.count > sizeLimit { throw NetworkFaults([NetworkFault(.none, "the file has more than \(sizeLimit) bytes")]) }
        return try read(try compose(text))
    }

    /// The nodes of a text, not judged yet.
    public static func compose(_ text: String) throws(NetworkFaults) -> Node {
        do {
            if let root = try Yams.compose(yaml: text) { return root }
        } catch let error as YamlError {
            throw NetworkFaults([fault(error)])
        } catch {
            throw NetworkFaults([NetworkFault(.none, "\(error)")])
        }
        throw NetworkFaults([NetworkFault(.none, "the file is empty")])
    }

    /// Reads a network from nodes, which somebody else composed or changed.
    public static func read(_ root: Node) throws(NetworkFaults) -> NetworkDescription {
        let collector = FaultCollector()
        var network = NetworkDescription()
        if var reader = ElementReader(root, what: "the network", collector) {
            network.hosts = reader.elements("hosts").compactMap { host($0.name, $0.node, $0.place, collector) }
            network.tenants = reader.elements("tenants").compactMap { tenant($0.name, $0.node, $0.place, collector) }
            reader.finish()
        }
        var faults = collector.faults
        do throws(NetworkFaults) { try network.validate() } catch { faults += error.faults }
        if !faults.isEmpty { throw NetworkFaults(faults) }
        return network
    }

    /// Reads the hosts from their node, to be judged with the network that they are for; nil, with what cannot be read, when something cannot.
    public static func readHosts(_ node: Node) -> (hosts: [Host]?, faults: [NetworkFault]) {
        let collector = FaultCollector()
        var hosts: [Host]?
        if var reader = ElementReader(Node([(Node("hosts"), node)]), what: "the network", collector) {
            hosts = reader.elements("hosts").compactMap { host($0.name, $0.node, $0.place, collector) }
            reader.finish()
        }
        return (collector.faults.isEmpty ? hosts : nil, collector.faults)
    }

    /// Reads one tenant from a node, to be judged with the network that it is for (`NetworkDescription.validate(_:others:)`); also what cannot be read, if
    /// the rest can.
    public static func readTenant(_ name: String, _ node: Node) -> (tenant: Tenant?, faults: [NetworkFault]) {
        let collector = FaultCollector()
        let tenant = tenant(name, node, .none, collector)
        return (tenant, collector.faults)
    }

    private static func fault(_ error: YamlError) -> NetworkFault {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            return NetworkFault(
                Place(line: mark.line, column: mark.column), [problem, context?.text ?? ""].filter { !$0.isEmpty }.joined(separator: " "))
        case .duplicatedKeysInMapping(let duplicates, let context):
            let place = Place(line: context.mark.line, column: context.mark.column)
            return NetworkFault(place, "\(duplicates.joined(separator: ", ")) is there twice in the mapping that begins here")
        default: return NetworkFault(.none, "\(error)")
        }
    }

    private static func host(_ name: String, _ node: Node, _ place: Place, _ collector: FaultCollector) -> Host? {
        guard var r = ElementReader(node, what: "host \(name)", place: place, collector) else { return nil }
        defer { r.finish() }
        if let kind = r.text("tunnel"), kind != "geneve" {
            r.fault("tunnel must be geneve, the form that carries a packet's logical context, not '\(kind)'")
        }
        let zone = r.text("zone") ?? ""
        let isPool = r.bool("pool") ?? false
        if !isPool, r.has("bfd") { r.fault("bfd is for the pool node, which stands in for tunnels that fail") }
        let liveness = liveness(&r, collector)
        let queues = r.elements("queues").compactMap { HostQueueReader(host: name, collector: collector).read($0.name, $0.node, $0.place) }
        guard let address = r.value("address", "an IP address", IPAddress.init) else {
            if !r.has("address") { r.missing("address") }
            return nil
        }
        return Host(name: name, address: address, zone: zone, isPool: isPool, liveness: liveness, queues: queues, place: place)
    }

    /// `bfd: false`, or a mapping of interval and multiplier.
    private static func liveness(_ r: inout ElementReader, _ collector: FaultCollector) -> Host.Liveness? {
        var out = Host.Liveness()
        guard let node = r.node("bfd") else { return out }
        guard node.mapping != nil else { return r.bool("bfd") == false ? nil : out }
        guard var inner = ElementReader(node, what: "\(r.what): bfd", collector) else { return out }
        defer { inner.finish() }
        out.milliseconds =
            inner.value("interval", "a time from 10 ms to 60 s") { text in
                for (unit, factor) in [("ms", 1), ("s", 1000)] where text.hasSuffix(unit) {
                    let digits = text.dropLast(unit.count)
                    guard let n = Int(digits.last == " " ? digits.dropLast() : digits), n <= 60_000 / factor, n * factor >= 10 else { return nil }
                    return n * factor
                }
                return nil
            } ?? out.milliseconds
        out.multiplier = inner.integer("multiplier", 1...50) ?? out.multiplier
        return out
    }

    private static func tenant(_ name: String, _ node: Node, _ place: Place, _ collector: FaultCollector) -> Tenant? {
        guard var r = ElementReader(node, what: "tenant \(name)", place: place, collector) else { return nil }
        defer { r.finish() }
        var tenant = Tenant(name: name, place: place)
        for (set, node, place) in r.elements("address-sets") {
            var members: [AddressPrefix] = []
            for item in node.sequence.map(Array.init) ?? [node] {
                if let prefix = item.scalar.flatMap({ AddressPrefix($0.string) }) {
                    members.append(prefix)
                } else {
                    collector.add(item, "address set \(set): a member is an address or a prefix, as 10.0.0.0/24")
                }
            }
            tenant.addressSets.append(AddressSet(name: set, members: members, place: place))
        }
        tenant.switches = r.elements("switches").compactMap { SwitchReader(name: $0.name, place: $0.place, collector: collector).read($0.node) }
        tenant.routers = r.elements("routers").compactMap { RouterReader(name: $0.name, place: $0.place, collector: collector).read($0.node) }
        return tenant
    }
}

/// A prefix, or `$name` of an address set.
func addressTerm(_ text: String) -> AddressTerm? {
    text.hasPrefix("$") ? .set(String(text.dropFirst())) : AddressPrefix(text).map(AddressTerm.prefix)
}
