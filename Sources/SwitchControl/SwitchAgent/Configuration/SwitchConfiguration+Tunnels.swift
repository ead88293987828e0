import Ports

extension SwitchConfiguration.Tunnel {
    /// What the tunnel's port is made of. The texts were checked when they were read.
    func portConfiguration(number: UInt32) -> TunnelConfiguration {
        func byte(_ text: String?, else standard: TunnelConfiguration.Inheritable) -> TunnelConfiguration.Inheritable {
            guard let text else { return standard }
            return text == "inherit" ? .inherit : MappingReader.integer(text).map(TunnelConfiguration.Inheritable.fixed) ?? standard
        }
        let key: TunnelConfiguration.Key
        switch self.key {
        case nil: key = .none
        case "flow": key = .flow
        case let text?: key = MappingReader.integer(text).map(TunnelConfiguration.Key.fixed) ?? .none
        }
        var out = TunnelConfiguration(
            kind: kind, number: number, name: name, remote: TunnelAddress(remote).map(TunnelConfiguration.Remote.address) ?? .flow, key: key,
            local: local.flatMap { TunnelAddress($0) }, destinationPort: destinationPort)
        if let checksum { out.checksum = checksum ? .on : .off }
        out.ttl = byte(ttl, else: out.ttl)
        out.tos = byte(tos, else: out.tos)
        out.dontFragment = dontFragment ?? out.dontFragment
        out.hasSequence = hasSequence ?? false
        out.hasGroupPolicy = hasGroupPolicy ?? false
        out.mtu = mtu
        out.liveness = liveness.map { LivenessConfiguration(interval: $0.interval, multiplier: $0.multiplier) }
        return out
    }
}
