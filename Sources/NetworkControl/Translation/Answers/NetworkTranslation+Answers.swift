import Flow
import LogicalNetwork

/// A frame that answers a packet which entries handed to the controller, and where it goes on: at a stage, with the registers in `metadata`.
public struct ControllerAnswer: Sendable {
    public var frame: [UInt8]
    public var metadata: FlowKey
    public var stage: Stage

    public init(frame: [UInt8], metadata: FlowKey, stage: Stage) {
        self.frame = frame
        self.metadata = metadata
        self.stage = stage
    }

    /// What the forwarding element that handed the packet over does with the answer.
    public var actions: [Action] { [.resubmit(inPort: nil, table: stage.rawValue)] }
}

extension NetworkTranslation {
    /// The answer in the name of a router or an access rule (A-069, project decision 6); nil when there is none to give.
    ///
    /// A function of the packet and the network; limiting how many answers are given is the caller's (RFC 1812 §4.3.2.8).
    /// - Parameters:
    ///   - metadata: the registers with which the packet came.
    ///   - userdata: what the entry said (`ControllerRequest`).
    public func answer(to frame: [UInt8], metadata: FlowKey, userdata: [UInt8]) -> ControllerAnswer? {
        guard let request = userdata.first.flatMap(ControllerRequest.init(rawValue:)), let original = OriginalPacket(frame: frame) else { return nil }
        let datapath = metadata[RegisterMap.datapath.bits.field] & RegisterMap.datapath.largest
        let ingress = metadata[RegisterMap.ingressPort.bits.field]
        let isRouter = SwitchShape.ofRouters.contains { control.routers.contains([datapath, $0.rawValue]) }
        // What is of one link is not routed (RFC 4291 §2.5.6): it goes back by the port that the packet came by, as from a switch.
        let isRouted = isRouter && !original.source.isLinkLocal
        // One more than when it leaves.
        let ttl: UInt8 = isRouted ? 65 : 64
        let packet: [UInt8]?
        switch request {
        case .reject:
            packet =
                original.transport == 6
                ? AnswerPacket.reset(about: original, ttl: ttl)
                : AnswerPacket.error(.prohibited, about: original, from: original.destination, ttl: ttl)
        case .timeExceeded, .noRoute:
            guard let address = address(of: ingress, on: datapath, towards: original.source) else { return nil }
            packet = AnswerPacket.error(request == .noRoute ? .noRoute : .timeExceeded, about: original, from: address, ttl: ttl)
        }
        guard let packet else { return nil }
        func octets(_ mac: UInt64) -> [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: mac >> UInt64(40 - 8 * $0)) } }
        let type: [UInt8] = original.source.family == .ipv4 ? [0x08, 0x00] : [0x86, 0xdd]
        var registers = FlowKey()
        registers[RegisterMap.datapath.bits.field] = datapath
        registers[RegisterMap.ingressPort.bits.field] = ingress
        if !isRouted {
            registers[RegisterMap.egressPort.bits.field] = ingress
            registers[RegisterMap.stage.bits.field] = UInt64(Stage.egressMapping.rawValue) << UInt64(RegisterMap.stage.bits.offset)
        }
        return ControllerAnswer(
            frame: octets(original.ethernetSource) + octets(original.ethernetDestination) + type + packet, metadata: registers,
            stage: isRouted ? .routing : .egressMapping)
    }

    /// The address with which a router port speaks to a machine: of the same subnet if it has one, else its first.
    private func address(of port: UInt64, on datapath: UInt64, towards other: IPAddress) -> IPAddress? {
        var own: [AddressPrefix] = []
        control.portAddresses.forEach(addressesByPort, [datapath, port]) { row in
            guard row[2] == other.family.rawValue else { return }
            own.append(AddressPrefix(IPAddress(family: other.family, high: row[3], low: row[4]), length: Int(row[5])))
        }
        own.sort {
            ($0.address.isLinkLocal ? 1 : 0, $0.address.high, $0.address.low) < ($1.address.isLinkLocal ? 1 : 0, $1.address.high, $1.address.low)
        }
        return (own.first { $0.contains(other) } ?? own.first)?.address
    }
}

extension ControllerAnswer {
    /// What a packet-out that gives the answer to a forwarding element does: the registers, then the stage.
    public var packetOutActions: [Action] {
        let places = [RegisterMap.datapath, RegisterMap.ingressPort, RegisterMap.egressPort, RegisterMap.stage]
        return places.compactMap { place in
            let value = metadata[place.bits.field] >> UInt64(place.bits.offset) & FieldValue.ones(place.bits.count).low
            return value == 0 ? nil : .load(FieldValue(low: value), place.bits)
        } + actions
    }
}
