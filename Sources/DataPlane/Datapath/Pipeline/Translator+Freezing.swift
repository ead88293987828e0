import CLinux
import Flow

/// Walks that wait for the packet to be parsed anew.
extension Translator {
    /// Stops the walk here; what is left of it continues on the packet parsed anew.
    ///
    /// - Parameters:
    ///   - keepingAction: whether that begins with the action at hand.
    ///   - isLocal: whether a clone that freezes so ends alone; after a popped label the list around it ends too, as in Open vSwitch.
    func triggerFreeze(keepingAction: Bool = false, isLocal: Bool = false) {
        isFreezing = true
        isExiting = true
        keepsAction = keepingAction
        freezeIsLocal = isLocal
    }

    /// Ends a bucket or clone that froze: its rest resumes on its own copy, the packet at hand goes on.
    func freezeNested() {
        freeze()
        isFreezing = false
        if freezeIsLocal { isExiting = false }
        frozenSegments = []
    }

    func freeze() {
        commit()
        var metadata = FlowKey()
        for w in 0..<FlowKeyLayout.wordCount { metadata.words[w] = key[w] }
        frozen.append(
            Frozen(
                metadata: metadata, segments: frozenSegments, stack: stack, actionSet: actionSet, outputs: outputs, firstReason: firstReason,
                lastLookupMissed: lastLookupMissed, copiesMayDrop: copiesMayDrop, hasLookedSinceCopy: hasLookedSinceCopy))
        builder.append(ProgramOp.header(.recirculate, c: UInt32(frozen.count - 1)))
        builder.flags |= Program.Flag.isTransient
        trace?.note(.recirculated)
    }
}

/// The rest of a walk that must wait until the packet, changed as far as it got, is parsed anew (Open vSwitch: recirculation).
struct Frozen {
    struct Segment {
        var ops: UnsafePointer<UInt64>
        var tableID: UInt8
        var entry: EntryRecord?
    }
    var metadata: FlowKey
    var segments: [Segment]
    var stack: [UInt64]
    var actionSet: [Action]
    var outputs: Int
    var firstReason: DropReason?
    var lastLookupMissed: Bool
    var copiesMayDrop: Bool
    var hasLookedSinceCopy: Bool
}
