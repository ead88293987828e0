import Flow

/// Turns `[Action]` into the words of an `ActionRecord`.
///
/// Actions with arguments that don't fit in words (`learn`, `write_actions`, `multipath`, `bundle`) go to the side store and are named by index.
struct ActionCompiler {
    /// Keeps what doesn't fit in words; owned by the tables.
    var sides: SideStore

    func compile(_ actions: [Action]) -> [UInt64] {
        var out: [UInt64] = []
        append(actions, to: &out)
        return out
    }

    private static func header(_ op: ActionOp, a: UInt8 = 0, b: UInt16 = 0, c: UInt32 = 0) -> UInt64 {
        UInt64(op.rawValue) | UInt64(a) << 8 | UInt64(b) << 16 | UInt64(c) << 32
    }

    /// Bytes as words, the first byte in the lowest bits.
    static func words(_ bytes: [UInt8]) -> [UInt64] {
        stride(from: 0, to: bytes.count, by: 8).map { i in
            bytes[i..<min(i + 8, bytes.count)].enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
        }
    }

    private func append(_ actions: [Action], to out: inout [UInt64]) {
        for action in actions { append(action, to: &out) }
        out.append(Self.header(.end))
    }

    private func append(_ action: Action, to out: inout [UInt64]) {
        func emit(_ op: ActionOp, a: UInt8 = 0, b: UInt16 = 0, c: UInt32 = 0) { out.append(Self.header(op, a: a, b: b, c: c)) }
        switch action {
        case .output(let port, let maxLength):
            if port == ReservedPort.controller {
                emit(.controller, c: min(maxLength ?? 0xffff, 0xffff))
            } else if let maxLength {
                emit(.outputTruncated, c: port)
                out.append(UInt64(maxLength))
            } else {
                emit(.output, c: port)
            }
        case .outputHint(let port, _): emit(.output, c: port)
        case .outputSubfield(let s):
            emit(.outputSubfield, c: UInt32(Self.chunks(s).count))
            out.append(contentsOf: Self.chunks(s))
        case .controller(let c):
            // At most 65,535 bytes, so that the count of words fits.
            let words = c.userdata.isEmpty ? [] : [UInt64(c.userdata.count)] + Self.words(c.userdata)
            let reason = PacketIn.Reason(name: c.reason)
            emit(
                .controller, a: reason == .action ? 0 : reason.rawValue + 1, b: c.controllerID, c: UInt32(c.maxLength) | UInt32(words.count) << 16)
            out.append(contentsOf: words)
            // Who resumes the packet is not here; until then nothing more happens to it.
            if c.pause { emit(.exit) }
        case .drop, .note, .conjunction: break
        case .resubmit(let port, let table):
            emit(.resubmit, a: (port == nil ? 0 : 1) | (table == nil ? 0 : 2), b: UInt16(table ?? 0), c: port ?? 0)
        case .gotoTable(let table): emit(.gotoTable, b: UInt16(table))
        case .clearActions: emit(.clearActions)
        case .writeActions(let list): emit(.writeActions, c: sides.add(.actions(list)))
        case .writeMetadata(let value, let mask):
            emit(.set, b: UInt16(FlowKeyLayout.metadata))
            out.append(mask)
            out.append(value & mask)
        case .meter(let id): emit(.meter, c: id)
        case .load(let value, let to):
            set(to.field, value << to.offset, mask: FieldValue.ones(to.count) << to.offset, to: &out)
        case .setField(let field, let value, let mask): set(field, value, mask: mask, to: &out)
        case .move(let from, let to):
            let chunks = Self.moves(from, to)
            emit(.move, a: from.field.info.prerequisite.code, b: UInt16(to.field.info.prerequisite.code), c: UInt32(chunks.count))
            out.append(contentsOf: chunks)
        case .push(let s), .pop(let s):
            let isPush = if case .push = action { true } else { false }
            let chunks = Self.chunks(s)
            emit(isPush ? .push : .pop, a: s.field.info.prerequisite.code, c: UInt32(chunks.count))
            out.append(contentsOf: chunks)
        case .setEthSrc(let mac): set(.ethSrc, FieldValue(low: mac), mask: .ones(48), to: &out)
        case .setEthDst(let mac): set(.ethDst, FieldValue(low: mac), mask: .ones(48), to: &out)
        case .setVLANID(let vid): emit(.setVLANID, a: 1, b: vid & 0xfff)
        case .setVLANPCP(let pcp): emit(.setVLANPCP, a: 1, b: UInt16(pcp & 7))
        case .stripVLAN: emit(.popVLAN)
        case .pushVLAN(let type): emit(.pushVLAN, b: type)
        case .pushMPLS(let type): emit(.pushMPLS, b: type)
        case .popMPLS(let type): emit(.popMPLS, b: type)
        case .setMPLSLabel(let label): set(.mplsLabel, FieldValue(low: UInt64(label)), mask: .ones(20), to: &out)
        case .setMPLSTC(let tc): set(.mplsTC, FieldValue(low: UInt64(tc)), mask: .ones(3), to: &out)
        case .setMPLSTTL(let ttl): set(.mplsTTL, FieldValue(low: UInt64(ttl)), mask: .ones(8), to: &out)
        case .decMPLSTTL: emit(.decMPLSTTL)
        case .copyTTLOut: emit(.copyTTLOut)
        case .copyTTLIn: emit(.copyTTLIn)
        case .pushPBB(let type): emit(.pushPBB, b: type)
        case .popPBB: emit(.popPBB)
        case .setIPv4Src(let a): set(.ipv4Src, FieldValue(low: UInt64(a)), mask: .ones(32), to: &out)
        case .setIPv4Dst(let a): set(.ipv4Dst, FieldValue(low: UInt64(a)), mask: .ones(32), to: &out)
        case .setTOS(let tos): set(.ipTOS, FieldValue(low: UInt64(tos & 0xfc)), mask: FieldValue(low: 0xfc), to: &out)
        case .setECN(let ecn): set(.ipECN, FieldValue(low: UInt64(ecn & 3)), mask: .ones(2), to: &out)
        case .setTTL(let ttl): set(.ipTTL, FieldValue(low: UInt64(ttl)), mask: .ones(8), to: &out)
        case .decTTL(let controllers):
            // Without ids the controllers that took none are told (ovs-actions(7)).
            let controllers = controllers.isEmpty ? [0] : controllers
            emit(.decTTL, c: UInt32(controllers.count))
            out.append(contentsOf: controllers.map { UInt64($0) })
        case .setTransportSrc(let port): emit(.setTransportPort, b: 0, c: UInt32(port))
        case .setTransportDst(let port): emit(.setTransportPort, b: 1, c: UInt32(port))
        case .setTunnelID(let id): set(.tunnelID, FieldValue(low: id), mask: .ones(64), to: &out)
        case .setQueue(let queue): emit(.setQueue, c: queue)
        case .popQueue: emit(.popQueue)
        case .enqueue(let port, let queue):
            emit(.setQueue, c: queue)
            emit(.output, c: port)
            emit(.popQueue)
        case .group(let id): emit(.group, c: id)
        case .learn(let l): emit(.learn, c: sides.add(.learn(l)))
        case .clone(let list):
            var nested: [UInt64] = []
            append(list, to: &nested)
            emit(.clone, c: UInt32(nested.count))
            out.append(contentsOf: nested)
        case .multipath: emit(.multipath, c: sides.add(.action(action)))
        case .bundle: emit(.bundle, c: sides.add(.action(action)))
        case .checkPacketLarger(let length, let to):
            emit(.checkLarger, b: length)
            out.append(Self.chunks(to)[0])
        case .finTimeout(let idle, let hard): emit(.finTimeout, b: idle, c: UInt32(hard))
        case .exit: emit(.exit)
        }
    }

