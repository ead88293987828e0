/// VXLAN, Geneve and GRE, and the Ethernet frames they carry.
extension Dissector {
    /// The tunnel that a UDP destination port announces; false when it announces none.
    mutating func tunnel(_ frame: RawSpan, _ range: Range<Int>, port: UInt16) -> Bool {
        guard port == VXLAN.port || port == Geneve.port else { return false }
        guard canNest(frame, range) else { return true }
        say(", ")
        if port == VXLAN.port { vxlan(frame, range) } else { geneve(frame, range) }
        return true
    }

    private mutating func vxlan(_ frame: RawSpan, _ range: Range<Int>) {
        let view: VXLAN.View
        do { view = try VXLAN.View(frame.extracting(range)) } catch { return failed(.vxlan, "VXLAN", error, frame, range) }
        var layer = layer(.vxlan, "VXLAN", at: range, size: VXLAN.headerSize)
        layer.add("vni", "\(view.identifier)", at: VXLAN.Offset.identifier, size: 3)
        layer.add("flags", hex(view.flags, 2), at: VXLAN.Offset.flags, size: 1)
        if view.hasGroup {
            layer.add("group", "\(view.group)", at: VXLAN.Offset.group, size: 2)
            layer.add("policy flags", hex(view.policyFlags, 2), at: VXLAN.Offset.policyFlags, size: 1)
        }
        if !view.hasIdentifier { layer.problems.append("the I flag is not set") }
        if view.hasReservedBits { layer.problems.append("reserved bits are set") }
        layers.append(layer)
        say("VXLAN, vni \(view.identifier): ")
        inner(frame, (range.lowerBound + VXLAN.headerSize)..<range.upperBound, type: EtherType.transparentEthernet)
    }

    private mutating func geneve(_ frame: RawSpan, _ range: Range<Int>) {
        let view: Geneve.View
        do { view = try Geneve.View(frame.extracting(range)) } catch { return failed(.geneve, "Geneve", error, frame, range) }
        var layer = layer(.geneve, "Geneve", at: range, size: view.headerLength)
        layer.add("vni", "\(view.identifier)", at: Geneve.Offset.identifier, size: 3)
        layer.add(
            "protocol", named(hex(view.protocolType, 4), EtherType.name(view.protocolType)), at: Geneve.Offset.protocolType, size: 2)
        if view.isControl { layer.add("control", "1", at: Geneve.Offset.flags, size: 1) }
        if view.hasCriticalOptions { layer.add("critical", "1", at: Geneve.Offset.flags, size: 1) }
        let (options, isMalformed) = Geneve.Option.parse(view.options)
        var offset = Geneve.Offset.options
        for option in options {
            let content = option.content.map { hex($0, 2).dropFirst(2) }.joined()
            layer.add(
                "option", "class \(hex(option.optionClass, 4)) type \(hex(option.type, 2))\(option.isCritical ? " critical" : ""): \(content)",
                at: offset, size: option.size)
            offset += option.size
        }
        if isMalformed { layer.problems.append("malformed option after \(count(options.count, "option"))") }
        if view.hasReservedBits { layer.problems.append("reserved bits are set") }
        if view.hasCriticalOptions != options.contains(where: \.isCritical), !isMalformed {
            layer.problems.append("the C flag does not tell whether an option is critical")
        }
        layers.append(layer)
        say("Geneve, vni \(view.identifier)\(options.isEmpty ? "" : ", \(count(options.count, "option"))"): ")
        inner(frame, (range.lowerBound + view.headerLength)..<range.upperBound, type: view.protocolType)
    }

    mutating func gre(_ frame: RawSpan, _ range: Range<Int>) {
        let packet = frame.extracting(range)
        let view: GRE.View
        do { view = try GRE.View(packet) } catch { return failed(.gre, "GRE", error, frame, range) }
        var layer = layer(.gre, "GRE", at: range, size: view.headerLength)
        layer.add("protocol", named(hex(view.protocolType, 4), EtherType.name(view.protocolType)), at: GRE.Offset.protocolType, size: 2)
        if let key = view.key { layer.add("key", hex(key, 8), at: view.checksum == nil ? 4 : 8, size: 4) }
        if let sequence = view.sequence { layer.add("sequence", "\(sequence)", at: view.headerLength - 4, size: 4) }
        if let checksum = view.checksum {
            var expected = Checksum.Sum()
            expected.add(packet.extracting(0..<GRE.Offset.checksum))
            expected.add(packet.extracting((GRE.Offset.checksum + 2)..<packet.byteCount))
            let verdict: ChecksumVerdict =
                isQuoting || isCut
                ? .notCheckable(missingReason)
                : Checksum.isEquivalent(checksum, expected.checksum) ? .correct : .incorrect(expected: UInt32(expected.checksum))
            layer.addChecksum(UInt32(checksum), verdict, at: GRE.Offset.checksum)
        }
        if view.flags & GRE.Flag.ignored != 0 { layer.problems.append("reserved bits are set") }
        layers.append(layer)
        say("GRE\(view.key.map { ", key \(hex($0, 1))" } ?? ""), ")
        inner(frame, (range.lowerBound + view.headerLength)..<range.upperBound, type: view.protocolType)
    }

    private mutating func inner(_ frame: RawSpan, _ range: Range<Int>, type: UInt16) {
        guard canNest(frame, range) else { return }
        if type == EtherType.transparentEthernet { ethernet(frame, range) } else { payload(frame, range, type: type) }
    }
}
