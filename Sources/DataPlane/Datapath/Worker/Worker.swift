import CLinux
import Flow
import Ports

/// A received frame, as a port hands it to a worker: bytes that stay the port's, with 64 readable bytes behind the frame.
public struct ReceivedFrame {
    public var bytes: UnsafeRawPointer
    /// Bytes of the frame that there are.
    public var length: Int
    public var inPort: UInt32
    /// Nanoseconds on the packets' clock.
    public var time: UInt64
    public init(bytes: UnsafeRawPointer, length: Int, inPort: UInt32, time: UInt64) {
        self.bytes = bytes
        self.length = length
        self.inPort = inPort
        self.time = time
    }
}

/// One forwarding thread: receives a batch, parses it, finds each packet's program in the cache or by translation, runs it.
///
/// A worker owns its cache, programs and counters; it shares only the tables, which it reads at one version per batch. An effect of a program (a learned
/// entry) is applied right after the packet that caused it, and the packets behind it see the new version.
///
/// Limits: a batch has at most `batchSize` frames; a frame has at most `maxFrameLength` bytes.
public final class Worker {
    public static let batchSize = 32
    /// Words from one key to the next: what a packet arrives with, rounded up to whole cache lines. Only tunnel packets touch more than two of them.
    static let keyStride = 40
    /// Room before a frame for pushed headers.
    static let headroom = 128
    /// Longest frame.
    public let maxFrameLength: Int

    let tables: FlowTables
    let cache: FlowCache
    let usesCache: Bool
    let translator: Translator
    let programs: ProgramStore
    let effects = EffectStore()
    let executor: ProgramExecutor
    let parser: FrameParser
    let epoch = ReaderEpoch()
    /// The last publications, and what is read of them, oldest first.
    private var publications: [Publication] = []
    private let views: UnsafeMutablePointer<Publication.View>
    /// The mutable state of the packet path: plain memory, no object, no exclusivity check.
    struct Hot {
        var version: UInt64 = 0
        var received: UInt64 = 0
        var receivedBytes: UInt64 = 0
        var hits: UInt64 = 0
        /// Dense index of the port that the last frame came from.
        var lastPort: UInt32 = .max
        var lastPortIndex = 0
        var isObserved = false
        var isMirrored = false
        var subtableCount = 0
        var viewCount = 0
        /// While packets of a batch may stand on programs.
        var isInBatch = false
        /// Programs that no cache entry holds have piled up.
        var wantsCollection = false
        var confirmed: UInt64 = 0
        /// Whether entries expire by the packets' clock, right before a packet that is late enough; a live switch has its control side do it.
        var expiresEntries = true
    }
    let hot: UnsafeMutablePointer<Hot>
    var version: UInt64 { hot.pointee.version }

    let buffers: UnsafeMutableRawPointer
    let bufferStride: Int
    let keys: UnsafeMutablePointer<UInt64>
    let states: UnsafeMutablePointer<PacketState>
    let hashes: UnsafeMutablePointer<UInt32>
    let candidates: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>?>
    let hinted: UnsafeMutablePointer<UInt8>
    let found: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>?>

    /// Where live ports put what they receive: views of the buffers.
    public let slots: UnsafeMutablePointer<ReceiveSlot>

    // Counters.
    /// By dense port index.
    let arrived: UnsafeMutablePointer<(packets: UInt64, bytes: UInt64)>
    private(set) var misses: UInt64 = 0
    var confirmed: UInt64 { hot.pointee.confirmed }
    private(set) var invalidated: UInt64 = 0
    /// Packets that controllers sent.
    var injected: UInt64 = 0
    private var insertions: UInt64 = 0
    private var missesSinceReview = 0
    private var hitsAtReview: UInt64 = 0
    private var insertsRarely = false
    private var random: UInt64 = 0x9E37_79B9_7F4A_7C15
    /// Recirculations at work one within the other, and of the packet at hand in all.
    private var recirculations = (depth: 0, count: 0)
    /// Programs at which the next collection is due: twice what the last one left.
    private var programLimit = 65_536
    /// Where packets are copied to; see `Worker+Mirror`.
    var mirrors: [FrameMirror] = []
    /// Told the program of each packet, for fates; nil when measuring.
    var observer: ((_ packet: Int, _ program: Program) -> Void)? {
        didSet { hot.pointee.isObserved = observer != nil }
    }