    private func set(_ field: Field, _ value: FieldValue, mask: FieldValue, to out: inout [UInt64]) {
        let i = field.info
        let code = i.prerequisite.code
        switch field {
        case .vlanTCI, .vlanVID, .vlanPCP, .dlVLAN, .dlVLANPCP:
            var mask = (mask.low & i.lowMask) << UInt64(i.shift)
            var value = (value.low & i.lowMask) << UInt64(i.shift)
            // A VID or PCP written by these names makes the tag present.
            if field == .dlVLAN || field == .dlVLANPCP || field == .vlanPCP {
                mask |= 0x1000
                value |= 0x1000
            }
            out.append(Self.header(.setVLAN, a: code, b: UInt16(FlowKeyLayout.ethSrcVLAN)))
            out.append(mask)
            out.append(value & mask)
        case .ethType, .ipProto, .mplsBOS:
            let kind: KindOfPayload = field == .ethType ? .etherType : field == .ipProto ? .ipProtocol : .bottomOfStack
            out.append(Self.header(.setKind, a: kind.rawValue, b: UInt16(truncatingIfNeeded: value.low)))
        case .mplsLabel, .mplsTC, .mplsTTL:
            let mask = (mask.low & i.lowMask) << UInt64(i.shift)
            out.append(Self.header(.setMPLS))
            out.append(mask)
            out.append((value.low << UInt64(i.shift)) & mask)
        case .inPort where mask == .ones(16):
            let port = value.low & 0xffff
            out.append(Self.header(.set, b: UInt16(i.word)))
            out.append(~0xffff_ffff)
            out.append((port >= 0xff00 ? port | 0xffff_0000 : port) << 32)
        default:
            var lowMask = mask.low & i.lowMask
            if field == .arpOp { lowMask &= 0xff }  // the key holds the low eight bits only
            if field == .ipTOS { lowMask &= 0xfc }  // by this name, the DSCP bits alone
            if lowMask != 0 {
                out.append(Self.header(.set, a: code, b: UInt16(i.lowWord)))
                out.append(lowMask << UInt64(i.shift))
                out.append((value.low & lowMask) << UInt64(i.shift))
            }
            if i.bits > 64, mask.high != 0 {
                out.append(Self.header(.set, a: code, b: UInt16(i.word)))
                out.append(mask.high)
                out.append(value.high & mask.high)
            }
        }
    }

