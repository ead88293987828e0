// Meter lines: `meter add meter=1,kbps,burst,band=type=drop,rate=1000,burst_size=100`.
extension FlowTextParser {
    private enum Command { case add, modify, delete }

    mutating func readMeterLine(_ line: TextSlice) throws(TextFault) {
        var command = Command.add
        var rest = line
        var end = line.start
        while end < line.end, !TextSlice.isSeparator(line[end]) { end &+= 1 }
        let word = line.upTo(end)
        if word.equals("add") {
            rest = line.from(end)
        } else if word.equals("modify") {
            (command, rest) = (.modify, line.from(end))
        } else if word.equals("delete") {
            (command, rest) = (.delete, line.from(end))
        }
        var meter = Meter(id: 0, unit: .kbps)
        var id: UInt32?
        var unit: Meter.Unit?
        var isAll = command == .delete && rest.trimmed.isEmpty
        var bandText: TextSlice?
        var left = rest
        while bandText == nil, let kv = try left.nextKeyValue() {
            let v = kv.value
            if kv.key.equals("meter") {
                if v.equals("all") {
                    guard command == .delete else { throw TextFault(v, "Only delete takes all meters at once.") }
                    isAll = true
                } else {
                    let n = try v.number32("meter")
                    guard n != 0, n <= 0xffff_0000 else { throw TextFault(v, "Meters are numbered from 1 to 4294901760.") }
                    id = n
                }
            } else if command == .delete {
                throw TextFault(kv.key, "Deleting a meter takes meter=… only.")
            } else if kv.key.equals("kbps") || kv.key.equals("pktps") {
                let u: Meter.Unit = kv.key.equals("kbps") ? .kbps : .pktps
                if let unit, unit != u { throw TextFault(kv.key, "A meter counts in kbps or in pktps, not in both.") }
                unit = u
            } else if kv.key.equals("burst") {
                meter.hasBurst = true
            } else if kv.key.equals("stats") {
                meter.collectsStatistics = true
            } else if kv.key.equals("band") || kv.key.equals("bands") {
                bandText = line.from(v.start)
            } else {
                throw TextFault(
                    kv.key, "This is not an attribute of a meter.",
                    suggestion: nearest(to: kv.key, among: ["meter", "kbps", "pktps", "burst", "stats", "bands"]))
            }
        }
        if command == .delete {
            guard isAll || id != nil else { throw TextFault(line, "Name the meter: meter=… or meter=all.") }
            add(.deleteMeter(isAll ? nil : id))
            return
        }
        guard let id else { throw TextFault(line, "A meter needs meter=….") }
        guard let unit else { throw TextFault(line, "A meter counts in kbps or in pktps; name one.") }
        guard let bandText else { throw TextFault(line, "A meter needs bands: bands=type=drop,rate=….") }
        meter.id = id
        meter.unit = unit
        meter.bands = try readBands(bandText, hasBurst: meter.hasBurst)
        definedMeters.insert(id)
        add(command == .add ? .addMeter(meter) : .modifyMeter(meter))
    }

    private mutating func add(_ modification: FlowModification) {
        result.modifications.append(modification)
        result.lines.append(UInt32(truncatingIfNeeded: lineNumber))
    }

    private struct BandText {
        var at: TextSlice
        var isDrop: Bool
        var rate: UInt32 = 0
        var burst: UInt32 = 0
        var precedence: UInt8 = 0
    }

    private func readBands(_ text: TextSlice, hasBurst: Bool) throws(TextFault) -> [Meter.Band] {
        var bands: [BandText] = []
        var rest = text
        while let kv = try rest.nextKeyValue() {
            let v = kv.value
            if kv.key.equals("type") {
                guard v.equals("drop") || v.equals("dscp_remark") else { throw TextFault(v, "A band's type is drop or dscp_remark.") }
                guard bands.count < FlowTextLimits.bundleMembers else {
                    throw TextFault(kv.key, "A meter has at most \(FlowTextLimits.bundleMembers) bands.")
                }
                bands.append(BandText(at: kv.key, isDrop: v.equals("drop")))
                continue
            }
            guard !bands.isEmpty else { throw TextFault(kv.key, "A band starts with type=….") }
            let last = bands.count - 1
            if kv.key.equals("rate") {
                bands[last].rate = try v.number32("rate")
            } else if kv.key.equals("burst_size") {
                bands[last].burst = try v.number32("burst_size")
                if !hasBurst, bands[last].burst != 0 { throw TextFault(kv.key, "burst_size stands only in a meter with burst.") }
            } else if kv.key.equals("prec_level") {
                bands[last].precedence = try v.number8("prec_level")
                if bands[last].isDrop, bands[last].precedence != 0 { throw TextFault(kv.key, "Only dscp_remark bands have a prec_level.") }
            } else {
                throw TextFault(
                    kv.key, "This is not an attribute of a band.",
                    suggestion: nearest(to: kv.key, among: ["type", "rate", "burst_size", "prec_level"]))
            }
        }
        guard !bands.isEmpty else { throw TextFault(text, "A meter needs at least one band.") }
        var result: [Meter.Band] = []
        for b in bands {
            guard b.rate != 0 else { throw TextFault(b.at, "A band needs a rate above 0.") }
            guard !hasBurst || b.burst != 0 else { throw TextFault(b.at, "In a meter with burst every band needs a burst_size.") }
            guard b.isDrop || b.precedence != 0 else { throw TextFault(b.at, "A dscp_remark band needs a prec_level.") }
            result.append(
                b.isDrop ? .drop(rate: b.rate, burst: b.burst) : .dscpRemark(rate: b.rate, burst: b.burst, precedence: b.precedence))
        }
        return result
    }
}
