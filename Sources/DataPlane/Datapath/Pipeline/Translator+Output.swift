import CLinux
import Flow

/// Where packets go: ports, floods, the learning switch, groups.
extension Translator {
    /// Output to the port that a subfield holds: 16 bits, reserved ports as in OpenFlow 1.0.
    func outputToValue(_ value: UInt64) {
        guard value <= 0xffff else {
            note(.noSuchPort)
            return
        }
        output(value >= 0xff00 ? 0xffff_0000 | UInt32(value) : UInt32(value))
    }

    func output(_ port: UInt32, maxLength: UInt32? = nil) {
        switch port {
        case ReservedPort.inPort where maxLength == nil: send(to: inPort)
        // Open vSwitch cuts for numbered ports only.
        case ReservedPort.inPort: note(.noSuchPort)
        case ReservedPort.dispatch: dispatch()
        case ReservedPort.table: dispatch(inPort: inPort)
        case ReservedPort.normal where maxLength == nil: normal()
        case ReservedPort.flood where maxLength == nil, ReservedPort.all where maxLength == nil:
            for number in tables.ports.floodNumbers where number != inPort { send(to: number) }
        case ReservedPort.controller: toController(maxLength: maxLength ?? 0xffff, reason: nil, id: 0, userdata: nil, count: 0)
        case ReservedPort.any, ReservedPort.normal, ReservedPort.flood, ReservedPort.all: break
        default:
            guard port != inPort else {
                note(.outputToIngress)
                return
            }
            send(to: port, maxLength: maxLength)
        }
    }

    /// Output to the dispatch port: through the tables again from table 0, `in_port` reading as the dispatch port meanwhile (spec 000-022).
    private func dispatch(inPort port: UInt32 = ReservedPort.dispatch) {
        if wasMPLS {
            triggerFreeze(keepingAction: true)
            return
        }
        guard depth < limits.resubmitDepth else {
            failure = .resubmitDepth
            return
        }
        guard resubmits < limits.resubmits else {
            failure = .resubmitCount
            return
        }
        lookup(table: 0, inPort: port, deepens: true)
    }

    private func send(to port: UInt32, maxLength: UInt32? = nil) {
        guard let index = portIndex(port) else {
            note(.noSuchPort)
            return
        }
        if tables.ports.flags(index).contains(.noForward) {
            note(.portBlocked)
            return
        }
        guard outputs < limits.copies else {
            failure = .tooManyCopies
            return
        }
        let before = grownBy
        commit()
        outputs += 1
        if tables.ports.isTunnel(index) { commitTunnel() }
        let queue = key[FlowKeyLayout.markPriority] & 0xffff_ffff
        if queue != 0 {
            builder.append(ProgramOp.header(.outputQueued, c: UInt32(index)))
            builder.append(queue &- 1)
            builder.append(maxLength.map { Self.truncation($0, growth: grownBy - before) } ?? 0)
        } else if let maxLength {
            builder.append(ProgramOp.header(.outputTruncated, c: UInt32(index)))
            builder.append(Self.truncation(maxLength, growth: grownBy - before))
        } else {
            builder.append(ProgramOp.header(.output, c: UInt32(index)))
        }
        trace?.note(.output(port))
    }

    /// The limit is meant for the packet before pending pushes and pops, and never cuts into the Ethernet header.
    private static func truncation(_ maxLength: UInt32, growth: Int) -> UInt64 {
        UInt64(max(maxLength, 14)) | UInt64(UInt32(bitPattern: Int32(truncatingIfNeeded: growth))) << 32
    }

    /// Tells the executor the tunnel fields with which what follows leaves: the words that are not zero.
    private func commitTunnel() {
        let first = FlowKeyLayout.tunnelWords.lowerBound
        var set: UInt32 = 0
        for w in FlowKeyLayout.tunnelWords {
            read(w, .max)
            if key[w] != 0 { set |= 1 << UInt32(w - first) }
        }
        builder.append(ProgramOp.header(.tunnel, c: set))
        for w in FlowKeyLayout.tunnelWords where key[w] != 0 { builder.append(key[w]) }
    }

