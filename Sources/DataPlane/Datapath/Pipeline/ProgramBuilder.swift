/// Where a translation writes its program: ops, path and dependencies, in memory reused from packet to packet.
final class ProgramBuilder {
    let ops: UnsafeMutablePointer<UInt64>
    private(set) var opCount = 0
    let path: UnsafeMutablePointer<UInt64>
    private(set) var pathCount = 0
    let tables: UnsafeMutablePointer<UInt64>
    var flags: UInt64 = 0
    var writtenWords: UInt64 = 0
    var learningVersion: UInt64 = 0
    /// Set when the program outgrew its limit; what follows is not stored.
    private(set) var isOverflowing = false
    private let capacity: Int
    static let pathCapacity = 8192

    init(capacity: Int) {
        self.capacity = capacity
        ops = .allocate(capacity: capacity + 64)
        path = .allocate(capacity: Self.pathCapacity)
        tables = .allocate(capacity: 4)
        tables.initialize(repeating: 0, count: 4)
    }

    deinit {
        ops.deallocate()
        path.deallocate()
        tables.deallocate()
    }

    func reset() {
        opCount = 0
        pathCount = 0
        flags = 0
        writtenWords = 0
        learningVersion = 0
        isOverflowing = false
        for i in 0..<4 { tables[i] = 0 }
    }

    @inline(__always) func append(_ word: UInt64) {
        if opCount < capacity {
            ops[opCount] = word
            opCount &+= 1
        } else {
            isOverflowing = true
        }
    }

    /// Drops all ops from `start` on but the effects.
    func keepEffects(from start: Int) {
        let end = opCount
        var at = start
        opCount = start
        while at < end {
            let op = ProgramOp(rawValue: UInt8(truncatingIfNeeded: ops[at]))!
            let size = ProgramExecutor.size(of: op, ops + at)
            switch op {
            // Its nested ops follow.
            case .clone: at += 1
            case .effect, .learnAddress:
                for i in 0..<size { ops[opCount + i] = ops[at + i] }
                opCount += size
                at += size
            default: at += size
            }
        }
    }

    /// Drops all ops from `count` on.
    func truncate(to count: Int) { opCount = count }

    @inline(__always) func visit(table: Int) { tables[table >> 6] |= 1 << UInt64(table & 63) }

    @inline(__always) func step(_ word: UInt64) {
        if pathCount < Self.pathCapacity {
            path[pathCount] = word
            pathCount &+= 1
        }
    }
}
