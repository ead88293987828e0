import CLinux
import Flow

/// Walks one packet through the flow tables and yields its program: the only meaning of the tables.
///
/// **Basic design.** The packet's key is looked up in table 0; the matching entry's actions change the key (not the packet), name further tables,
/// outputs, groups. Just before the packet leaves, what changed since the last time is *committed*: written to the program as operations on the
/// packet. This is Open vSwitch's division of labour, and its order of commits is kept (`Translator+Commit`), so that both make the same bytes
/// of the same entries.
///
/// **Dependencies.** The result holds for every packet that agrees in the bits the walk looked at. They are collected in `depends`: for each table
/// visited, the bits that *any* of its entries looks at, less the bits that actions have overwritten by then (`written`). That is coarser than
/// what one lookup compared, and so costs a few instructions per table instead of one per entry, and gives few distinct masks: one for each
/// route through the tables, which is what makes the cache's lookup cheap.
///
/// **No effects.** Learned entries come out as operations; nothing is changed here. One translator per worker; `now` and the version come with the packet.
///
/// **Limits** end the walk with a drop reason, and everything the packet would have become is discarded with it, as in Open vSwitch.
final class Translator {
    let tables: FlowTables
    let shared: UnsafeMutablePointer<UInt64>
    let limits: Limits
    let builder: ProgramBuilder
    let effects: EffectStore

    /// The flow as the actions have made it.
    let key: UnsafeMutablePointer<UInt64>
    /// Bits of the original key that the outcome depends on.
    let depends: UnsafeMutablePointer<UInt64>
    /// Bits whose value no longer comes from the packet.
    let written: UnsafeMutablePointer<UInt64>
    /// Bits of packet words that are written but not yet committed.
    let pending: UnsafeMutablePointer<UInt64>

    var version: UInt64 = 0
    var now: UInt64 = 0
    var length = 0
    /// Where outputs stand when not in an entry's own list: in the action set, in a group, in a packet from a controller.
    var outputContext: PacketIn.Reason?
    /// Whether the packet came by a tunnel, so that the tunnel words are its own.
    private(set) var wasTunneled = false

    /// The port the packet came by, whatever the tables make of `in_port`.
    var arrivalPort: UInt32 = 0
    /// TCP flags of the packet as it arrived, which no action writes.
    var arrivalTCPFlags: UInt64 = 0
    /// EtherType of the packet as it arrived, for which `depends` is meant.
    private var originalEtherType: UInt64 = 0
    // The packet as committed so far.
    var baseEtherType: UInt64 = 0
    var baseTags: (outer: UInt64, inner: UInt64, kinds: UInt64) = (0, 0, 0)
    var baseLabels: (UInt64, UInt64) = (0, 0)
    var tagsChanged = false
    var labelsChanged = false
    /// Bytes that committed pushes and pops have added.
    var grownBy = 0

    var tableID: UInt8 = 0
    var depth = 0
    var resubmits = 0
    var outputs = 0
    /// Buckets of groups that were run; groups in groups multiply.
    var bucketRuns = 0
    /// The limit that was exceeded, if any.
    var failure: DropReason?
    /// The first specific reason why something was not sent.
    var firstReason: DropReason?
    var isExiting = false
    var lastLookupMissed = true
    /// Whether a copy may end without output only when the program runs: whether anything became of the packet shows after it.
    var copiesMayDrop = false
    /// Whether there was a lookup after the last copy that waits to be parsed anew.
    var hasLookedSinceCopy = true
    private var isResumed = false
    /// MPLS was popped to another protocol, whose headers are not parsed yet.
    var wasMPLS = false
    /// The rest of the walk waits for the packet to be parsed anew; see `Frozen`.
    var isFreezing = false
    /// The action at hand froze the walk itself and did nothing yet: it is kept, too. Otherwise only what follows it is.
    var keepsAction = false
    /// Whether the freeze ends only the clone it happened in.
    var freezeIsLocal = false
    var frozenSegments: [Frozen.Segment] = []
    var frozen: [Frozen] = []
    var stack: [UInt64] = []
    var actionSet: [Action] = []
    var actionSetHasGroup = false
    /// Addresses (VLAN 16 | MAC 48) that `normal` learned from this packet.
    var learnedAddresses: [UInt64] = []
    /// The entry whose actions run, for `learn` and traces.
    var currentEntry: EntryRecord?
    var cookieOfEntry: UInt64 { currentEntry?.cookie ?? 0 }
    /// Present while a trace is made.
    var trace: TraceLog?
    /// Dense indices of ports lately sent to, by the low bits of their number.
    let knownPorts: UnsafeMutablePointer<(number: UInt32, index: UInt32)>
    static let knownPortCount = 64
    var actionSetRecords: [[Action]: ActionRecord] = [:]
    static let actionSetRecordLimit = 4096

