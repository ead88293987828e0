import Datapath
import Flow
import Foundation
import Wire

/// A trace as one value: what `--json` prints, and what the text is made of.
///
/// Keys: `packet` (what came), `steps` (the walk in its order, nested by `depth`), `programs` (the action program in words, one more for each time
/// the packet was parsed anew), `dependencies` (which packets share the result), `verdict` (`forwarded`, `controller`, `dropped`), `outputs`, `drops`.
struct TraceReport: Encodable {
    struct Packet: Encodable {
        var inPort: UInt32
        var length: Int
        var summary: String
        /// The flow as parsed, as flow text.
        var flow: String
        /// Values that the description left open and that are not zero, as flow text.
        var assumed: [String]
        /// Where a captured packet comes from.
        var source: String?
        var bytes: String
        var dissection: Dissection
    }

    struct Entry: Encodable {
        var table: UInt8
        var priority: UInt16
        var cookie: String
        var match: String
        var actions: String

        init(_ e: FlowEntry) {
            table = e.table
            priority = e.priority
            cookie = "0x" + String(e.cookie, radix: 16)
            match = FlowText.text(e.match)
            actions = e.actions.isEmpty ? "drop" : e.actions.map { FlowText.text($0) }.joined(separator: ",")
        }
    }

    struct Refusal: Encodable {
        var entry: Entry
        var differences: [FlowFields.Difference]
        /// Why it does not match although its fields do.
        var reason: String?
    }

    /// One step of the walk. `kind` says which of the others are there: `table` (`table`, `entry` or none for a miss, `higher`, `higherCount`), `action`
    /// (`action`, `changes`), `output` (`port`), `notSent` and `limit` (`reason`), `bucket` (`group`, `bucket`), `clone`, `actionSet` (`action`),
    /// `learn`, `unlearn` (`entry`), `recirculate`, `resume`.
    struct Step: Encodable {
        var depth: Int
        var kind: String
        var table: UInt8?
        var entry: Entry?
        var higher: [Refusal]?
        var higherCount: Int?
        var action: String?
        var changes: [FlowFields.Change]?
        var port: UInt32?
        var reason: String?
        var group: UInt32?
        var groupKind: String?
        var bucket: UInt32?
    }

    struct Dependencies: Encodable {
        /// False when the result holds for this packet only.
        var shared: Bool
        var match: String
        var length: Bool
        var metadata: [String]
        var state: [String]
    }

    struct Output: Encodable {
        var port: String
        var length: Int
        var summary: String
        var changes: [FrameComparison.Change]
        var bytes: String
        var dissection: Dissection
    }

    struct Drop: Encodable {
        var reason: String
        var explanation: String
    }

    var packet: Packet
    var steps: [Step]
    var programs: [[String]]
    var dependencies: Dependencies
    var verdict: String
    var outputs: [Output]
    var drops: [Drop]
    /// For each step how far its line is indented: like `depth`, but a list of actions that ends in a resubmit stays in its column.
    private(set) var indents: [Int] = []

    private enum CodingKeys: CodingKey { case packet, steps, programs, dependencies, verdict, outputs, drops }

    /// - Parameters:
    ///   - given: the flow as described, whose metadata came with the packet; nil for a captured packet.
    init(
        _ trace: PacketTrace, frame: [UInt8], originalSize: Int, inPort: UInt32, assumed: [String], source: String?, given: Match?,
        explainsHigher: Bool
    ) {
        let dissection = Dissection(frame, originalSize: originalSize)
        packet = Packet(
            inPort: inPort, length: frame.count, summary: dissection.summary, flow: Self.flowText(trace.arrived), assumed: assumed, source: source,
            bytes: Self.hex(frame), dissection: dissection)
        steps = Self.steps(trace.items, explainsHigher: explainsHigher)
        indents = Self.indents(trace.items)
        programs = trace.programs.map { $0.map { String(repeating: "  ", count: $0.depth) + $0.text } }
        var state: [String] = []
        if trace.usesGroups { state.append("groups and meters") }
        if trace.usesLearning { state.append("learned addresses") }
        let metadata = FlowFields.metadata.compactMap { f -> String? in
            guard let (value, mask) = given?.requirement(on: f), !mask.isZero else { return nil }
            return FlowText.text(f, value, mask: mask)
        }
        dependencies = Dependencies(
            shared: trace.isCacheable, match: FlowText.text(trace.dependencies), length: trace.dependsOnLength, metadata: metadata, state: state)
        outputs = []
        drops = []
        for end in trace.ends {
            switch end {
            case .transmitted(let port, let bytes): outputs.append(Self.output(FlowText.portText(port), bytes, dissection))
            case .controller(let bytes): outputs.append(Self.output("CONTROLLER", bytes, dissection))
            case .dropped(let reason): drops.append(Drop(reason: reason.name, explanation: reason.explanation))
            }
        }
        verdict = outputs.contains { $0.port != "CONTROLLER" } ? "forwarded" : outputs.isEmpty ? "dropped" : "controller"
    }