    /// Flags of a chunk: what else the bits' field asks for.
    enum Chunk {
        /// Bits that the field does not have: read as zero, not written. In a move's chunk, those of the destination.
        static let isVoid: UInt64 = 1 << 56
        /// A VID or PCP, which when written makes the tag present.
        static let isTag: UInt64 = 1 << 57
        /// `in_port` as OpenFlow 1.0's 16 bits, whose reserved numbers become those of 32 bits when written.
        static let isPort: UInt64 = 1 << 58
        /// In a move's chunk: the source lacks these bits.
        static let isVoidSource: UInt64 = 1 << 59
    }

    /// A subfield as ranges within single words, lowest bits first: `word 8 | shift 8 | count 8`, and `Chunk` flags.
    static func chunks(_ s: Subfield) -> [UInt64] {
        let i = s.field.info
        var out: [UInt64] = []
        var bit = s.offset
        var left = s.count
        while left > 0 {
            let isHigh = bit >= 64
            let word = isHigh ? i.word : i.lowWord
            let inWord = isHigh ? bit - 64 : bit
            var n = min(left, 64 - inWord)
            var flags: UInt64 = 0
            switch s.field {
            case .ipTOS where bit < 2:
                n = min(n, 2 - bit)
                flags = Chunk.isVoid
            case .arpOp where bit < 8: n = min(n, 8 - bit)
            case .arpOp: flags = Chunk.isVoid
            case .dlVLAN, .dlVLANPCP, .vlanPCP: flags = Chunk.isTag
            case .inPort where s.offset == 0 && s.count == 16: flags = Chunk.isPort
            default: break
            }
            out.append(UInt64(word) | UInt64(inWord + i.shift) << 8 | UInt64(n) << 16 | flags)
            bit += n
            left -= n
        }
        return out
    }

    /// A move as pieces that cross no word on either side: `srcWord 8 | srcShift 8 | dstWord 8 | dstShift 8 | count 8`, lowest bits first.
    private static func moves(_ from: Subfield, _ to: Subfield) -> [UInt64] {
        var out: [UInt64] = []
        var done = 0
        while done < to.count {
            let s = chunks(Subfield(from.field, offset: from.offset + done, count: to.count - done))[0]
            let d = chunks(Subfield(to.field, offset: to.offset + done, count: to.count - done))[0]
            let n = min(s >> 16 & 0xff, d >> 16 & 0xff)
            let flags = d & ~0xff_ffff | (s & Chunk.isVoid != 0 ? Chunk.isVoidSource : 0)
            out.append((s & 0xffff) | (d & 0xffff) << 16 | n << 32 | flags)
            done += Int(n)
        }
        return out
    }
}

/// Arguments of actions that don't fit in words; append-only while the tables live, read by workers.
///
/// Indices are handed out by the owner; a worker sees only indices of published entries, whose slots were written before publication.
final class SideStore: @unchecked Sendable {
    enum Side {
        case actions([Action])
        case learn(Learn)
        case action(Action)
    }
    // Safe: chunks never move, a slot is written once before the entry that names it is published.
    private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<Side>?>
    private var count = 0
    private var free: [UInt32] = []
    /// What was added since it was last emptied: how an owner learns which objects its actions named.
    var recent: [UInt32] = []
    private static let chunkSize = 1024
    /// At most 4 Mi side objects.
    private static let chunkCount = 4096

    init() {
        chunks = .allocate(capacity: Self.chunkCount)
        chunks.initialize(repeating: nil, count: Self.chunkCount)
    }

    deinit {
        for i in 0..<count { (chunks[i / Self.chunkSize]! + i % Self.chunkSize).deinitialize(count: 1) }
        for c in 0..<Self.chunkCount { chunks[c]?.deallocate() }
        chunks.deallocate()
    }

    func add(_ side: Side) -> UInt32 {
        if let id = free.popLast() {
            chunks[Int(id) / Self.chunkSize]![Int(id) % Self.chunkSize] = side
            recent.append(id)
            return id
        }
        precondition(count < Self.chunkSize * Self.chunkCount, "more than \(Self.chunkSize * Self.chunkCount) actions with side arguments")
        if count % Self.chunkSize == 0 { chunks[count / Self.chunkSize] = .allocate(capacity: Self.chunkSize) }
        (chunks[count / Self.chunkSize]! + count % Self.chunkSize).initialize(to: side)
        count += 1
        recent.append(UInt32(count - 1))
        return UInt32(count - 1)
    }

    /// Frees objects that no reader can reach any more.
    func release(_ ids: [UInt32]) {
        for id in ids { chunks[Int(id) / Self.chunkSize]![Int(id) % Self.chunkSize] = .actions([]) }
        free += ids
    }

    subscript(index: UInt32) -> Side { chunks[Int(index) / Self.chunkSize]![Int(index) % Self.chunkSize] }
}