    /// Ports are never taken away, so an index once known stays right.
    func portIndex(_ port: UInt32) -> Int? {
        let known = knownPorts + Int(port) % Self.knownPortCount
        if known.pointee.number == port, port != 0 { return Int(known.pointee.index) }
        guard let index = tables.ports.index(of: port) else { return nil }
        known.pointee = (port, UInt32(index))
        return index
    }

    /// Hands the packet as it is now to the controllers, and with it what the tables made of its metadata.
    ///
    /// - Parameters:
    ///   - reason: a `PacketIn.Reason`; nil: found out from where the output stands.
    ///   - userdata: `count` words: a byte count and the bytes.
    func toController(maxLength: UInt32, reason: UInt8?, id: UInt16, userdata: UnsafePointer<UInt64>?, count: Int) {
        if let index = portIndex(arrivalPort), tables.ports.flags(index).contains(.noPacketIn) {
            note(.portBlocked)
            return
        }
        guard outputs < limits.copies else {
            failure = .tooManyCopies
            return
        }
        commit()
        outputs += 1
        appendController(
            maxLength: maxLength, reason: reason ?? outputReason.rawValue, id: id, isNotice: false, userdata: userdata, count: count)
        trace?.note(.output(ReservedPort.controller))
    }

    /// Tells the controllers of a packet that ends otherwise.
    func tellController(reason: PacketIn.Reason, id: UInt16) {
        appendController(maxLength: 0xffff, reason: reason.rawValue, id: id, isNotice: true, userdata: nil, count: 0)
    }

    /// Why an output to the controller happens (OpenFlow 1.5.1 §7.4.1).
    private var outputReason: PacketIn.Reason {
        if let outputContext { return outputContext }
        guard let entry = currentEntry, entry.priority == 0, entry.mask.count == 0 else { return .action }
        return .noMatch
    }

    private func appendController(
        maxLength: UInt32, reason: UInt8, id: UInt16, isNotice: Bool, userdata: UnsafePointer<UInt64>?, count: Int
    ) {
        let first = PacketIn.Context.firstWord
        var set: UInt64 = 0
        for w in first..<FlowKeyLayout.conjunctionActset {
            if w < FlowKeyLayout.arrivalWordCount { read(w, .max) }
            if key[w] != 0 { set |= 1 << UInt64(w - first) }
        }
        let operands = 3 + set.nonzeroBitCount + count
        builder.append(ProgramOp.header(.controller, a: isNotice ? 1 : 0, b: UInt16(operands), c: maxLength))
        builder.append(UInt64(reason) | UInt64(tableID) << 8 | UInt64(id) << 16)
        builder.append(currentEntry?.cookie ?? .max)
        builder.append(set)
        for w in first..<FlowKeyLayout.conjunctionActset where key[w] != 0 { builder.append(key[w]) }
        if let userdata { for i in 0..<count { builder.append(userdata[i]) } }
    }

