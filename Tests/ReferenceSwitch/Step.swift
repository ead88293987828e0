import Datapath
import Flow

/// One instruction of the program that translating a packet yields.
indirect enum Step {
    case edit(PacketEdit)
    /// The next output sends at most so many bytes of the frame as it is now.
    case truncate(Int)
    case output(UInt32)
    case controller(maxLength: Int)
    case meter(UInt32)
    /// Runs on a copy.
    case clone([Step])
    /// Runs one of the two on a copy, by the size of the frame without padding.
    case checkLength(UInt16, larger: [Step], other: [Step])
    /// Looks at the headers of a copy anew and translates on.
    case recirculate(Frozen)
    /// A table was looked up; decides between the reasons "no match" and "no output" of a packet that goes nowhere.
    case lookup(missed: Bool)
    /// Why a copy ended here; counts when the packet has no other end.
    case note(DropReason)
}

/// What translation needs to go on after looking at the headers anew.
struct Frozen {
    var key: FlowKey
    var stack: [FieldValue]
    var actionSet: [Action]
    var actions: [FrozenAction]
}

/// An action with the table that `resubmit(,)` without a table means.
struct FrozenAction {
    var action: Action
    var table: UInt8
    var entry: TableEntry?
}
