import Flow
import Logging
import OpenFlow
import Ports
import Wire
import Yams

extension SwitchConfiguration {
    /// Reads a configuration from YAML.
    ///
    /// - Parameter file: its name, for errors.
    /// - Throws: everything that is wrong, with lines.
    public init(yaml: String, file: String) throws(ConfigurationError) {
        let faults = FaultList()
        self.init()
        do {
            if let root = try Yams.compose(yaml: yaml) { read(root, faults) }
        } catch let error as YamlError {
            let fault = Self.fault(error)
            throw ConfigurationError(file: file, faults: [fault])
        } catch {
            throw ConfigurationError(file: file, faults: [ConfigurationFault(line: 0, column: 0, message: "\(error)")])
        }
        if !faults.faults.isEmpty {
            throw ConfigurationError(file: file, faults: faults.faults.sorted { ($0.line, $0.column) < ($1.line, $1.column) })
        }
    }

    private static func fault(_ error: YamlError) -> ConfigurationFault {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            ConfigurationFault(line: mark.line, column: mark.column, message: "not YAML: \(problem)\(context.map { ", \($0.text)" } ?? "")")
        case .reader(let problem, _, let value, _):
            ConfigurationFault(line: 0, column: 0, message: "not YAML: \(problem)\(value >= 0 ? " (byte 0x\(String(value, radix: 16)))" : "")")
        case .duplicatedKeysInMapping(let duplicates, let context):
            ConfigurationFault(
                line: context.mark.line, column: context.mark.column, message: "'\(duplicates.joined(separator: "', '"))' is given twice")
        default: ConfigurationFault(line: 0, column: 0, message: "not YAML: \(error)")
        }
    }

    private mutating func read(_ root: Node, _ faults: FaultList) {
        if root.scalar?.string.isEmpty == true { return }
        guard let mapping = root.mapping else {
            faults.add(root.mark, "a configuration is a mapping: lines like 'workers: 2'")
            return
        }
        var reader = MappingReader(mapping, what: "the configuration", faults: faults)
        workers = reader.integer("workers", 1...64) ?? workers
        spin = reader.value("spin", "a time like 20us, 1ms or 0") { Self.nanoseconds($0) } ?? spin
        pinsWorkers = reader.bool("pin-workers") ?? false
        socket = reader.value("socket", "a path of at most \(ControlSocketPath.limit) bytes") { $0.utf8.count <= ControlSocketPath.limit ? $0 : nil }
        logLevel = reader.choice("log-level", Logger.Level.allCases.map { ($0.rawValue, $0) }) ?? .info
        allowsNamespaces = reader.bool("namespaces") ?? false
        for (i, node) in reader.list("ports").enumerated() { if let port = Self.port(node, "port \(i + 1)", faults) { ports.append(port) } }
        for (i, node) in reader.list("tunnels").enumerated() {
            if let tunnel = Self.tunnel(node, "tunnel \(i + 1)", faults) { tunnels.append(tunnel) }
        }
        flows = Self.program(&reader, "flows")
        groups = Self.program(&reader, "groups")
        meters = Self.program(&reader, "meters")
        for node in reader.list("controllers") {
            guard let text = node.scalar?.string, let target = OpenFlowTarget(text) else {
                faults.add(
                    node.mark, "a controller is a target like tcp:127.0.0.1:6653, ssl:…, unix:PATH, ptcp:6653, pssl:6653, punix:PATH or psnoop:PATH")
                continue
            }
            controllers.append(target)
        }
        host = reader.value("host", "a name of 1 to 200 bytes") { (1...200).contains($0.utf8.count) ? $0 : nil }
        let chassisMark = reader.node("chassis")?.mark
        for node in reader.list("chassis") {
            guard let text = node.scalar?.string, let target = OpenFlowTarget(text), case .connect = target else {
                faults.add(node.mark, "a channel of a controller is like tcp:192.0.2.1:6654 or ssl:192.0.2.1:6654")
                continue
            }
            chassis.append(target)
        }
        if let chassisMark, !chassis.isEmpty, host == nil { faults.add(chassisMark, "'chassis' needs 'host': which host of the network this is") }
        datapathID = reader.value("datapath-id", "up to 16 hexadecimal digits, not all zero") { text in
            UInt64(text, radix: 16).flatMap { $0 == 0 || text.count > 16 ? nil : $0 }
        }
        for node in reader.list("protocols") {
            guard
                let version = OpenFlowVersion.allCases.first(where: { "OpenFlow\($0.text.dropFirst(2).filter { $0 != "." })" == node.scalar?.string })
            else {
                faults.add(node.mark, "a protocol is OpenFlow13, OpenFlow14 or OpenFlow15")
                continue
            }
            protocols = (protocols ?? []).union([version])
        }
        failMode = reader.choice("fail-mode", FailMode.allCases.map { ($0.rawValue, $0) }) ?? .standalone
        if let node = reader.node("tls") { tls = Self.tls(node, faults) }
        if tls == nil, let secure = (controllers + chassis).first(where: \.isSecure), reader.node("tls") == nil {
            faults.add(root.mark, "\(secure) needs 'tls' with key, certificate and authorities")
        }
        reader.finish()
        checkUnique(reader, faults)
    }

    private static func tls(_ node: Node, _ faults: FaultList) -> OpenFlowConnections.TLS? {
        guard let mapping = node.mapping else {
            faults.add(node.mark, "'tls' is a mapping with key, certificate and authorities: files in PEM")
            return nil
        }
        var reader = MappingReader(mapping, what: "tls", faults: faults)
        let (key, certificate, authorities) = (reader.text("key"), reader.text("certificate"), reader.text("authorities"))
        reader.finish()
        guard let key, let certificate, let authorities else {
            faults.add(node.mark, "'tls' needs key, certificate and authorities")
            return nil
        }
        return OpenFlowConnections.TLS(key: key, certificate: certificate, authorities: authorities)
    }

    /// Names and numbers must be unique over ports and tunnels.
    private func checkUnique(_ reader: MappingReader, _ faults: FaultList) {
        var reader = reader
        var names: [String: Int] = [:]
        var numbers: [UInt32: String] = [:]
        for node in reader.list("ports") + reader.list("tunnels") {
            guard let mapping = node.mapping, let name = mapping["name"]?.scalar?.string else { continue }
            if let line = names[name] {
                faults.add(mapping["name"]?.mark, "the name '\(name)' is taken by the port of line \(line)")
            } else {
                names[name] = node.mark?.line ?? 0
            }
            guard let text = mapping["number"]?.scalar?.string, let number: UInt32 = MappingReader.integer(text) else { continue }
            if let other = numbers[number] {
                faults.add(mapping["number"]?.mark, "number \(number) is taken by the port '\(other)'")
            } else {
                numbers[number] = name
            }
        }
    }

    private static func port(_ node: Node, _ what: String, _ faults: FaultList) -> Port? {
        guard let mapping = node.mapping else {
            faults.add(node.mark, "\(what) must be a mapping with name and kind")
            return nil
        }
        var reader = MappingReader(mapping, what: what, faults: faults)
        let name = reader.value("name", "1 to 64 printable characters without spaces", portName)
        let number: UInt32? = reader.integer("number", 1...(ReservedPort.max - 1))
        let kinds = PortKind.allCases.filter { !$0.isTunnel }
        let kind = reader.choice("kind", kinds.map { ($0.rawValue, $0) })
        let device = reader.value("device", "a device name: 1 to 15 bytes without '/' and spaces", deviceName)
        let namespace = namespace(&reader)
        let mtu: Int? = reader.integer("mtu", 68...65535)
        let address = reader.value("mac", "an Ethernet address of one station like 02:00:00:00:00:01", stationAddress)
        let isPersistent = reader.bool("persist")
        let peer = reader.text("peer")
        let path = reader.value("path", "an absolute path of up to 107 bytes") {
            $0.hasPrefix("/") && $0.utf8.count <= ControlSocketPath.limit ? $0 : nil
        }
        let queueing = queueing(&reader, what)
        reader.finish()
        if name == nil, mapping["name"] == nil { faults.add(reader.mark, "\(what) has no name") }
        if kind == nil, mapping["kind"] == nil {
            faults.add(reader.mark, "\(what) has no kind: one of \(kinds.map(\.rawValue).joined(separator: ", "))")
        }
        guard let name, let kind else { return nil }
        for (key, isFor) in [
            ("mtu", [PortKind.tap]), ("mac", [.tap]), ("persist", [.tap]), ("device", [.tap, .packet, .xdp]), ("netns", [.tap, .packet, .xdp]),
            ("peer", [.patch]), ("path", [.service]),
        ] where mapping[key] != nil && !isFor.contains(kind) {
            faults.add(
                mapping[key]?.mark, "\(key) is for \(isFor.map(\.rawValue).joined(separator: ", ")) ports, and \(name) is a \(kind.rawValue) port")
        }
        if kind == .patch, peer == nil { faults.add(reader.mark, "\(what) is a patch port and has no peer, the name of its other end") }
        if kind == .service, path == nil, mapping["path"] == nil, name.contains("/") {
            faults.add(mapping["name"]?.mark, "'\(name)' cannot be a file's name; say where the service connects with path:")
        }
        if [.tap, .packet, .xdp].contains(kind), device == nil, mapping["device"] == nil, deviceName(name) == nil {
            faults.add(mapping["name"]?.mark, "'\(name)' cannot be a device's name (1 to 15 bytes without '/'); give the device with device:")
        }
        return Port(
            name: name, number: number, kind: kind, device: device, namespace: namespace, mtu: mtu, address: address,
            isPersistent: isPersistent ?? false, peer: peer, path: path, queueing: queueing)
    }

    private static func namespace(_ reader: inout MappingReader) -> String? {
        reader.value("netns", "a namespace's name without '/', or an absolute path") {
            !$0.isEmpty && (!$0.contains("/") || $0.hasPrefix("/")) ? $0 : nil
        }
    }

    private static func tunnel(_ node: Node, _ what: String, _ faults: FaultList) -> Tunnel? {
        guard let mapping = node.mapping else {
            faults.add(node.mark, "\(what) must be a mapping with name, kind and remote")
            return nil
        }
        var reader = MappingReader(mapping, what: what, faults: faults)
        let name = reader.value("name", "1 to 64 printable characters without spaces", portName)
        let number: UInt32? = reader.integer("number", 1...(ReservedPort.max - 1))
        let kind = reader.choice("kind", PortKind.allCases.filter(\.isTunnel).map { ($0.rawValue, $0) })
        let remote = reader.value("remote", "an IPv4 or IPv6 address, or flow") { $0 == "flow" || isAddress($0) ? $0 : nil }
        let local = reader.value("local", "an IPv4 or IPv6 address") { isAddress($0) ? $0 : nil }
        let namespace = namespace(&reader)
        let limit: UInt64 = kind == .gre ? 0xffff_ffff : 0xff_ffff
        let key = reader.value("key", "a number from 0 to \(limit), or flow") { text -> String? in
            if text == "flow" { return text }
            guard let number: UInt64 = MappingReader.integer(text), number <= limit else { return nil }
            return text
        }
        let destinationPort: UInt16? = reader.integer("port", 1...65535)
        let checksum = reader.bool("checksum")
        let ttl = reader.value("ttl", "a number from 1 to 255, or inherit") { inheritable($0, 1...255) }
        let tos = reader.value("tos", "a number from 0 to 255, or inherit") { inheritable($0, 0...255) }
        let dontFragment = reader.bool("dont-fragment")
        let hasSequence = reader.bool("sequence")
        let hasGroupPolicy = reader.bool("group-policy")
        let mtu: Int? = reader.integer("mtu", 68...65535)
        let liveness = liveness(&reader)
        let queueing = queueing(&reader, what)
        reader.finish()
        if remote == "flow", liveness != nil {
            faults.add(mapping["bfd"]?.mark, "bfd is for tunnels with one remote, and that of \(name ?? what) is flow")
        }
        for (key, value) in [("name", name as Any?), ("kind", kind), ("remote", remote)] where value == nil && mapping[key] == nil {
            faults.add(reader.mark, "\(what) has no \(key)")
        }
        if let kind, kind != .gre, let node = mapping["sequence"] { faults.add(node.mark, "sequence is for gre tunnels") }
        if let kind, kind != .vxlan, let node = mapping["group-policy"] { faults.add(node.mark, "group-policy is for vxlan tunnels") }
        if let kind, kind == .gre, let node = mapping["port"] { faults.add(node.mark, "port is for vxlan and geneve tunnels") }
        if let local, let remote, remote != "flow", (IPv4Address(local) == nil) != (IPv4Address(remote) == nil) {
            faults.add(mapping["local"]?.mark, "local '\(local)' and remote '\(remote)' are of different IP versions")
        }
        guard let name, let kind, let remote else { return nil }
        var tunnel = Tunnel(name: name, kind: kind, remote: remote)
        tunnel.number = number
        tunnel.local = local
        tunnel.namespace = namespace
        tunnel.key = key
        tunnel.destinationPort = destinationPort
        tunnel.checksum = checksum
        tunnel.ttl = ttl
        tunnel.tos = tos
        tunnel.dontFragment = dontFragment
        tunnel.hasSequence = hasSequence
        tunnel.hasGroupPolicy = hasGroupPolicy
        tunnel.mtu = mtu
        tunnel.liveness = liveness
        tunnel.queueing = queueing
        return tunnel
    }

    /// `bfd: true`, or a mapping of interval and multiplier.
    private static func liveness(_ reader: inout MappingReader) -> Liveness? {
        guard let node = reader.node("bfd") else { return nil }
        guard let mapping = node.mapping else { return reader.bool("bfd") == true ? Liveness() : nil }
        var inner = MappingReader(mapping, what: "bfd", faults: reader.faults)
        var out = Liveness()
        out.interval =
            inner.value("interval", "a time from 10 ms to 60 s") { text in
                nanoseconds(text, limit: LivenessConfiguration.intervals.upperBound).flatMap {
                    LivenessConfiguration.intervals.contains($0) ? $0 : nil
                }
            } ?? out.interval
        out.multiplier = inner.integer("multiplier", LivenessConfiguration.multipliers) ?? out.multiplier
        inner.finish()
        return out
    }

    /// `{file: PATH}`, a block of text, or a list of lines.
    private static func program(_ reader: inout MappingReader, _ key: String) -> Program? {
        guard let node = reader.node(key) else { return nil }
        let line = node.mark?.line ?? 0
        switch node {
        case .mapping(let mapping):
            var inner = MappingReader(mapping, what: key, faults: reader.faults)
            let file = inner.text("file")
            inner.finish()
            guard let file else {
                reader.faults.add(node.mark, "\(key) must be {file: PATH}, a block of text (\(key): |), or a list of lines")
                return nil
            }
            return .file(file, line: line)
        case .sequence(let sequence):
            // A line each, where they stand, so that what is wrong with one has its line.
            var text = ""
            var next = line
            for item in sequence {
                guard let scalar = item.scalar else {
                    reader.faults.add(item.mark, "\(key) must be a list of lines of text")
                    continue
                }
                let at = item.mark?.line ?? next
                if at > next { text += String(repeating: "\n", count: at - next) }
                next = max(at, next) + 1
                text += scalar.string.filter { $0 != "\n" } + "\n"
            }
            return .inline(text, line: line)
        case .scalar(let scalar):
            if scalar.style == .plain, !scalar.string.contains("=") {
                reader.faults.add(node.mark, "\(key) must be flow text, not '\(scalar.string)'; a file is given as {file: \(scalar.string)}")
                return nil
            }
            return .inline(scalar.string, line: scalar.style == .literal || scalar.style == .folded ? line + 1 : line)
        case .alias: return nil
        }
    }

    // MARK: - Values

    static func nanoseconds(_ text: String, limit: UInt64 = 10_000_000_000) -> UInt64? {
        for (unit, factor) in [("ns", UInt64(1)), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000)] where text.hasSuffix(unit) {
            guard let n = UInt64(text.dropLast(unit.count).trimmed), n <= limit / factor else { return nil }
            return n * factor
        }
        return text == "0" ? 0 : nil
    }

    static func portName(_ text: String) -> String? {
        (1...64).contains(text.utf8.count) && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value < 0x7f } ? text : nil
    }

    /// As the kernel checks them (dev_valid_name).
    static func deviceName(_ text: String) -> String? {
        (1...15).contains(text.utf8.count) && text != "." && text != ".." && !text.contains { $0 == "/" || $0 == ":" || $0.isWhitespace } ? text : nil
    }

    static func stationAddress(_ text: String) -> [UInt8]? {
        guard let address = MACAddress(text), !address.isGroup, address.bits != 0 else { return nil }
        return (0..<6).map { UInt8(truncatingIfNeeded: address.bits >> UInt64(40 - 8 * $0)) }
    }

    private static func isAddress(_ text: String) -> Bool { IPv4Address(text) != nil || IPv6Address(text) != nil }

    private static func inheritable(_ text: String, _ range: ClosedRange<Int>) -> String? {
        if text == "inherit" { return text }
        guard let number: Int = MappingReader.integer(text), range.contains(number) else { return nil }
        return text
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var s = self
        while s.last == " " { s.removeLast() }
        return s
    }
}