    /// Runs `body` as if on a copy: what it does to the packet and to the flow is undone after it.
    ///
    /// Nested operations that change the packet run on a real copy; when they only output, no copy is made.
    func onCopy(_ body: () -> Void) {
        // Once for all copies and the packet.
        commit()
        let n = FlowKeyLayout.wordCount
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * n + FlowKeyLayout.packetWordCount) { saved in
            let p = saved.baseAddress!
            p.update(from: key, count: n)
            (p + n).update(from: written, count: n)
            (p + 2 * n).update(from: pending, count: FlowKeyLayout.packetWordCount)
            let base = (baseEtherType, baseTags, baseLabels, tagsChanged, labelsChanged, grownBy, wasMPLS)
            let start = builder.opCount
            builder.append(ProgramOp.header(.clone))
            body()
            if isFreezing, failure == nil {
                freezeNested()
            }
            if failure == nil { closeClone(at: start) }
            key.update(from: p, count: n)
            written.update(from: p + n, count: n)
            pending.update(from: p + 2 * n, count: FlowKeyLayout.packetWordCount)
            (baseEtherType, baseTags, baseLabels, tagsChanged, labelsChanged, grownBy, wasMPLS) = base
        }
    }

    /// Ends the nested program begun at `start`: as a clone, or in line when it changes nothing.
    private func closeClone(at start: Int) {
        guard !builder.isOverflowing else { return }
        var at = start + 1
        var changes = false
        while at < builder.opCount {
            let op = ProgramOp(rawValue: UInt8(truncatingIfNeeded: builder.ops[at]))!
            switch op {
            case .output, .outputTruncated, .outputQueued, .controller, .effect, .learnAddress, .clone, .tunnel: break
            case .meter, .pushVLAN, .pushMPLS, .pushPBB:
                changes = true
                copiesMayDrop = true
            case .recirculate:
                changes = true
                copiesMayDrop = true
                hasLookedSinceCopy = false
            default: changes = true
            }
            at += ProgramExecutor.size(of: op, builder.ops + at)
        }
        if changes {
            builder.append(ProgramOp.header(.end))
            builder.ops[start] = ProgramOp.header(.clone, c: UInt32(builder.opCount - start - 1))
        } else {
            for i in start..<(builder.opCount - 1) { builder.ops[i] = builder.ops[i + 1] }
            builder.truncate(to: builder.opCount - 1)
        }
    }

    // MARK: - Groups

    /// Executes a group; false when it does not exist, which ends the action list it stands in.
    func group(_ id: UInt32) -> Bool {
        guard depth < limits.resubmitDepth else {
            failure = .resubmitDepth
            return true
        }
        guard resubmits < limits.resubmits else {
            failure = .resubmitCount
            return true
        }
        builder.flags |= Program.Flag.usesGroups
        guard let state = tables.groups[id] else {
            note(.noSuchGroup)
            return false
        }
        let buckets = state.group.buckets
        let chosen: [Int]
        switch state.group.kind {
        case .all, .indirect: chosen = Array(buckets.indices)
        case .fastFailover: chosen = buckets.indices.first { tables.groups.isLive(buckets[$0], ports: tables.ports) }.map { [$0] } ?? []
        case .select:
            if wasMPLS {
                triggerFreeze(keepingAction: true)
                return true
            }
            chosen = selectBucket(state.group).map { [$0] } ?? []
        }
        if chosen.isEmpty, state.group.kind != .all { note(.noLiveBucket) }
        builder.step(Program.groupStep(id, bucket: nil))
        for i in chosen {
            guard bucketRuns < limits.copies else {
                failure = .tooManyCopies
                return true
            }
            bucketRuns += 1
            trace?.enter(group: state.group, bucket: i, at: state.buckets[i].actions.ops)
            builder.step(Program.groupStep(id, bucket: i))
            onCopy {
                depth += 1
                let outer = outputContext
                outputContext = .group
                run(state.buckets[i].actions.ops)
                outputContext = outer
                depth -= 1
                trace?.leave(key, failure: failure)
                // Neither too many labels nor `exit` in a bucket end what follows the group.
                if failure == .tooManyMPLSLabels {
                    failure = nil
                    note(.tooManyMPLSLabels)
                }
            }
            isExiting = false
            if failure != nil { return true }
        }
        return true
    }

    /// The live bucket with the highest score, hash weighted by bucket: a flow keeps its bucket unless that bucket goes or a better one comes
    /// (highest random weight, Thaler and Ravishankar 1998).
    private func selectBucket(_ group: Group) -> Int? {
        var hash =
            group.selectionFields.isEmpty
            ? symmetricHash(layer4: true, basis: group.selectionParameter)
            : fieldHash(group.selectionFields, basis: group.selectionParameter)
        if group.selectionFields.isEmpty, etherType == FrameParser.EtherType.arp {
            // Who asks for whom, alike for the answer.
            read(FlowKeyLayout.ipv4, .max)
            let addresses = key[FlowKeyLayout.ipv4]
            hash = weft_hash_finish(weft_hash_step(UInt64(hash), addresses >> 32 ^ addresses & 0xffff_ffff))
        }
        var best: Int?
        var bestScore = -Double.infinity
        for (i, b) in group.buckets.enumerated() where b.weight > 0 && tables.groups.isLive(b, ports: tables.ports) {
            let h = weft_hash_finish(weft_hash_step(UInt64(b.id) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(hash), UInt64(hash) << 17 ^ UInt64(b.id)))
            // -w / ln(u) orders like w-weighted exponentials; u in (0, 1).
            let u = (Double(h) + 0.5) / 4_294_967_296
            let score = -Double(b.weight) / logarithm(u)
            if score > bestScore {
                best = i
                bestScore = score
            }
        }
        return best
    }

    // MARK: - The learning switch

    /// The `normal` action: an ordinary learning bridge of VLAN trunks (IEEE 802.1Q-2018 §8), flooding what it does not know.
    private func normal() {
        read(FlowKeyLayout.ethDstType, .max)
        read(FlowKeyLayout.ethSrcVLAN, .max)
        readTags()
        let destination = key[FlowKeyLayout.ethDstType] >> 16
        let source = key[FlowKeyLayout.ethSrcVLAN] >> 16
        let tci = key[FlowKeyLayout.ethSrcVLAN] & 0xffff
        let vlan = tci & 0x1000 != 0 ? tci & 0xfff : 0
        if Self.isReservedGroupAddress(destination) || tables.ports.index(of: inPort) == nil { return }
        // A tag that is cut off says nothing about its VLAN.
        if etherType == FrameParser.EtherType.vlan || etherType == FrameParser.EtherType.serviceVLAN, tci & 0x1000 == 0 { return }
        builder.flags |= Program.Flag.usesLearning
        builder.learningVersion = tables.learning.version
        if source & 0x0100_0000_0000 == 0 {
            builder.flags |= Program.Flag.hasEffects
            builder.append(ProgramOp.header(.learnAddress, c: inPort))
            builder.append(vlan << 48 | source)
            learnedAddresses.append(vlan << 48 | source)
        }
        // A tag with neither VLAN nor priority says nothing and is taken off.
        let before = (key[FlowKeyLayout.ethSrcVLAN], key[FlowKeyLayout.inPortFlags])
        let inner = before.1 & 0xffff
        let outerKept = tci & 0x1000 != 0 && tci != 0x1000 ? tci : 0
        let innerKept = tci & 0x1000 != 0 && inner & 0x1000 != 0 && inner != 0x1000 ? inner : 0
        let dropsTags = outerKept != tci || innerKept != inner
        if dropsTags { setTags(outer: outerKept, inner: innerKept, kinds: key[FlowKeyLayout.arpSHA] & 3) }
        // What this packet taught is known at once, so an address that sends to itself is on this port.
        if let port = learnedAddresses.contains(vlan << 48 | destination) ? inPort : tables.learning.port(vlan: vlan, mac: destination, now: now) {
            if port != inPort { send(to: port) } else { note(.outputToIngress) }
        } else {
            for number in tables.ports.floodNumbers where number != inPort { send(to: number) }
        }
        if dropsTags {
            (key[FlowKeyLayout.ethSrcVLAN], key[FlowKeyLayout.inPortFlags]) = before
            tagsChanged = true
        }
    }

    /// Destinations that a bridge never forwards (IEEE 802.1Q-2018 table 8-1), and the vendors' protocols that Open vSwitch keeps with them.
    private static func isReservedGroupAddress(_ mac: UInt64) -> Bool {
        switch mac {
        case 0x0180_c200_0000...0x0180_c200_000f: true
        case 0x00e0_2b00_0000, 0x00e0_2b00_0004, 0x00e0_2b00_0006: true
        case 0x0100_0c00_0000, 0x0100_0ccc_cccc, 0x0100_0ccc_cccd, 0x0100_0ccd_cdcd: true
        case 0x0100_0ccc_ccc0...0x0100_0ccc_ccc7: true
        default: false
        }
    }
}