    /// - Parameters:
    ///   - usesCache: when false every packet is translated.
    ///   - cacheEntries: flows of one dependency mask from which on its table no longer grows (`CacheSubtable.limit`).
    public init(tables: FlowTables, usesCache: Bool = true, cacheEntries: Int = 1 << 20, maxFrameLength: Int = 2048) {
        self.tables = tables
        self.usesCache = usesCache
        self.maxFrameLength = maxFrameLength
        cache = FlowCache(entryLimit: cacheEntries)
        translator = Translator(tables: tables, effects: effects)
        programs = ProgramStore(effects: effects, groups: tables.groups)
        parser = FrameParser(vlanTags: tables.limits.vlanTags)
        // A stride that is an odd number of lines spreads the frames over the sets of the L1 cache.
        bufferStride = (Self.headroom + maxFrameLength + 127) / 128 * 128 + 64
        executor = ProgramExecutor(meters: tables.meters, learning: tables.learning, bufferSize: bufferStride)
        views = .allocate(capacity: ChangeLog.publicationLimit)
        hot = .allocate(capacity: 1)
        hot.initialize(to: Hot())
        let n = Self.batchSize
        buffers = weft_allocate_large(n * bufferStride)!
        keys = UnsafeMutableRawPointer.allocate(byteCount: n * Self.keyStride * 8, alignment: 64)
            .bindMemory(to: UInt64.self, capacity: n * Self.keyStride)
        keys.initialize(repeating: 0, count: n * Self.keyStride)
        states = .allocate(capacity: n)
        for i in 0..<n { (states + i).initialize(to: PacketState(buffer: buffers + i * bufferStride, index: i)) }
        slots = .allocate(capacity: n)
        for i in 0..<n {
            (slots + i).initialize(
                to: ReceiveSlot(
                    data: buffers + i * bufferStride + Self.headroom, capacity: maxFrameLength,
                    tunnel: keys + i * Self.keyStride + FlowKeyLayout.tunnelWords.lowerBound))
        }
        hashes = .allocate(capacity: n)
        candidates = .allocate(capacity: n)
        hinted = .allocate(capacity: n)
        found = .allocate(capacity: n)
        arrived = .allocate(capacity: PortRegistry.limit)
        arrived.initialize(repeating: (0, 0), count: PortRegistry.limit)
        tables.register(epoch)
        enterVersion()
        executor.recirculator = self
    }

    deinit {
        tables.unregister(epoch)
        cache.removeAll()
        views.deallocate()
        hot.deallocate()
        weft_free_large(buffers, Self.batchSize * bufferStride)
        keys.deallocate()
        states.deallocate()
        slots.deallocate()
        hashes.deallocate()
        candidates.deallocate()
        hinted.deallocate()
        found.deallocate()
        arrived.deallocate()
    }

    /// Receives the ends of packets with their bytes; nil (the default) when only counting.
    public var recorder: EventRecorder? {
        get { executor.recorder }
        set { executor.recorder = newValue }
    }

    // MARK: - Single packets

    @inline(never) func findPort(_ port: UInt32) {
        hot.pointee.lastPort = port
        hot.pointee.lastPortIndex = tables.ports.arrivalIndex(of: port) ?? 0
    }

    @inline(never) func observe(_ packet: Int, _ program: Program) { observer?(packet, program) }

