import Flow
import Foundation
import Glibc

@testable import Ports

/// Namespaces of a test's own, with unique names, removed at its end; and programs run in them.
final class NetworkLab {
    /// Why tests with real devices cannot run here, or nil.
    static let obstacle: String? = {
        if getuid() != 0 { return "not root" }
        if access("/dev/net/tun", R_OK | W_OK) != 0 { return "no /dev/net/tun" }
        for program in ["/usr/sbin/ip", "/sbin/ip"] where access(program, X_OK) == 0 { return nil }
        return "no ip(8)"
    }()

    /// Whether a test may go on; says why not.
    static func isAvailable(_ test: String = #function) -> Bool {
        if let obstacle { print("skipped: \(test): \(obstacle)") }
        return obstacle == nil
    }

    struct Failure: Error, CustomStringConvertible { var description: String }

    private static let tag = String(UInt32.random(in: 0...0xffffff), radix: 16)
    nonisolated(unsafe) private static var count = 0
    private static let lock = NSLock()
    private var names: [String] = []

    static var next: Int {
        lock.withLock {
            count += 1
            return count
        }
    }

    /// Makes a namespace with loopback up; its name.
    func namespace() throws -> String {
        let name = "wp\(Self.tag)n\(Self.next)"
        try Self.run(["ip", "netns", "add", name])
        names.append(name)
        try ip(name, "link set lo up")
        return name
    }

    deinit { for name in names { _ = try? Self.run(["ip", "netns", "del", name]) } }

    @discardableResult func ip(_ namespace: String, _ arguments: String) throws -> String {
        try Self.run(["ip", "-n", namespace] + arguments.split(separator: " ").map(String.init))
    }

    @discardableResult func inside(_ namespace: String, _ command: [String]) throws -> String {
        try Self.run(["ip", "netns", "exec", namespace] + command)
    }

    /// Starts a program in a namespace.
    func start(_ namespace: String, _ command: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ip", "netns", "exec", namespace] + command
        process.standardOutput = Pipe()
        process.standardError = process.standardOutput
        try process.run()
        return process
    }

    /// Runs a program to its end; what it printed. Throws when it fails.
    @discardableResult static func run(_ command: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if process.terminationStatus != 0 { throw Failure(description: "\(command.joined(separator: " ")): \(output)") }
        return output
    }

    /// Refreshes ports whenever the kernel tells of a change, until `condition` holds; false after thirty seconds. A change of carrier is told up to a
    /// second late.
    static func refresh(_ ports: [any LivePort], _ monitor: LinkMonitor, until condition: () -> Bool) -> Bool {
        let end = Date(timeIntervalSinceNow: 30)
        while true {
            for port in ports { _ = port.refresh() }
            if condition() { return true }
            if Date() > end { return false }
            var descriptor = pollfd(fd: monitor.descriptor, events: Int16(POLLIN), revents: 0)
            poll(&descriptor, 1, 100)
        }
    }

    /// Two workload namespaces and one for the switch between them, joined by veths `a` and `b`; the workloads have 10.9.0.1/24 and .2, fd09::1/64 and
    /// fd09::2.
    func twoWorkloads(mtu: Int = 1500) throws -> (left: String, middle: String, right: String) {
        let (left, middle, right) = (try namespace(), try namespace(), try namespace())
        for (space, device, number) in [(left, "a", 1), (right, "b", 2)] {
            try ip(middle, "link add name \(device) mtu \(mtu) type veth peer name eth0 mtu \(mtu) netns \(space)")
            try ip(middle, "link set dev \(device) up")
            try ip(space, "link set eth0 address 02:00:00:00:00:0\(number) up")
            try ip(space, "addr add 10.9.0.\(number)/24 dev eth0")
            try ip(space, "addr add fd09::\(number)/64 dev eth0 nodad")
        }
        return (left, middle, right)
    }
}

/// The smallest switch: a thread that sends what comes from one port out of the other.
final class TwoPortBridge: @unchecked Sendable {
    private let ends: [(receiver: any FrameReceiver, transmitter: any FrameTransmitter)]
    private let ended = DispatchSemaphore(value: 0)
    private let lock = NSLock()
    private var isStopping = false
    private var counted = Counts()

    struct Counts {
        var frames = [0, 0]
        var segmented = 0
        var unfinished = 0
        var refusals: [TransmitRefusal: Int] = [:]
        var longest = 0
    }

    var counts: Counts { lock.withLock { counted } }
    /// Called for each frame before it is sent on.
    let onFrame: ((Int, UnsafeMutablePointer<TransmitFrame>) -> Void)?

    init(_ left: any LivePort, _ right: any LivePort, worker: Int = 0, onFrame: ((Int, UnsafeMutablePointer<TransmitFrame>) -> Void)? = nil) {
        ends = [
            (left.receiver(worker: worker)!, right.transmitter(worker: worker)), (right.receiver(worker: worker)!, left.transmitter(worker: worker)),
        ]
        self.onFrame = onFrame
        let thread = Thread { [self] in
            run()
            ended.signal()
        }
        thread.start()
    }

    func stop() {
        lock.withLock { isStopping = true }
        ended.wait()
    }

    private func run() {
        let buffers = FrameBuffers(count: 64)
        let frames = UnsafeMutablePointer<TransmitFrame>.allocate(capacity: 64)
        defer { frames.deallocate() }
        var descriptors = ends.map { pollfd(fd: $0.receiver.receiveDescriptor, events: Int16(POLLIN), revents: 0) }
        while !lock.withLock({ isStopping }) {
            if poll(&descriptors, 2, 20) <= 0 { continue }
            for side in 0..<2 where descriptors[side].revents != 0 {
                let n = ends[side].receiver.receive(buffers.slots, count: 64)
                for i in 0..<n {
                    let slot = buffers.slots[i]
                    (frames + i).initialize(to: TransmitFrame(data: slot.data, length: slot.length, offload: slot.offload))
                    onFrame?(side, frames + i)
                }
                lock.withLock {
                    counted.frames[side] += n
                    for i in 0..<n {
                        if frames[i].offload.isSegmented { counted.segmented += 1 }
                        if frames[i].offload.needsChecksum { counted.unfinished += 1 }
                        counted.longest = max(counted.longest, frames[i].length)
                    }
                }
                ends[side].transmitter.transmit(frames, count: n)
                lock.withLock { for i in 0..<n where frames[i].refusal != .none { counted.refusals[frames[i].refusal, default: 0] += 1 } }
            }
        }
    }
}

/// Buffers as a worker has them: room before each frame, and for the largest frame.
final class FrameBuffers {
    let slots: UnsafeMutablePointer<ReceiveSlot>
    private let memory: UnsafeMutableRawPointer
    private let tunnel: UnsafeMutablePointer<UInt64>

    init(count: Int, capacity: Int = 66_000) {
        let stride = (64 + capacity + 63) / 64 * 64
        memory = .allocate(byteCount: count * stride, alignment: 64)
        slots = .allocate(capacity: count)
        let words = FlowKeyLayout.tunnelWords.count
        tunnel = .allocate(capacity: count * words)
        tunnel.initialize(repeating: 0, count: count * words)
        for i in 0..<count {
            (slots + i).initialize(to: ReceiveSlot(data: memory + i * stride + 64, capacity: capacity, tunnel: tunnel + i * words))
        }
    }

    deinit {
        memory.deallocate()
        slots.deallocate()
        tunnel.deallocate()
    }
}