    init(tables: FlowTables, effects: EffectStore) {
        self.tables = tables
        self.effects = effects
        shared = tables.shared
        limits = tables.limits
        builder = ProgramBuilder(capacity: tables.limits.programSize)
        let n = FlowKeyLayout.wordCount
        key = .allocate(capacity: n)
        depends = .allocate(capacity: n)
        written = .allocate(capacity: n)
        pending = .allocate(capacity: FlowKeyLayout.packetWordCount)
        knownPorts = .allocate(capacity: Self.knownPortCount)
        knownPorts.initialize(repeating: (0, 0), count: Self.knownPortCount)
        key.initialize(repeating: 0, count: n)
        depends.initialize(repeating: 0, count: n)
        written.initialize(repeating: .max, count: n)
        pending.initialize(repeating: 0, count: FlowKeyLayout.packetWordCount)
    }

    deinit {
        knownPorts.deallocate()
        key.deallocate()
        depends.deallocate()
        written.deallocate()
        pending.deallocate()
        for r in actionSetRecords.values { r.deallocate() }
    }

    @inline(__always) var etherType: UInt64 { key[FlowKeyLayout.ethDstType] & 0xffff }
    @inline(__always) var inPort: UInt32 { UInt32(truncatingIfNeeded: key[FlowKeyLayout.inPortFlags] >> 32) }

    /// Translates a packet that arrives: its program is in `builder`, its dependencies in `depends`.
    ///
    /// - Parameters:
    ///   - packetKey: the 16 packet words, of which only significant ones are read; with `isTunneled`, the tunnel words behind them too.
    ///   - metadata: words beyond the packet's to begin with, taken as given: the result does not depend on them.
    func translate(
        _ packetKey: UnsafePointer<UInt64>, isTunneled: Bool = false, metadata: FlowKey? = nil, version: UInt64, now: UInt64
    ) {
        begin(packetKey, version: version, now: now)
        if isTunneled { beginTunneled(packetKey) }
        if let metadata {
            for w in FlowKeyLayout.packetWordCount..<FlowKeyLayout.wordCount { key[w] = metadata.words[w] }
        }
        outputContext = nil
        if let index = portIndex(inPort), tables.ports.flags(index).contains(.noReceive) {
            lastLookupMissed = false
            note(.portBlocked)
        } else {
            lookup(table: 0, inPort: inPort)
        }
        finish()
    }

    /// Translates a packet that a controller sends: its actions come from there, not from table 0.
    func translate(
        _ packetKey: UnsafePointer<UInt64>, actions: UnsafePointer<UInt64>, metadata: FlowKey?, version: UInt64, now: UInt64
    ) {
        begin(packetKey, version: version, now: now)
        if let metadata {
            for w in FlowKeyLayout.packetWordCount..<FlowKeyLayout.wordCount { key[w] = metadata.words[w] }
            key[FlowKeyLayout.conjunctionActset] = UInt64(ReservedPort.unset)
        }
        builder.flags |= Program.Flag.isTransient
        outputContext = .packetOut
        lastLookupMissed = false
        resubmits = 0
        run(actions)
        outputContext = nil
        finish()
    }

    /// Resumes a frozen translation on the packet it has made.
    func resume(_ frozen: Frozen, packetKey: UnsafePointer<UInt64>, version: UInt64, now: UInt64) {
        begin(packetKey, version: version, now: now)
        for w in FlowKeyLayout.packetWordCount..<FlowKeyLayout.wordCount { key[w] = frozen.metadata.words[w] }
        key[FlowKeyLayout.inPortFlags] =
            key[FlowKeyLayout.inPortFlags] & 0xffff_ffff | frozen.metadata.words[FlowKeyLayout.inPortFlags] & ~0xffff_ffff
        stack = frozen.stack
        key[FlowKeyLayout.conjunctionActset] = UInt64(ReservedPort.unset)
        if !frozen.actionSet.isEmpty { writeActions(frozen.actionSet) }
        resubmits = 0
        outputs = frozen.outputs
        firstReason = frozen.firstReason
        lastLookupMissed = frozen.lastLookupMissed
        copiesMayDrop = frozen.copiesMayDrop
        hasLookedSinceCopy = frozen.hasLookedSinceCopy
        isResumed = true
        builder.flags |= Program.Flag.isTransient
        trace?.resume(key)
        for (i, segment) in frozen.segments.enumerated() {
            tableID = segment.tableID
            currentEntry = segment.entry
            run(segment.ops)
            if isFreezing {
                frozenSegments += frozen.segments[(i + 1)...]
                break
            }
            if isExiting || failure != nil { break }
        }
        finish()
    }