    /// The way of every packet that the staged lookup did not serve: other subtables, confirmation of old entries, translation.
    @inline(never)
    func forward(_ i: Int, _ key: UnsafePointer<UInt64>) {
        let now = states[i].time
        // What was learned in this batch may end in it; the packets behind a change all come this way.
        if hot.pointee.expiresEntries, tables.nextDeadline <= now {
            tables.owner.withLock { _ in _ = tables.expire(now: now) }
            // That collects statistics, and programs that left the cache in this batch with them.
            found.update(repeating: nil, count: Self.batchSize)
        }
        if version != tables.version { enterVersion() }
        let program: Program
        if usesCache, let cached = findAnywhere(key, now: now) {
            hot.pointee.hits &+= 1
            program = cached
        } else {
            misses &+= 1
            program = translate(key, isTunneled: states[i].isTunneled, now: now)
        }
        program.count(packets: 1, bytes: UInt64(states[i].length), now: now)
        if hot.pointee.isObserved { observe(i, program) }
        executor.runOutlined(program.ops, &states[i])
        if executor.hasEffects { applyEffects(now: now) }
        if !translator.frozen.isEmpty { forgetFrozen() }
    }

    /// A cached program that is right for this key now, from any subtable; what is no longer right is removed.
    private func findAnywhere(_ key: UnsafePointer<UInt64>, now: UInt64) -> Program? {
        let packetClass = FlowCache.packetClass(key)
        let first = Int(cache.hints[packetClass])
        let n = cache.subtables.count
        for step in 0..<n {
            let index = step == 0 ? first : step <= first ? step - 1 : step
            let s = cache.subtables[index]
            if s.count == 0 { continue }
            guard let e = s.find(key, hash: s.head.pointee.hash(key)) else { continue }
            let program = Program(base: UnsafeMutablePointer(bitPattern: UInt(e[1]))!)
            if confirm(e, program, s.head, now: now) {
                cache.hints[packetClass] = UInt8(index)
                return program
            }
            invalidated &+= 1
            s.remove(e)
        }
        return nil
    }

    /// Whether a cache entry is right at the current version; if so it is marked with it.
    func confirm(_ e: UnsafeMutablePointer<UInt64>, _ program: Program, _ s: UnsafeMutablePointer<CacheSubtable.Head>, now: UInt64) -> Bool {
        if program.flags & Program.Flag.usesLearning != 0 {
            if tables.learning.nextDeadline <= now { tables.learning.age(now: now) }
            if program.base[Program.Header.learningVersion] != tables.learning.version { return false }
        }
        let made = UInt32(truncatingIfNeeded: e[0])
        if made == UInt32(truncatingIfNeeded: version) { return true }
        let age = Int(UInt32(truncatingIfNeeded: version) &- made)
        let known = hot.pointee.viewCount
        guard age <= known else { return false }
        let head = UnsafePointer(s)
        var i = known &- age
        while i < known {
            if views[i].affects(program, head, e) { return false }
            i &+= 1
        }
        e[0] = e[0] & ~0xffff_ffff | UInt64(UInt32(truncatingIfNeeded: version))
        hot.pointee.confirmed &+= 1
        return true
    }

    private func translate(_ key: UnsafePointer<UInt64>, isTunneled: Bool, now: UInt64) -> Program {
        if tables.learning.nextDeadline <= now { tables.learning.age(now: now) }
        translator.translate(key, isTunneled: isTunneled, version: version, now: now)
        let program = programs.intern(translator.builder)
        if programs.count > programLimit { hot.pointee.wantsCollection = true }
        if usesCache, program.flags & Program.Flag.isTransient == 0 { remember(key, program) }
        return program
    }

