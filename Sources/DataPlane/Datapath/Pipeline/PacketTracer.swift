import CLinux
import Flow

/// What one packet meets in the flow tables, and what becomes of it.
public struct PacketTrace: Sendable {
    /// An operation of the action program in words; `depth` counts nested copies.
    public struct Operation: Sendable, Equatable {
        public var depth: Int
        public var text: String
    }

    /// The flow as parsed, with the metadata it came with.
    public var arrived: FlowKey
    /// The walk, in its order.
    public var items: [TraceLog.Item]
    /// The action programs: the first, and one for each time the packet was parsed anew.
    public var programs: [[Operation]]
    /// Every packet with these bits and the same metadata gets the same programs, if `isCacheable`.
    public var dependencies: Match
    /// Whether the first program also rests on the packet's length, which `dependencies` then requires in a word without a field.
    public var dependsOnLength: Bool
    /// False when the programs rest on more than the packet's fields, and so hold for this packet only.
    public var isCacheable: Bool
    /// Whether meters or groups, or the addresses learned by `normal`, had a part in it.
    public var usesGroups: Bool
    public var usesLearning: Bool
    /// The ends of the packet and its copies.
    public var ends: [PacketEvent.End]
    /// False when the frame has no Ethernet header and never reached a table.
    public var isParsed: Bool
}

/// Sends one packet through the tables with the translator and executor that forward, and tells what they did.
///
/// Entries that the packet would teach (`learn`) are told but not added. One packet per call; call it on the thread that owns the tables.
public final class PacketTracer {
    private let tables: FlowTables
    private let isLive: Bool

    /// - Parameter isLive: whether the tables forward traffic meanwhile. Call it as their owner then; the packet takes no meter's tokens, teaches `normal`
    ///   no address, and makes no port.
    public init(tables: FlowTables, isLive: Bool = false) {
        self.tables = tables
        self.isLive = isLive
    }

    /// Follows a packet.
    ///
    /// - Parameters:
    ///   - metadata: tunnel fields, registers and marks that come with the packet; nil for none.
    ///   - refusalLimit: how many entries above the matching one are explained per lookup.
    public func trace(_ frame: [UInt8], inPort: UInt32, metadata: FlowKey? = nil, time: UInt64 = 0, refusalLimit: Int = 0) -> PacketTrace {
        let worker = Worker(tables: tables, usesCache: false, maxFrameLength: max(frame.count, 2048))
        let recorder = EventRecorder()
        worker.recorder = recorder
        if isLive { worker.executor.hasNoEffects = true } else { tables.ports.attach(inPort) }

        let room = (Worker.headroom + max(frame.count, 2048) + 127) / 128 * 128 + 64
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: room, alignment: 64)
        buffer.initializeMemory(as: UInt8.self, repeating: 0, count: room)
        defer { buffer.deallocate() }
        let data = buffer + Worker.headroom
        // Safe: the buffer has room for the frame after the headroom.
        frame.withUnsafeBytes { if let base = $0.baseAddress { data.copyMemory(from: base, byteCount: frame.count) } }
        var state = PacketState(buffer: buffer, index: 0)
        state.data = data
        state.length = frame.count
        state.inPort = inPort
        state.time = time
        var result = PacketTrace(
            arrived: metadata ?? FlowKey(), items: [], programs: [], dependencies: .any, dependsOnLength: false, isCacheable: true, usesGroups: false,
            usesLearning: false, ends: [], isParsed: true)
        for w in 0..<FlowKeyLayout.packetWordCount { result.arrived.words[w] = 0 }
        let key = UnsafeMutablePointer<UInt64>.allocate(capacity: FlowKeyLayout.packetWordCount)
        key.initialize(repeating: 0, count: FlowKeyLayout.packetWordCount)
        defer { key.deallocate() }
        guard
            FrameParser(vlanTags: tables.limits.vlanTags).parse(data, length: frame.count, inPort: inPort, key: key, layout: &state.layout)
        else {
            result.ends = [.dropped(.frameTooShort)]
            result.isParsed = false
            return result
        }
        for w in 0..<FlowKeyLayout.packetWordCount { result.arrived.words[w] = key[w] }

        let log = TraceLog(tables: tables, refusalLimit: refusalLimit)
        let translator = worker.translator
        translator.trace = log
        var programs: [[PacketTrace.Operation]] = []
        worker.observer = { [unowned worker] _, program in programs.append(self.text(of: program, worker)) }
        translator.translate(key, metadata: metadata, version: tables.version, now: time)
        let program = worker.programs.intern(translator.builder)
        result.isCacheable = program.flags & Program.Flag.isTransient == 0
        result.usesGroups = program.usesGroups
        result.usesLearning = program.flags & Program.Flag.usesLearning != 0
        for w in 0..<FlowKeyLayout.packetWordCount {
            result.dependencies.require(word: w, mask: translator.depends[w], value: key[w])
        }
        result.dependsOnLength = translator.depends[FlowKeyLayout.ndReserved] & 0xffff_ffff != 0
        worker.observer?(0, program)
        worker.executor.run(program.ops, &state)
        worker.observer = nil
        translator.trace = nil
        result.items = log.items
        result.programs = programs
        result.ends = recorder.events.map { event in
            let bytes = Array(recorder.bytes[event.offset..<(event.offset + event.length)])
            switch event.kind {
            case .transmitted: return .transmitted(port: tables.ports.number(at: Int(event.port)), bytes: bytes)
            case .controller: return .controller(bytes: bytes)
            case .dropped: return .dropped(DropReason(rawValue: UInt8(event.port))!)
            }
        }
        return result
    }

    private func text(of program: Program, _ worker: Worker) -> [PacketTrace.Operation] {
        var text = ProgramText(ports: tables.ports, effects: worker.effects)
        text.append(program.ops)
        return text.lines.map { PacketTrace.Operation(depth: $0.depth, text: $0.text) }
    }
}
