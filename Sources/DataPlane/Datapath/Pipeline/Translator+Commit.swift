import Flow

/// Committing: what actions changed in the flow since the last time becomes operations on the packet.
///
/// The order is Open vSwitch's (`commit_odp_actions`): Ethernet, MPLS when it goes away, network, transport, ICMP, MPLS, VLAN. Only written bits are
/// emitted, with their mask; whether a write changes anything is left to the executor, so that no program depends on the values it overwrites.
extension Translator {
    func commit() {
        commitEthernet()
        let isLabelled = Self.isMPLS(baseEtherType)
        var labelsDone = false
        if isLabelled, !Self.isMPLS(etherType) {
            commitLabels()
            labelsDone = true
        }
        commitNetwork()
        commitTransport()
        if !labelsDone { commitLabels() }
        commitTags()
    }

    private func commitEthernet() {
        guard pending[1] >> 16 == 0xffff_ffff_ffff, pending[0] >> 16 == 0xffff_ffff_ffff else {
            emit(.ethernet, 0, ~0xffff, 1, ~0xffff)
            return
        }
        builder.append(ProgramOp.header(.addresses))
        builder.append((key[0] & ~0xffff | key[1] >> 48).bigEndian)
        builder.append(UInt64(UInt32(truncatingIfNeeded: key[1] >> 16).bigEndian))
        pending[0] &= 0xffff
        pending[1] &= 0xffff
    }

    private static func isMPLS(_ type: UInt64) -> Bool { type == FrameParser.EtherType.mpls || type == FrameParser.EtherType.mplsMulticast }

    /// Emits the pending bits of up to two words as one op, and takes them off the list.
    @inline(__always)
    private func emit(_ op: ProgramOp, a: UInt8 = 0, _ w0: Int, _ m0: UInt64, _ w1: Int = -1, _ m1: UInt64 = 0) {
        let p0 = pending[w0] & m0
        let p1 = w1 >= 0 ? pending[w1] & m1 : 0
        if p0 | p1 == 0 { return }
        var set: UInt16 = 0
        if p0 != 0 { set |= 1 << UInt16(w0) }
        if p1 != 0 { set |= 1 << UInt16(w1) }
        builder.append(ProgramOp.header(op, a: a, b: set))
        if p0 != 0 { emitWord(w0, p0) }
        if p1 != 0 { emitWord(w1, p1) }
    }

    @inline(__always) private func emitWord(_ word: Int, _ mask: UInt64) {
        builder.append(mask)
        builder.append(key[word] & mask)
        pending[word] &= ~mask
    }

    /// Emits the pending bits of several words, ascending, as one op.
    private func emit(_ op: ProgramOp, words: [(word: Int, mask: UInt64)]) {
        var set: UInt16 = 0
        for w in words where pending[w.word] & w.mask != 0 { set |= 1 << UInt16(w.word) }
        if set == 0 { return }
        builder.append(ProgramOp.header(op, b: set))
        for w in words where set >> UInt16(w.word) & 1 != 0 { emitWord(w.word, pending[w.word] & w.mask) }
    }

    private static let tosAndTTL: UInt64 = 0xff_ff00

    private func commitNetwork() {
        if baseEtherType == FrameParser.EtherType.backbone {
            emit(.backboneTag, FlowKeyLayout.ipv4, .max)
            return
        }
        // A flow without protocol has no valid network header to write to (or is ARP without an operation we know).
        let proto = key[FlowKeyLayout.transport] >> 24 & 0xff
        if proto == 0 { return }
        switch baseEtherType {
        case FrameParser.EtherType.ipv4:
            if pending[2] == 0, pending[3] & Self.tosAndTTL == 0xff00 {
                builder.append(ProgramOp.header(.timeToLive, a: UInt8(truncatingIfNeeded: key[3] >> 8)))
                pending[3] &= ~0xff00
            } else {
                emit(.ipv4, 2, .max, 3, Self.tosAndTTL)
            }
        case FrameParser.EtherType.ipv6:
            if (pending[3] & Self.tosAndTTL) | pending[5] | pending[6] | pending[7] | pending[8] | (pending[9] & ~0xffff_ffff) != 0 {
                emit(
                    .ipv6,
                    words: [(3, Self.tosAndTTL), (5, .max), (6, .max), (7, .max), (8, .max), (9, 0xf_ffff << 32)])
            }
            if proto == 58 {
                emit(.neighborDiscoveryExtensions, 13, 0xff00, 15, ~0xffff_ffff)
                emit(.neighborDiscovery, words: [(11, .max), (12, .max), (13, ~0xffff), (14, ~0xffff)])
            }
        case FrameParser.EtherType.arp:
            if pending[2] | (pending[3] & 0xff00_0000) | (pending[13] & ~0xffff) | pending[14] != 0 {
                emit(.arp, words: [(2, .max), (3, 0xff00_0000), (13, ~0xffff), (14, ~0xffff)])
            }
        default: break
        }
    }