    private func begin(_ packetKey: UnsafePointer<UInt64>, version: UInt64, now: UInt64) {
        self.version = version
        self.now = now
        builder.reset()
        let packetWords = FlowKeyLayout.packetWordCount
        let type = packetKey[FlowKeyLayout.ethDstType] & 0xffff
        let significant = FrameParser.significantWords(etherType: type)
        if significant == FrameParser.significantWords(etherType: FrameParser.EtherType.ipv4) {
            for w in 0..<5 { key[w] = packetKey[w] }
            for w in 5..<packetWords { key[w] = 0 }
            key[FlowKeyLayout.arpSHA] = packetKey[FlowKeyLayout.arpSHA]
            key[FlowKeyLayout.ndReserved] = packetKey[FlowKeyLayout.ndReserved]
        } else {
            for w in 0..<packetWords { key[w] = significant >> UInt64(w) & 1 != 0 ? packetKey[w] : 0 }
        }
        (key + packetWords).update(repeating: 0, count: FlowKeyLayout.wordCount - packetWords)
        // `written` of metadata stays all ones, so nothing of it is ever depended on; so do the tunnel words, which are zero in every packet that
        // comes by another port (and the port is always depended on).
        if wasTunneled {
            let tunnel = FlowKeyLayout.tunnelWords
            (written + tunnel.lowerBound).update(repeating: .max, count: tunnel.count)
            (depends + tunnel.lowerBound).update(repeating: 0, count: tunnel.count)
            wasTunneled = false
        }
        depends.update(repeating: 0, count: packetWords)
        written.update(repeating: 0, count: packetWords)
        pending.update(repeating: 0, count: packetWords)
        key[FlowKeyLayout.conjunctionActset] = UInt64(ReservedPort.unset)
        length = Int(key[FlowKeyLayout.ndReserved] & 0xffff_ffff)
        // Port, protocol and fragment class decide which headers there are; the cache finds its way by them too.
        depends[FlowKeyLayout.ethDstType] = 0xffff
        depends[FlowKeyLayout.transport] = 0xff00_0003
        depends[FlowKeyLayout.inPortFlags] = 0xffff_ffff_0000_0000
        originalEtherType = type
        arrivalPort = UInt32(truncatingIfNeeded: key[FlowKeyLayout.inPortFlags] >> 32)
        arrivalTCPFlags = key[FlowKeyLayout.inPortFlags] >> 16 & 0xfff
        baseEtherType = type
        baseTags = (key[FlowKeyLayout.ethSrcVLAN] & 0xffff, key[FlowKeyLayout.inPortFlags] & 0xffff, key[FlowKeyLayout.arpSHA] & 3)
        baseLabels = (key[FlowKeyLayout.labels] & 0xffff_ffff, key[FlowKeyLayout.mplsMore])
        tagsChanged = false
        labelsChanged = false
        grownBy = 0
        tableID = 0
        depth = 0
        // The lookup in table 0 is none.
        resubmits = -1
        outputs = 0
        bucketRuns = 0
        failure = nil
        firstReason = nil
        isExiting = false
        lastLookupMissed = true
        copiesMayDrop = false
        hasLookedSinceCopy = true
        isResumed = false
        wasMPLS = false
        isFreezing = false
        keepsAction = false
        currentEntry = nil
        if !frozenSegments.isEmpty { frozenSegments = [] }
        if !stack.isEmpty { stack = [] }
        if !actionSet.isEmpty { actionSet = [] }
        actionSetHasGroup = false
        if !learnedAddresses.isEmpty { learnedAddresses = [] }
    }

    /// Takes over what a tunnel port said about the packet.
    private func beginTunneled(_ packetKey: UnsafePointer<UInt64>) {
        let tunnel = FlowKeyLayout.tunnelWords
        (key + tunnel.lowerBound).update(from: packetKey + tunnel.lowerBound, count: tunnel.count)
        (written + tunnel.lowerBound).update(repeating: 0, count: tunnel.count)
        wasTunneled = true
    }