    private static func output(_ port: String, _ bytes: [UInt8], _ before: Dissection) -> Output {
        let after = Dissection(bytes)
        return Output(
            port: port, length: bytes.count, summary: after.summary, changes: FrameComparison(before: before, after: after).changes,
            bytes: hex(bytes), dissection: after)
    }

    static func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }

    /// Every field of a flow that is not zero, and those that tell the kind of packet.
    private static func flowText(_ flow: FlowKey) -> String {
        var match = Match()
        for f in FlowFields.all(of: flow) where f != .actsetOutput {
            if !flow.wide(f).isZero || f == .ethType || f == .inPort || f == .ipProto && flow[.ethType] != 0x0806 {
                match.require(f, flow.wide(f), mask: .ones(f.info.bits))
            }
        }
        if flow[.vlanTCI] != 0 { match.require(.vlanTCI, flow[.vlanTCI]) }
        return FlowText.text(match)
    }

    // MARK: - The walk

    private static func steps(_ items: [TraceLog.Item], explainsHigher: Bool) -> [Step] {
        var steps: [Step] = []
        for (i, item) in items.enumerated() {
            var step = Step(depth: item.depth, kind: "")
            switch item.step {
            case .lookup(let table, let flow, let entry, let refusals, let count):
                step.kind = "table"
                step.table = table
                step.entry = entry.map(Entry.init)
                if explainsHigher {
                    step.higherCount = count
                    step.higher = refusals.map { refusal($0, flow) }
                }
            case .action(let action, let flow):
                step.kind = "action"
                step.action = FlowText.text(action)
                step.changes = flowAfter(i, items).map { FlowFields.changes(from: flow, to: $0) } ?? []
                if case .clone = action { step.changes = [] }
                if case .resubmit = action { step.changes = [] }
                if case .gotoTable = action { step.changes = [] }
                if case .group = action { step.changes = [] }
            case .output(let port):
                step.kind = "output"
                step.port = port
            case .notSent(let reason):
                step.kind = "notSent"
                step.reason = reason.name
            case .failed(let reason):
                step.kind = "limit"
                step.reason = reason.name
            case .bucket(let group, let kind, let bucket):
                step.kind = "bucket"
                step.group = group
                step.groupKind = kind.rawValue
                step.bucket = bucket
            case .clone: step.kind = "clone"
            case .actionSet(let list):
                step.kind = "actionSet"
                step.action = list.map { FlowText.text($0) }.joined(separator: ",")
            case .learned(let entry):
                step.kind = "learn"
                step.entry = Entry(entry)
            case .recirculated: step.kind = "recirculate"
            case .resumed: step.kind = "resume"
            case .done: continue
            }
            steps.append(step)
        }
        return steps
    }

    private static func indents(_ items: [TraceLog.Item]) -> [Int] {
        var column: [Int: Int] = [0: 0]
        var indents: [Int] = []
        for (i, item) in items.enumerated() {
            let depth = item.depth
            var indent = column[depth, default: depth]
            switch item.step {
            case .lookup:
                if depth > 0, isLast(i, items) { indent -= 1 }
                column[depth + 1] = indent + 1
            case .bucket, .clone, .actionSet: column[depth + 1] = indent + 1
            case .done: continue
            default: break
            }
            indents.append(indent)
        }
        return indents
    }

    /// Whether nothing follows a lookup in the list of actions that asked for it.
    private static func isLast(_ i: Int, _ items: [TraceLog.Item]) -> Bool {
        for item in items[(i + 1)...] where item.depth <= items[i].depth {
            if case .done = item.step { return item.depth == items[i].depth }
            return false
        }
        return false
    }

    /// The flow after an action: what the next action of the same list finds, or the list's end.
    private static func flowAfter(_ i: Int, _ items: [TraceLog.Item]) -> FlowKey? {
        for item in items[(i + 1)...] where item.depth <= items[i].depth {
            switch item.step {
            case .action(_, let flow), .done(let flow): return item.depth == items[i].depth ? flow : nil
            case .resumed: return nil
            default: continue
            }
        }
        return nil
    }

    private static func refusal(_ r: TraceLog.Refusal, _ flow: FlowKey) -> Refusal {
        var reason: String?
        if r.words.isEmpty {
            let clauses = r.entry.actions.compactMap { action -> String? in
                guard case .conjunction(let id, let clause, let of) = action else { return nil }
                return "clause \(clause) of \(of) of conjunction \(id)"
            }
            reason = clauses.isEmpty ? "it was not in the tables yet" : clauses.joined(separator: ", ") + ", whose other clauses do not all match"
        }
        return Refusal(entry: Entry(r.entry), differences: FlowFields.differences(r.entry.match, flow), reason: reason)
    }
}