    private func commitTransport() {
        let ports = pending[FlowKeyLayout.transport] & ~0xffff_ffff
        if ports == 0 { return }
        let proto = key[FlowKeyLayout.transport] >> 24 & 0xff
        let isIPv4 = baseEtherType == FrameParser.EtherType.ipv4
        guard isIPv4 || baseEtherType == FrameParser.EtherType.ipv6 else { return }
        switch proto {
        case 6, 17, 132: emit(.transport, a: UInt8(proto), FlowKeyLayout.transport, ~0xffff_ffff)
        case 1 where isIPv4: emit(.icmp, a: 4, FlowKeyLayout.transport, ~0xffff_ffff)
        case 58 where !isIPv4: emit(.icmp, a: 6, FlowKeyLayout.transport, ~0xffff_ffff)
        default: break
        }
    }

    private func commitTags() {
        guard tagsChanged else { return }
        tagsChanged = false
        let outer = key[FlowKeyLayout.ethSrcVLAN] & 0xffff
        let inner = key[FlowKeyLayout.inPortFlags] & 0xffff
        let kinds = key[FlowKeyLayout.arpSHA] & 3
        // Tags from the bottom up, with their kind; a word without the presence bit is no tag.
        let old = Self.tags(baseTags.outer, baseTags.inner, baseTags.kinds)
        let new = Self.tags(outer, inner, kinds)
        var common = 0
        while common < old.count, common < new.count, old[common] == new[common] { common += 1 }
        for _ in common..<max(common, old.count) {
            builder.append(ProgramOp.header(.popVLAN))
            grownBy -= 4
        }
        for tag in new[common...] {
            let tpid: UInt64 = tag >> 16 == 1 ? FrameParser.EtherType.serviceVLAN : FrameParser.EtherType.vlan
            builder.append(ProgramOp.header(.pushVLAN, b: UInt16(tag & 0xefff), c: UInt32(tpid)))
            grownBy += 4
        }
        baseTags = (outer, inner, kinds)
    }

    private static func tags(_ outer: UInt64, _ inner: UInt64, _ kinds: UInt64) -> [UInt64] {
        guard outer & 0x1000 != 0 else { return [] }
        let top = (kinds & 1) << 16 | outer
        return inner & 0x1000 != 0 ? [(kinds >> 1) << 16 | inner, top] : [top]
    }

    /// Brings the packet's label stack to the flow's with the fewest operations: labels that both have at the bottom stay.
    private func commitLabels() {
        guard labelsChanged || etherType != baseEtherType else { return }
        let first = key[FlowKeyLayout.labels] & 0xffff_ffff
        let more = key[FlowKeyLayout.mplsMore]
        let new = [first, more >> 32, more & 0xffff_ffff]
        let want = Self.labelCount(first: first, more: more, etherType: etherType)
        // All three entries, also those beyond the count: a zero entry above the bottom isn't counted, and what it hides comes up again when labels
        // are pushed or popped over it, so that a later commit may have to work on it.
        var old = [baseLabels.0, baseLabels.1 >> 32, baseLabels.1 & 0xffff_ffff]
        var have = Self.labelCount(first: baseLabels.0, more: baseLabels.1, etherType: baseEtherType)
        var common = 0
        while common < min(have, want), old[have - 1 - common] == new[want - 1 - common] { common += 1 }
        let type = etherType
        while have > common {
            if have - 1 == common, want > common {
                let entry = new[want - have]
                builder.append(ProgramOp.header(.setMPLS, c: UInt32(entry)))
                old[0] = entry
                common += 1
            } else {
                let inner = !Self.isMPLS(type) && have > 1 ? FrameParser.EtherType.mpls : type
                builder.append(ProgramOp.header(.popMPLS, b: UInt16(inner)))
                grownBy -= 4
                // Of three labels without a bottom the fourth is unknown; they stay as they were.
                if have < Limits.mplsLabels || old[2] & 0x100 != 0 {
                    for i in 1..<have { old[i - 1] = old[i] }
                    old[have - 1] = 0
                }
                have -= 1
            }
        }
        while have < want {
            let entry = new[want - have - 1]
            builder.append(ProgramOp.header(.pushMPLS, b: UInt16(type), c: UInt32(entry)))
            grownBy += 4
            for i in stride(from: have, to: 0, by: -1) { old[i] = old[i - 1] }
            old[0] = entry
            have += 1
        }
        baseLabels = (old[0], old[1] << 32 | old[2])
        labelsChanged = baseLabels != (first, more)
        baseEtherType = type
    }
}