    private func finish() {
        if !isFreezing, failure == nil, !actionSet.isEmpty { runActionSet() }
        if isFreezing, failure == nil { freeze() }
        if builder.isOverflowing { failure = .programTooLarge }
        if let failure {
            // What was learned on the way stays learned, as in Open vSwitch.
            if builder.isOverflowing { builder.truncate(to: 0) } else { builder.keepEffects(from: 0) }
            builder.append(ProgramOp.header(.drop, a: failure.rawValue, b: isResumed ? ProgramOp.EndingFlag.hasCopies : 0))
        } else if outputs == 0 || copiesMayDrop, !isFreezing {
            let reason = firstReason ?? (lastLookupMissed ? .noMatch : .actionDrop)
            var flags: UInt16 = 0
            if copiesMayDrop || isResumed {
                flags = ProgramOp.EndingFlag.hasCopies
                if firstReason == nil { flags |= ProgramOp.EndingFlag.isGeneral }
                if hasLookedSinceCopy { flags |= ProgramOp.EndingFlag.isLatest }
            }
            builder.append(ProgramOp.header(.drop, a: reason.rawValue, b: flags))
        }
        builder.append(ProgramOp.header(.end))
        fuse()
        // Words that this EtherType leaves unparsed are zero in every such packet: nothing can depend on them.
        let significant = FrameParser.significantWords(etherType: originalEtherType)
        for w in 0..<FlowKeyLayout.packetWordCount { depends[w] &= 0 &- (significant >> UInt64(w) & 1) }
    }

    /// Makes the common endings shorter to run.
    private func fuse() {
        let ops = builder.ops
        let n = builder.opCount
        func isOp(_ at: Int, _ op: ProgramOp) -> Bool { UInt8(truncatingIfNeeded: ops[at]) == op.rawValue }
        if n == 6, isOp(0, .addresses), isOp(3, .timeToLive), isOp(4, .output) {
            ops[0] = ProgramOp.header(.route, a: UInt8(truncatingIfNeeded: ops[3] >> 8), c: UInt32(truncatingIfNeeded: ops[4] >> 32))
            ops[3] = ops[5]
            builder.truncate(to: 4)
        } else if outputs >= 1, !isFreezing, failure == nil, n >= 2, lastOp() == .output {
            ops[n - 2] |= 0x100
        } else if outputs >= 1, !isFreezing, failure == nil, n >= 4, lastOp() == .outputQueued {
            ops[n - 4] |= 0x100
        }
    }

    /// The op before the final `end`.
    private func lastOp() -> ProgramOp? {
        var at = 0
        var last: ProgramOp?
        while at < builder.opCount - 1 {
            last = ProgramOp(rawValue: UInt8(truncatingIfNeeded: builder.ops[at]))
            guard let op = last else { return nil }
            at += ProgramExecutor.size(of: op, builder.ops + at)
        }
        return last
    }

    /// Notes that the outcome depends on these bits of a word, as far as they still come from the packet.
    @inline(__always) func read(_ word: Int, _ mask: UInt64) { depends[word] |= mask & ~written[word] }

    /// Sets bits of the flow to a value that the dependencies determine.
    @inline(__always) func write(_ word: Int, mask: UInt64, value: UInt64) {
        if word &- FlowKeyLayout.ndTarget < 5, word >= FlowKeyLayout.ndTarget, etherType == FrameParser.EtherType.ipv6 {
            writeNeighbor(word, mask: mask, value: value)
            return
        }
        key[word] = key[word] & ~mask | value & mask
        written[word] |= mask
        if word < FlowKeyLayout.arrivalWordCount { builder.writtenWords |= 1 << UInt64(word) }
        if word < FlowKeyLayout.packetWordCount { pending[word] |= mask }
    }

    /// Sets bits of a neighbour message's fields. A message that is not believed (the same option twice) has zeros in the flow but not in the
    /// packet, so a field is written whole, and only when its value in the flow changes.
    @inline(never) private func writeNeighbor(_ word: Int, mask: UInt64, value: UInt64) {
        let isTarget = word <= FlowKeyLayout.ndTarget + 1
        for w in isTarget ? FlowKeyLayout.ndTarget...FlowKeyLayout.ndTarget + 1 : word...word {
            read(w, w == FlowKeyLayout.ndReserved ? ~0xffff_ffff : isTarget ? .max : ~0xff)
        }
        let changed = (key[word] ^ value) & mask
        key[word] ^= changed
        written[word] |= mask
        builder.writtenWords |= 1 << UInt64(word)
        if changed == 0 { return }
        switch word {
        case FlowKeyLayout.arpSHA, FlowKeyLayout.arpTHA:
            if changed & ~0xffff != 0 { pending[word] |= ~0xffff }
            // The flow knows the first link-layer option's type, the first option of all is written.
            if changed & 0xff00 != 0 { pending[word] |= 0xff00 }
        case FlowKeyLayout.ndReserved: pending[word] |= ~0xffff_ffff
        default: for w in FlowKeyLayout.ndTarget...FlowKeyLayout.ndTarget + 1 { pending[w] = .max }
        }
    }
}
