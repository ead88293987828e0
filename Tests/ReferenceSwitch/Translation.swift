import Datapath
import Flow

/// The translation of one packet: a walk over tables that changes the flow and yields a program (Open vSwitch: `struct xlate_ctx`).
final class Translation {
    let execution: Execution
    var owner: NaiveSwitch { execution.owner }

    /// The headers and metadata as the actions so far made them.
    var flow: NaiveFlow
    /// The headers of the packet after the edits that `program` already has.
    var base: NaiveFlow
    var program: [Step] = []

    var table: UInt8 = 0
    var entry: TableEntry?
    var depth = 0
    var resubmits = 0
    var stack: [FieldValue] = []
    var actionSet: [Action] = []
    var actionSetHasGroup = false
    let arrivalPriority: UInt64
    let arrivalTCPFlags: UInt64

    /// Nothing more happens in any list.
    var isDone = false
    /// The rest waits until the packet's headers have been looked at anew.
    var isFreezing = false
    var frozenActions: [FrozenAction] = []
    /// A last MPLS label was popped, so that what lies beneath is not known yet.
    var hasUnknownPayload = false
    /// Ends the translation; the packet goes nowhere.
    var error: DropReason?

    init(_ execution: Execution, _ flow: NaiveFlow) {
        self.execution = execution
        self.flow = flow
        base = flow
        arrivalPriority = flow.key[.skbPriority]
        arrivalTCPFlags = flow.key[.tcpFlags]
    }

    /// Translates from the lookup in table 0.
    func start() {
        let found = lookup(0, inPort: flow.key[.inPort])
        entry = found
        if let found { run(found.entry.actions) }
        finish()
    }

    /// Translates on with what was frozen.
    func resume(_ frozen: Frozen) {
        stack = frozen.stack
        if !frozen.actionSet.isEmpty { writeActions(frozen.actionSet) }
        if frozen.actions.isEmpty { return start() }
        run(frozen.actions)
        finish()
    }

    private func finish() {
        if error == nil {
            if !isFreezing { runActionSet() }
            if isFreezing { finishFreezing() }
        }
        if let error { program = [.note(error)] }
    }

    // MARK: Tables

    /// The entry for the flow with this `in_port`; of fragments the ports do not count (`frag_handling` "normal").
    func lookup(_ table: UInt8, inPort: UInt64) -> TableEntry? {
        var key = flow.key
        if flow.isFragment {
            key[.tcpSrc] = 0
            key[.tcpDst] = 0
        }
        key[.inPort] = inPort
        let found = execution.tables.lookup(table, key)
        program.append(.lookup(missed: found == nil))
        found?.touch(execution.now)
        return found
    }

    func hasRoomToDescend() -> Bool {
        if depth >= owner.limits.resubmitDepth {
            error = .resubmitDepth
        } else if resubmits >= owner.limits.resubmits {
            error = .resubmitCount
        } else {
            return true
        }
        return false
    }

    func goTo(_ next: UInt8, inPort: UInt64) {
        if hasUnknownPayload { return freeze() }
        if !hasRoomToDescend() { return }
        let old = (table, entry)
        let deeper = next <= table ? 1 : 0
        table = next
        let found = lookup(next, inPort: inPort)
        resubmits += 1
        if let found {
            depth += deeper
            entry = found
            run(found.entry.actions)
            depth -= deeper
        }
        (table, entry) = old
    }

    // MARK: Freezing

    func freeze() {
        isDone = true
        isFreezing = true
    }

    /// Keeps the rest of a list for later; instructions become the actions that mean the same.
    func keep(_ rest: some Sequence<FrozenAction>) {
        for item in rest {
            switch item.action {
            case .note, .conjunction: continue
            case .gotoTable(let t): frozenActions.append(FrozenAction(action: .resubmit(inPort: nil, table: t), table: item.table, entry: item.entry))
            default: frozenActions.append(item)
            }
        }
    }

    func finishFreezing() {
        commitEdits()
        program.append(.recirculate(Frozen(key: flow.key, stack: stack, actionSet: actionSet, actions: frozenActions)))
        isFreezing = false
        frozenActions = []
    }

    func commitEdits() {
        program += commit(flow, &base).map { .edit($0) }
    }

    // MARK: Action set

    func writeActions(_ actions: [Action]) {
        if !actionSetHasGroup {
            for action in actions {
                if let port = action.outputPort { flow.key[.actsetOutput] = UInt64(port) }
                if case .group = action {
                    flow.key[.actsetOutput] = UInt64(ReservedPort.unset)
                    actionSetHasGroup = true
                    break
                }
            }
        }
        actionSet += actions
    }

    func runActionSet() {
        let actions = ActionSet.ordered(actionSet)
        actionSet = []
        run(actions)
    }
}

/// The order in which an action set runs (OpenFlow 1.3.5 §5.10, with Open vSwitch's `resubmit` as a final action).
enum ActionSet {
    /// Of actions that may occur once the last one counts; without a final action nothing runs.
    static func ordered(_ set: [Action]) -> [Action] {
        var single: [Int: Action] = [:]
        var sets: [Action] = []
        var final: (rank: Int, action: Action)?
        for action in set {
            switch action {
            case .stripVLAN: single[0] = action
            case .popMPLS: single[1] = action
            case .pushMPLS: single[2] = action
            case .pushVLAN: single[3] = action
            case .decTTL: single[4] = action
            case .decMPLSTTL: single[5] = action
            case .load, .setField, .move, .setEthSrc, .setEthDst, .setTOS, .setECN, .setTTL, .setIPv4Src, .setIPv4Dst, .setTransportSrc,
                .setTransportDst, .setMPLSLabel, .setMPLSTC, .setMPLSTTL, .setQueue, .setTunnelID, .setVLANPCP, .setVLANID:
                sets.append(action)
            default:
                if let rank = finalRank(action), rank >= final?.rank ?? 0 { final = (rank, action) }
            }
        }
        guard let final else { return [] }
        return single.sorted { $0.key < $1.key }.map(\.value) + sets + [final.action]
    }

    private static func finalRank(_ action: Action) -> Int? {
        switch action {
        case .resubmit: 0
        case .output(_, maxLength: nil): 1
        case .controller(let c) where c.isPlain: 1
        case .group: 2
        default: nil
        }
    }
}

extension Action.Controller {
    /// Nothing but a length: the same as an output to the CONTROLLER port.
    var isPlain: Bool { controllerID == 0 && reason == "action" && userdata.isEmpty && !pause && meter == nil }
}

extension Action {
    /// The port of a plain output, as `actset_output` reads it.
    var outputPort: UInt32? {
        switch self {
        case .output(let port, maxLength: nil): port
        case .controller(let c) where c.isPlain: ReservedPort.controller
        default: nil
        }
    }
}
