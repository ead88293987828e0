import Flow

/// An action program in words, one line per operation, for traces.
struct ProgramText {
    struct Line: Sendable, Equatable {
        /// Nesting of copies, from 0.
        var depth: Int
        var text: String
    }

    let ports: PortRegistry
    let effects: EffectStore
    private(set) var lines: [Line] = []

    init(ports: PortRegistry, effects: EffectStore) {
        self.ports = ports
        self.effects = effects
    }

    /// Appends the lines of the program that begins at `start`, up to its end.
    mutating func append(_ start: UnsafePointer<UInt64>, depth: Int = 0) {
        var at = start
        while true {
            let op = ProgramOp(rawValue: UInt8(truncatingIfNeeded: at[0]))!
            if op == .end { return }
            append(op, at, depth)
            at += ProgramExecutor.size(of: op, at)
        }
    }

    private mutating func append(_ op: ProgramOp, _ at: UnsafePointer<UInt64>, _ depth: Int) {
        let a = UInt8(truncatingIfNeeded: at[0] >> 8)
        let b = UInt16(truncatingIfNeeded: at[0] >> 16)
        let c = UInt32(truncatingIfNeeded: at[0] >> 32)
        func say(_ text: String) { lines.append(Line(depth: depth, text: text)) }
        switch op {
        case .end: break
        case .output: say("send on port \(port(c))")
        case .outputTruncated: say("send the first \(at[1] & 0xffff_ffff) bytes on port \(port(c))")
        case .outputQueued:
            say("send \(at[2] == 0 ? "" : "the first \(at[2] & 0xffff_ffff) bytes ")on port \(port(c)), queue \(at[1])")
        case .tunnel: say("leave with the tunnel fields \(tunnelFields(c, at))")
        case .controller: say(c == 0xffff ? "hand to the controller" : "hand the first \(c) bytes to the controller")
        case .route:
            say(addresses(at))
            say("set nw_ttl=\(a)")
            say("send on port \(port(c))")
        case .addresses: say(addresses(at))
        case .timeToLive: say("set nw_ttl=\(a)")
        case .ethernet: say(sets(at, b, [.ethDst, .ethSrc]))
        case .ipv4: say(sets(at, b, [.ipv4Src, .ipv4Dst, .ipTOS, .ipTTL]))
        case .ipv6: say(sets(at, b, [.ipv6Src, .ipv6Dst, .ipTOS, .ipTTL, .ipv6Label]))
        case .transport: say(sets(at, b, [.tcpSrc, .tcpDst]).replacing("tcp_", with: "tp_"))
        case .icmp: say(sets(at, b, [.icmpType, .icmpCode]))
        case .arp: say(sets(at, b, [.arpOp, .arpSPA, .arpTPA, .arpSHA, .arpTHA]))
        case .neighborDiscovery: say(sets(at, b, [.ndTarget, .ndSLL, .ndTLL]))
        case .neighborDiscoveryExtensions: say(sets(at, b, [.ndReserved, .ndOptionsType]))
        case .popVLAN: say("pop the outer VLAN tag")
        case .pushVLAN:
            say("push VLAN tag \(b & 0xfff)\(b >> 13 == 0 ? "" : ", priority \(b >> 13)") (type 0x\(String(c, radix: 16)))")
        case .setMPLS: say("set MPLS \(label(c))")
        case .pushMPLS: say("push MPLS \(label(c)) (type 0x\(String(b, radix: 16)))")
        case .popMPLS: say("pop the outer MPLS label (type becomes 0x\(String(b, radix: 16)))")
        case .copyTTLOut: say("copy the TTL below the label to the label")
        case .copyTTLIn: say("copy the label's TTL to the header below")
        case .backboneTag: say(sets(at, b, [.pbbISID, .pbbUCA]))
        case .pushPBB: say("push a backbone header, I-SID \(c & 0xff_ffff) (type 0x\(String(b, radix: 16)))")
        case .popPBB: say("pop the backbone header")
        case .setKind: say("set \(["eth_type", "nw_proto", "mpls_bos"][Int(a)]) to \(a == 0 ? "0x\(String(b, radix: 16))" : "\(b)")")
        case .meter: say("pass meter \(c), or end here")
        case .clone:
            say("on a copy:")
            append(at + 1, depth: depth + 1)
        case .recirculate: say("parse the packet anew and continue (recirculate)")
        case .effect:
            switch effects[c] {
            case .learn(let entry, _): say("learn \(FlowText.text(entry))")
            case .reduceTimeouts(_, _, let idle, let hard): say("lower the entry's time-outs to idle \(idle) s, hard \(hard) s")
            case nil: break
            }
        case .learnAddress:
            let mac = FlowText.valueText(.ethSrc, FieldValue(low: at[1] & 0xffff_ffff_ffff))
            say("learn that \(mac), VLAN \(at[1] >> 48), is on port \(FlowText.portText(c))")
        case .drop: say("drop: \(DropReason(rawValue: a)?.name ?? String(a))")
        }
    }

    /// Whole Ethernet addresses, as they lie in memory.
    private func addresses(_ at: UnsafePointer<UInt64>) -> String {
        let first = UInt64(bigEndian: at[1])
        let source = first << 32 & 0xffff_0000_0000 | UInt64(UInt32(bigEndian: UInt32(truncatingIfNeeded: at[2])))
        return "set \(FlowText.text(.ethDst, FieldValue(low: first >> 16), mask: nil)), \(FlowText.text(.ethSrc, FieldValue(low: source), mask: nil))"
    }

    private func tunnelFields(_ set: UInt32, _ at: UnsafePointer<UInt64>) -> String {
        var match = Match()
        var operand = at + 1
        for (bit, w) in FlowKeyLayout.tunnelWords.enumerated() where set >> UInt32(bit) & 1 != 0 {
            match.require(word: w, mask: .max, value: operand[0])
            operand += 1
        }
        let parts = Field.allCases.compactMap { field -> String? in
            guard FlowKeyLayout.tunnelWords.contains(field.info.word) else { return nil }
            let (value, mask) = match.requirement(on: field)
            return mask.isZero || value.isZero ? nil : FlowText.text(field, value, mask: nil)
        }
        return parts.isEmpty ? "as they are" : parts.joined(separator: ", ")
    }

    private func port(_ index: UInt32) -> String { FlowText.portText(ports.number(at: Int(index))) }

    private func label(_ entry: UInt32) -> String {
        "label \(entry >> 12), class \(entry >> 9 & 7), bottom \(entry >> 8 & 1), TTL \(entry & 0xff)"
    }

    private func sets(_ at: UnsafePointer<UInt64>, _ words: UInt16, _ fields: [Field]) -> String {
        var match = Match()
        var operand = at + 1
        for w in 0..<16 where words >> UInt16(w) & 1 != 0 {
            match.require(word: w, mask: operand[0], value: operand[1])
            operand += 2
        }
        let parts = fields.compactMap { field -> String? in
            let (value, mask) = match.requirement(on: field)
            return mask.isZero ? nil : FlowText.text(field, value, mask: mask)
        }
        return "set " + parts.joined(separator: ", ")
    }
}
