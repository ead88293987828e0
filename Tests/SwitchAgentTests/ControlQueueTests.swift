import Dispatch
import Foundation
import Synchronization
import Testing

@testable import SwitchAgent

/// The control side's turns.
@Suite struct ControlQueueTests {
    @Test func onlyOneAtATimeHasTheTurnWhoeverTakesIt() {
        let queue = ControlQueue()
        // Not atomic: two at a time would lose some.
        nonisolated(unsafe) var count = 0
        let taken = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 4) { i in
            for _ in 0..<5000 {
                switch i {
                case 0: queue.sync { count += 1 }
                case 1: queue.async { count += 1 }
                default: if queue.tryNow({ count += 1 }) { taken.add(1, ordering: .relaxed) }
                }
            }
        }
        #expect(queue.sync { count } == 10_000 + taken.load(ordering: .relaxed))
        #expect(taken.load(ordering: .relaxed) > 0)
    }

    @Test func whoHasTheTurnGoesOnAndOthersAreTurnedAway() {
        let queue = ControlQueue()
        #expect(!queue.isCurrent)
        queue.sync {
            #expect(queue.isCurrent)
            #expect(queue.sync { 7 } == 7)
            let isTaken = queue.tryNow { Issue.record("it has the turn already") }
            #expect(!isTaken)
            let other = Thread {
                #expect(!queue.isCurrent)
                let isTaken = queue.tryNow { Issue.record("it has the turn") }
                #expect(!isTaken)
            }
            other.start()
            while !other.isFinished { usleep(1000) }
        }
        let isTaken = queue.tryNow { #expect(queue.isCurrent && queue.sync { true }) }
        #expect(isTaken)
        struct Refusal: Error {}
        #expect(throws: Refusal.self) { try queue.sync { throw Refusal() } }
        #expect(queue.tryNow {} && !queue.isCurrent)
    }
}
