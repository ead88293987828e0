import Wire

extension NetworkValidation {
    mutating func checkSwitch(_ s: LogicalSwitch, in scope: TenantScope) {
        checkNames("port", s.ports.map { ($0.name, $0.place) })
        for port in s.ports { checkPort(port) }
        // B83: between two routers on it, packets would have to walk through it where nothing of it is.
        if s.placement == .lastHop, let second = scope.routerPorts[s.name]?.dropFirst().first {
            fault(
                s.place,
                "switch \(s.name): with 'placement: last-hop' it has one router; port \(second.port.name) of router \(second.router.name) is a second"
            )
        }
        for port in s.ports { checkAttachment(port, "port \(port.name)") }
        checkAddresses(s, scope)
        checkSubnets(s, scope)
        checkAccess(s.access, of: "switch \(s.name)", ports: Set(s.ports.map(\.name)), in: scope)
    }

    private mutating func checkPort(_ port: SwitchPort) {
        let what = "port \(port.name)"
        if let mac = port.mac {
            if mac.isGroup { fault(port.place, "\(what): \(mac) is a group address") }
            if mac.bits == 0 { fault(port.place, "\(what): \(mac) is no address") }
        } else if !port.isUplink {
            fault(port.place, "\(what) has no mac")
        }
        if port.isUplink {
            if port.mac != nil || !port.addresses.isEmpty { fault(port.place, "\(what) is an uplink: no one mac or address is behind it") }
            if port.host == nil { fault(port.place, "\(what) is an uplink and has no host") }
        }
        for address in port.addresses where !address.isOfOneMachine { fault(port.place, "\(what): \(address) is no address of one machine") }
        if let host = port.host, !hostNames.contains(host) { fault(port.place, "\(what): there is no host '\(host)'") }
        if let attachment = port.attachment, port.host == nil { fault(port.place, "\(what) is attached to '\(attachment.name)' but has no host") }
    }

    /// What the kernel takes for the name of a device or namespace.
    mutating func checkAttachment(_ port: SwitchPort, _ what: String) {
        guard let attachment = port.attachment else { return }
        let name = attachment.name
        if case .namespace = attachment {
            if name.isEmpty { fault(port.place, "\(what): a namespace has a name") }
            if port.name.utf8.count > NetworkLimits.deviceNameLength {
                fault(
                    port.place, "\(what): a device in a namespace has the port's name, of \(NetworkLimits.deviceNameLength) characters at most")
            }
        } else if name.isEmpty || name.utf8.count > NetworkLimits.deviceNameLength {
            fault(port.place, "\(what): '\(name)' is no device name: 1 to \(NetworkLimits.deviceNameLength) characters")
        }
        if name.isEmpty { return }
        if name == "." || name == ".." || name.contains(where: { $0 == "/" || $0.isWhitespace || $0.asciiValue.map { $0 < 0x20 } ?? false }) {
            fault(port.place, "\(what): '\(name)' is no name of a device or namespace: no '/', no spaces, not '.' or '..'")
        }
    }

    /// Machines are not where a router's subnet begins or ends, and routers on the switch agree on the subnets there.
    private mutating func checkSubnets(_ s: LogicalSwitch, _ scope: TenantScope) {
        var earlier: [(prefix: AddressPrefix, owner: String)] = []
        for (router, port) in scope.routerPorts[s.name] ?? [] {
            let owner = "port \(port.name) of router \(router.name)"
            for prefix in port.addresses where !prefix.address.isLinkLocal {
                // Ports of one router are compared with each other already.
                if let other = earlier.first(where: {
                    $0.prefix.overlaps(prefix) && $0.prefix.subnet != prefix.subnet && !$0.owner.hasSuffix(" of router \(router.name)")
                }) {
                    fault(
                        port.place, "\(owner): subnet \(prefix.subnet) overlaps \(other.prefix.subnet) of \(other.owner) on switch \(s.name)")
                }
                earlier.append((prefix, owner))
            }
        }
        let subnets = Dictionary(earlier.map { ($0.prefix.subnet, $0.owner) }, uniquingKeysWith: { a, _ in a })
        for (subnet, owner) in subnets.sorted(by: { $0.value < $1.value }) where subnet.address.family == .ipv4 && subnet.length < 31 {
            for port in s.ports {
                for address in port.addresses where subnet.contains(address) {
                    if address == subnet.address {
                        fault(port.place, "port \(port.name): \(address) is the address of the subnet \(subnet) itself, of \(owner)")
                    } else if address == subnet.last {
                        fault(port.place, "port \(port.name): \(address) is the broadcast address of \(subnet), of \(owner)")
                    }
                }
            }
        }
    }

    /// MACs and addresses on a switch, those of router ports and neighbours included, are each of one owner.
    private mutating func checkAddresses(_ s: LogicalSwitch, _ scope: TenantScope) {
        var macs: [MACAddress: String] = [:]
        var addresses: [IPAddress: String] = [:]
        func claim(_ mac: MACAddress?, _ owned: [IPAddress], _ owner: String, _ place: Place) {
            if let mac, let other = macs.updateValue(owner, forKey: mac) {
                fault(place, "\(owner) has the mac \(mac) of \(other) on switch \(s.name)")
            }
            for address in owned {
                if let other = addresses.updateValue(owner, forKey: address) {
                    fault(place, "\(owner) has the address \(address) of \(other) on switch \(s.name)")
                }
            }
        }
        for port in s.ports { claim(port.mac, port.addresses, "port \(port.name)", port.place) }
        for (router, port) in scope.routerPorts[s.name] ?? [] {
            claim(port.mac, port.addresses.map(\.address), "port \(port.name) of router \(router.name)", port.place)
        }
        for neighbor in s.neighbors {
            if neighbor.mac.isGroup { fault(neighbor.place, "neighbor \(neighbor.address): \(neighbor.mac) is a group address") }
            if neighbor.mac.bits == 0 { fault(neighbor.place, "neighbor \(neighbor.address): \(neighbor.mac) is no address") }
            if !neighbor.address.isOfOneMachine { fault(neighbor.place, "neighbor \(neighbor.address) is no address of one machine") }
            claim(nil, [neighbor.address], "neighbor \(neighbor.address)", neighbor.place)
        }
        if !s.neighbors.isEmpty, !s.ports.contains(where: \.isUplink) {
            fault(s.neighbors[0].place, "switch \(s.name) has neighbors but no uplink port behind which they are")
        }
        if s.ports.count(where: \.isUplink) > 1 {
            fault(s.place, "switch \(s.name) has more than one uplink: frames could go round in the external network")
        }
    }
}
