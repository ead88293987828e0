import CLinux
import Flow
#if canImport(Glibc)
    import Glibc
#endif

/// Stable hashes of a flow, and the actions that choose by them: `multipath`, `bundle`, and select groups.
///
/// The hash functions are Weft's own: which link a flow takes differs from Open vSwitch, that it keeps it does not.
extension Translator {
    func logarithm(_ x: Double) -> Double { log(x) }

    /// A hash that is the same in both directions: addresses and ports are combined before they are hashed.
    func symmetricHash(layer4: Bool, udp: Bool = true, layer2: Bool = true, basis: UInt64) -> UInt32 {
        var h = weft_hash_step(0x243f_6a88, basis)
        if layer2 {
            read(FlowKeyLayout.ethDstType, .max)
            read(FlowKeyLayout.ethSrcVLAN, ~0xffff)
            h = weft_hash_step(h, key[FlowKeyLayout.ethDstType] >> 16 ^ key[FlowKeyLayout.ethSrcVLAN] >> 16)
        }
        let type = etherType
        h = weft_hash_step(h, type)
        let isIP = type == FrameParser.EtherType.ipv4 || type == FrameParser.EtherType.ipv6
        if type == FrameParser.EtherType.ipv4 {
            read(FlowKeyLayout.ipv4, .max)
            h = weft_hash_step(h, key[FlowKeyLayout.ipv4] >> 32 ^ key[FlowKeyLayout.ipv4] & 0xffff_ffff)
        } else if type == FrameParser.EtherType.ipv6 {
            for w in 5...8 { read(w, .max) }
            h = weft_hash_step(h, key[5] ^ key[7])
            h = weft_hash_step(h, key[6] ^ key[8])
        }
        let proto = key[FlowKeyLayout.transport] >> 24 & 0xff
        if isIP { h = weft_hash_step(h, proto) }
        if layer4, isIP, proto == 6 || proto == 132 || (udp && proto == 17) {
            read(FlowKeyLayout.transport, ~0xffff_ffff)
            h = weft_hash_step(h, key[FlowKeyLayout.transport] >> 48 ^ key[FlowKeyLayout.transport] >> 32 & 0xffff)
        }
        return weft_hash_finish(h)
    }

    func fieldHash(_ fields: [Field], basis: UInt64) -> UInt32 {
        var h = weft_hash_step(0x243f_6a88, basis)
        for f in fields where satisfies(f.info.prerequisite.code) {
            let i = f.info
            if i.bits > 64 {
                read(i.word, .max)
                h = weft_hash_step(h, key[i.word])
            }
            let mask = i.lowMask << UInt64(i.shift)
            read(i.lowWord, mask)
            h = weft_hash_step(h, key[i.lowWord] & mask)
        }
        return weft_hash_finish(h)
    }

    private func hash(_ fields: HashFields, basis: UInt16) -> UInt32 {
        let basis = UInt64(basis)
        switch fields {
        case .ethSrc: return fieldHash([.ethSrc], basis: basis)
        case .nwSrc: return fieldHash([.ipv4Src, .ipv6Src], basis: basis)
        case .nwDst: return fieldHash([.ipv4Dst, .ipv6Dst], basis: basis)
        case .symmetricL4: return symmetricHash(layer4: true, basis: basis)
        case .symmetricL3L4: return symmetricHash(layer4: true, udp: false, layer2: false, basis: basis)
        case .symmetricL3L4UDP: return symmetricHash(layer4: true, layer2: false, basis: basis)
        case .symmetricL3: return symmetricHash(layer4: false, layer2: false, basis: basis)
        }
    }

    func multipath(_ side: UInt32) {
        guard case .action(.multipath(let fields, let basis, let algorithm, let links, let argument, let to)) = tables.sides[side] else { return }
        let h = hash(fields, basis: basis)
        let n = max(links, 1)
        let link: UInt32
        switch algorithm {
        case .moduloN: link = h % n
        case .hashThreshold: link = n == 1 ? 0 : min(h / (UInt32.max / n), n - 1)
        case .hrw: link = highestRandomWeight(h, n)
        case .iterHash:
            // Probes until the link is below n; the argument bounds the range (ovs-actions(7)).
            var probe: UInt32 = 0
            var candidate: UInt32
            let range = max(argument, n)
            repeat {
                candidate = weft_hash_finish(weft_hash_step(UInt64(h), UInt64(probe))) % range
                probe += 1
            } while candidate >= n && probe < 8
            link = candidate < n ? candidate : h % n
        }
        store(UInt64(link), to)
    }

    func bundle(_ side: UInt32) {
        guard case .action(.bundle(let fields, let basis, let algorithm, let members, let to)) = tables.sides[side] else { return }
        let live = members.filter { tables.ports.isAttached($0) }
        let port: UInt32?
        switch algorithm {
        case .activeBackup: port = live.first
        case .hrw:
            let h = hash(fields, basis: basis)
            port = live.isEmpty ? nil : live[Int(highestRandomWeight(h, UInt32(live.count)))]
        }
        if let to {
            store(UInt64(port ?? 0xffff), to)
        } else if let port {
            output(port)
        }
    }

    private func highestRandomWeight(_ hash: UInt32, _ n: UInt32) -> UInt32 {
        var best: UInt32 = 0
        var bestScore: UInt32 = 0
        for i in 0..<n {
            let score = weft_hash_finish(weft_hash_step(UInt64(hash) &* 0x9E37_79B9_7F4A_7C15, UInt64(i) &+ 1))
            if i == 0 || score > bestScore {
                best = i
                bestScore = score
            }
        }
        return best
    }

    /// Writes a right-aligned value to a subfield of at most 64 bits.
    func store(_ value: UInt64, _ to: Subfield) {
        var shift: UInt64 = 0
        for chunk in ActionCompiler.chunks(to) {
            let (word, at, n) = (Int(chunk & 0xff), chunk >> 8 & 0xff, chunk >> 16 & 0xff)
            let mask = n == 64 ? UInt64.max : (1 << n) - 1
            writeField(word, mask: mask << at, value: (shift < 64 ? value >> shift & mask : 0) << at, chunk: chunk)
            shift += n
        }
    }
}