    /// Puts a translated flow into the cache.
    ///
    /// When nearly nothing is found again, most insertions are skipped: a stream of new flows then does not pay for a cache that doesn't serve it,
    /// and flows that do return are in after a few packets.
    private func remember(_ key: UnsafePointer<UInt64>, _ program: Program) {
        missesSinceReview += 1
        if missesSinceReview == 4096 {
            let hitsSince = hot.pointee.hits &- hitsAtReview
            insertsRarely = hitsSince < 1024 && insertions > 65536
            missesSinceReview = 0
            hitsAtReview = hot.pointee.hits
        }
        if insertsRarely {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            if random >> 61 != 0 { return }
        }
        insertions &+= 1
        let index = cache.subtable(depends: translator.depends)
        let s = cache.subtables[index]
        hot.pointee.subtableCount = cache.subtables.count
        s.insert(key, hash: s.head.pointee.hash(key), program: program, version: UInt32(truncatingIfNeeded: version))
        cache.hints[FlowCache.packetClass(key)] = UInt8(index)
    }

    /// Forgets what a packet that is done with left frozen.
    @inline(never) func forgetFrozen() {
        translator.frozen = []
        recirculations.count = 0
    }

    /// Runs the rest of a frozen translation on the packet as it has become.
    func recirculate(_ index: Int, _ packet: inout PacketState) {
        let frozen = translator.frozen[index]
        let isTooDeep = recirculations.depth >= tables.limits.recirculations
        guard !isTooDeep, recirculations.count < tables.limits.copies else {
            executor.conclude(&packet, (isTooDeep ? DropReason.recirculationDepth : .tooManyCopies).rawValue)
            return
        }
        recirculations.depth += 1
        recirculations.count += 1
        defer { recirculations.depth -= 1 }
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 16) { fresh in
            let key = fresh.baseAddress!
            key.initialize(repeating: 0, count: 16)
            guard parser.parse(packet.data, length: packet.length, inPort: packet.inPort, key: key, layout: &packet.layout) else {
                executor.conclude(&packet, DropReason.frameTooShort.rawValue)
                return
            }
            translator.resume(frozen, packetKey: key, version: version, now: packet.time)
            let program = programs.intern(translator.builder)
            program.count(packets: 1, bytes: UInt64(packet.length), now: packet.time)
            if hot.pointee.isObserved { observe(packet.index, program) }
            executor.runOutlined(program.ops, &packet)
        }
    }

    func applyEffects(now: UInt64) {
        // By value: the first may collect statistics, and with them the program and its effects.
        for effect in executor.takeEffects().compactMap({ effects[$0] }) {
            tables.owner.withLock { _ in
                switch effect {
                case .learn(let entry, let limit):
                    if tables.learn(entry, limit: limit, now: now) { tables.publish() }
                case .reduceTimeouts(let entry, let addedAt, let idle, let hard):
                    tables.reduceTimeouts(of: entry, addedAt: addedAt, idle: idle, hard: hard)
                    tables.publish()
                }
            }
        }
        // The packets behind, also those already found in the cache, see the new version.
        if version != tables.version { enterVersion() }
    }

    // MARK: - Versions and statistics

    /// Publications between two collections of statistics at most.
    private static let versionsPerCollection: UInt64 = 64

    /// Moves on to the published version.
    func enterVersion() {
        let old = version
        var v: UInt64
        repeat {
            v = tables.version
            epoch.enter(v)
            // The owner must see this before it looks for readers of older versions.
            weft_full_fence()
        } while v != tables.version
        hot.pointee.version = v
        publications += tables.changes.publications(after: old, upTo: v)
        if publications.count > ChangeLog.publicationLimit { publications.removeFirst(publications.count - ChangeLog.publicationLimit) }
        for (i, p) in publications.enumerated() { views[i] = p.view }
        hot.pointee.viewCount = publications.count
        // Entries that are gone are kept until then, so a busy owner costs memory rather than packets.
        if v &- epoch.collectedVersion >= Self.versionsPerCollection { collectStatistics() }
    }

    /// Brings the entries' counters up to date and lets go of entries that are gone; call on the worker's thread.
    public func collectStatistics() {
        programs.collect(freesUnused: !hot.pointee.isInBatch)
        programLimit = max(65_536, 2 * programs.count)
        hot.pointee.wantsCollection = false
        epoch.collected(version)
    }
}
