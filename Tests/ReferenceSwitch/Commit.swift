import Flow

/// The edits that turn a packet with the headers of `base` into one with those of `flow`; `base` becomes what the packet then is.
///
/// The order and the conditions are those of Open vSwitch's `commit_odp_actions`: what a field change does depends on the headers that the
/// packet has at that moment, not on those it had when the action ran.
func commit(_ flow: NaiveFlow, _ base: inout NaiveFlow) -> [PacketEdit] {
    var edits: [PacketEdit] = []
    func changed(_ field: Field) -> UInt64? { flow.key[field] == base.key[field] ? nil : flow.key[field] }

    let source = changed(.ethSrc)
    let destination = changed(.ethDst)
    if source != nil || destination != nil { edits.append(.ethernet(source: source, destination: destination)) }
    base.key[.ethSrc] = flow.key[.ethSrc]
    base.key[.ethDst] = flow.key[.ethDst]

    let labelsFirst = base.isMPLS && !flow.isMPLS
    if labelsFirst { commitLabels(flow, &base, &edits) }
    commitNetwork(flow, &base, &edits)
    commitPorts(flow, &base, &edits)
    commitICMP(flow, &base, &edits)
    if !labelsFirst { commitLabels(flow, &base, &edits) }
    commitTags(flow, &base, &edits)
    return edits
}

private func bytes(_ v: FieldValue) -> [UInt8] {
    var b = [UInt8](repeating: 0, count: 16)
    b.put64(v.high, at: 0)
    b.put64(v.low, at: 8)
    return b
}

/// Copies the fields to `base` and says whether any differed.
private func take(_ fields: [Field], _ flow: NaiveFlow, _ base: inout NaiveFlow) -> Bool {
    var differed = false
    for f in fields where flow.key.wide(f) != base.key.wide(f) {
        differed = true
        base.key.setWide(f, flow.key.wide(f))
    }
    return differed
}

private func commitNetwork(_ flow: NaiveFlow, _ base: inout NaiveFlow, _ edits: inout [PacketEdit]) {
    if flow.ipProtocol == 0 { return }
    let old = base
    func changed(_ f: Field) -> UInt64? { flow.key[f] == old.key[f] ? nil : flow.key[f] }
    let tosMask = base.pendingTOS | UInt8(flow.key[.ipTOS] ^ base.key[.ipTOS])
    let tos = tosMask == 0 ? nil : PacketEdit.Bits(value: UInt8(flow.key[.ipTOS]), mask: tosMask)
    func changedWide(_ f: Field) -> [UInt8]? { flow.key.wide(f) == old.key.wide(f) ? nil : bytes(flow.key.wide(f)) }

    switch base.etherType {
    case 0x0800:
        if take([.ipv4Src, .ipv4Dst, .ipTOS, .ipTTL], flow, &base) || tos != nil {
            base.pendingTOS = 0
            edits.append(
                .ipv4(
                    source: changed(.ipv4Src).map { UInt32($0) }, destination: changed(.ipv4Dst).map { UInt32($0) },
                    tos: tos, ttl: changed(.ipTTL).map { UInt8($0) }))
        }
    case 0x86dd:
        if take([.ipv6Src, .ipv6Dst, .ipTOS, .ipTTL, .ipv6Label], flow, &base) || tos != nil {
            base.pendingTOS = 0
            edits.append(
                .ipv6(
                    source: changedWide(.ipv6Src), destination: changedWide(.ipv6Dst), tos: tos,
                    label: changed(.ipv6Label).map { UInt32($0) }, hopLimit: changed(.ipTTL).map { UInt8($0) }))
        }
        if base.ipProtocol == 58 {
            if take([.ndReserved, .ndOptionsType], flow, &base) {
                edits.append(
                    .neighborExtensions(reserved: changed(.ndReserved).map { UInt32($0) }, optionType: changed(.ndOptionsType).map { UInt8($0) }))
            }
            if take([.ndTarget, .ndSLL, .ndTLL], flow, &base) {
                edits.append(.neighbor(.init(target: changedWide(.ndTarget), source: changed(.ndSLL), targetMAC: changed(.ndTLL))))
            }
        }
    case 0x0806:
        if take([.ipProto, .arpSPA, .arpTPA, .arpSHA, .arpTHA], flow, &base) {
            edits.append(
                .arp(
                    .init(
                        operation: changed(.ipProto).map { UInt16($0) }, senderIP: changed(.arpSPA).map { UInt32($0) },
                        targetIP: changed(.arpTPA).map { UInt32($0) }, senderMAC: changed(.arpSHA), targetMAC: changed(.arpTHA))))
        }
    default: break
    }
}

private func commitPorts(_ flow: NaiveFlow, _ base: inout NaiveFlow, _ edits: inout [PacketEdit]) {
    guard base.isIP, [6, 17, 132].contains(flow.ipProtocol) else { return }
    let old = base
    if take([.tcpSrc, .tcpDst], flow, &base) {
        let source = flow.key[.tcpSrc] == old.key[.tcpSrc] ? nil : UInt16(flow.key[.tcpSrc])
        let destination = flow.key[.tcpDst] == old.key[.tcpDst] ? nil : UInt16(flow.key[.tcpDst])
        edits.append(.ports(protocol: flow.ipProtocol, source: source, destination: destination))
    }
}

private func commitICMP(_ flow: NaiveFlow, _ base: inout NaiveFlow, _ edits: inout [PacketEdit]) {
    guard (flow.isIPv4 && flow.ipProtocol == 1) || flow.isICMPv6 else { return }
    if take([.icmpType, .icmpCode], flow, &base) {
        edits.append(.icmp(type: UInt8(flow.key[.icmpType]), code: UInt8(flow.key[.icmpCode])))
    }
}

private func commitLabels(_ flow: NaiveFlow, _ base: inout NaiveFlow, _ edits: inout [PacketEdit]) {
    var have = base.labelCount
    let want = flow.labelCount
    var common = 0
    while common < min(have, want), flow.label(want - 1 - common) == base.label(have - 1 - common) { common += 1 }

    while have > common {
        if have - 1 == common && want > common {
            let entry = flow.label(want - have)
            edits.append(.setLabel(entry))
            base.setLabel(0, entry)
            common += 1
        } else {
            // Between two labels the type must stay an MPLS one.
            edits.append(.popLabel(etherType: !flow.isMPLS && have > 1 ? 0x8847 : flow.etherType))
            _ = base.popLabel(etherType: flow.etherType, of: have)
            have -= 1
        }
    }
    while have < want {
        let entry = flow.label(want - have - 1)
        edits.append(.pushLabel(etherType: flow.etherType, entry: entry))
        base.pushLabel(etherType: flow.etherType, over: have, clearingNetworkLayer: false)
        base.setLabel(0, entry)
        have += 1
    }
}

private func commitTags(_ flow: NaiveFlow, _ base: inout NaiveFlow, _ edits: inout [PacketEdit]) {
    var have = base.tagCount - 1
    var want = flow.tagCount - 1
    while have >= 0, want >= 0, base.tag(have) == flow.tag(want), base.tagProtocols[have] == flow.tagProtocols[want] {
        have -= 1
        want -= 1
    }
    while have >= 0 {
        edits.append(.popTag)
        have -= 1
    }
    while want >= 0 {
        edits.append(.pushTag(protocol: flow.tagProtocols[want], tci: flow.tag(want)))
        want -= 1
    }
    for i in 0..<2 {
        base.setTag(i, flow.tag(i))
        base.tagProtocols[i] = flow.tagProtocols[i]
    }
}
