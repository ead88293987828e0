import CLinux
import Glibc
import Synchronization

@testable import Flow
@testable import Ports

/// Network namespaces for one test: a hub and hosts on veths, 10.77.i.1 and fd77:i::1 at the hub, .2 and ::2 at host i. All gone with the object.
final class TunnelLab {
    /// Why such tests cannot run here, nil when they can.
    static let obstacle: String? = {
        if getuid() != 0 { return "network namespaces need root" }
        if !run("ip netns list >/dev/null 2>&1") { return "no ip command" }
        return nil
    }()

    private static let made = Atomic<Int>(0)
    let name: String
    let hosts: Int

    init(hosts: Int, mtu: Int = 1500) {
        name = "wt\(getpid())x\(TunnelLab.made.add(1, ordering: .relaxed).newValue)n"
        self.hosts = hosts
        shell("ip netns add \(name)h && ip -n \(name)h link set lo up")
        shell("ip netns exec \(name)h sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        for i in 1...hosts {
            shell(
                """
                ip netns add \(name)\(i) && ip -n \(name)\(i) link set lo up
                ip link add v\(i) netns \(name)h type veth peer name eth0 netns \(name)\(i)
                for n in h \(i); do ip netns exec \(name)$n sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0; done
                ip -n \(name)h link set v\(i) mtu \(mtu) up; ip -n \(name)\(i) link set eth0 mtu \(mtu) up
                ip -n \(name)h addr add 10.77.\(i).1/24 dev v\(i); ip -n \(name)\(i) addr add 10.77.\(i).2/24 dev eth0
                ip -n \(name)h addr add fd77:\(i)::1/64 dev v\(i) nodad; ip -n \(name)\(i) addr add fd77:\(i)::2/64 dev eth0 nodad
                ip -n \(name)\(i) route add default via 10.77.\(i).1; ip -n \(name)\(i) -6 route add default via fd77:\(i)::1
                """)
        }
    }

    deinit {
        for i in 1...hosts { TunnelLab.run("ip netns del \(name)\(i)") }
        TunnelLab.run("ip netns del \(name)h")
    }

    /// The file of the hub's namespace (0) or host `i`'s.
    func namespace(_ i: Int) -> String { "/run/netns/\(name)\(i == 0 ? "h" : String(i))" }

    /// Runs a command in the namespace; true when it succeeded.
    @discardableResult func execute(_ i: Int, _ command: String) -> Bool {
        TunnelLab.run("ip netns exec \(name)\(i == 0 ? "h" : String(i)) sh -c '\(command)'")
    }

    func output(_ i: Int, _ command: String) -> String {
        guard let pipe = popen("ip netns exec \(name)\(i == 0 ? "h" : String(i)) sh -c '\(command)' 2>&1", "r") else { return "" }
        defer { pclose(pipe) }
        var text = ""
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, 4096, pipe) != nil { text += String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
        return text
    }

    /// Sends one ICMP echo of `size` payload bytes from host `i` and waits up to ten seconds for the answer.
    func ping(_ i: Int, _ address: String, size: Int = 56) -> Bool {
        let script = """
            import socket, struct, sys
            address, size = sys.argv[1], int(sys.argv[2])
            six = ":" in address
            s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
            s.settimeout(0.5)
            def message(kind, sum): return struct.pack("!BBHHH", kind, 0, sum, 4711, 1) + bytes(i & 255 for i in range(size))
            data = message(128 if six else 8, 0)
            if not six:
                total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
                total = (total & 0xffff) + (total >> 16)
                data = message(8, ~((total & 0xffff) + (total >> 16)) & 0xffff)
            for attempt in range(20):
                s.sendto(data, (address, 0))
                try:
                    while True:
                        got = s.recv(65536)
                        if got[0 if six else 20] == (129 if six else 0) and got[-size:] == data[-size:]: sys.exit(0)
                except socket.timeout: pass
            sys.exit(1)
            """
        let file = "/tmp/\(name)-ping.py"
        guard let out = fopen(file, "w") else { return false }
        fputs(script, out)
        fclose(out)
        defer { unlink(file) }
        return execute(i, "python3 \(file) \(address) \(size)")
    }

    private func shell(_ script: String) { precondition(TunnelLab.run("set -e; \(script)"), "cannot set up: \(script)") }

    @discardableResult static func run(_ command: String) -> Bool {
        guard let pipe = popen(command, "r") else { return false }
        return pclose(pipe) == 0
    }
}

/// Receive slots with memory of their own.
final class SlotSet {
    let slots: UnsafeMutablePointer<ReceiveSlot>
    let count: Int
    private let memory: UnsafeMutableRawPointer
    private let words: UnsafeMutablePointer<UInt64>
    static let room = 66_000

    init(_ count: Int, capacity: Int = SlotSet.room - 64) {
        self.count = count
        memory = .allocate(byteCount: count * SlotSet.room, alignment: 64)
        words = .allocate(capacity: count * 23)
        words.initialize(repeating: 0xdead, count: count * 23)
        slots = .allocate(capacity: count)
        for i in 0..<count {
            (slots + i).initialize(to: ReceiveSlot(data: memory + i * SlotSet.room + 64, capacity: capacity, tunnel: words + i * 23))
        }
    }

    deinit {
        memory.deallocate()
        words.deallocate()
        slots.deallocate()
    }

    func frame(_ i: Int) -> [UInt8] { Array(UnsafeRawBufferPointer(start: slots[i].data, count: slots[i].length)) }
    /// A tunnel word by its number in the flow key.
    func word(_ i: Int, _ word: Int) -> UInt64 { slots[i].tunnel[word - 16] }
}

/// A frame received, as a value.
struct Arrival: Equatable {
    var bytes: [UInt8]
    var port: UInt32
    var words: [UInt64]
    var offload: Offload
    subscript(word: Int) -> UInt64 { words[word - 16] }
}

extension TunnelLab {
    /// Shell commands that wait, at most ten seconds, until somebody listens at a TCP port of a host.
    func listening(_ host: Int, _ port: Int) -> String {
        "for i in $(seq 100); do ip netns exec \(name)\(host) ss -Hltn | grep -q ':\(port) ' && break; sleep 0.1; done"
    }
}

extension TunnelPort {
    /// Frames that arrive within `milliseconds`, at most `count`.
    func arrivals(_ count: Int, milliseconds: Int = 10_000, slots: Int = 8) -> [Arrival] {
        guard let receiver = receiver(worker: 0) else { return [] }
        let set = SlotSet(slots)
        var all: [Arrival] = []
        let end = weft_monotonic_ns() + UInt64(milliseconds) * 1_000_000
        while all.count < count, weft_monotonic_ns() < end {
            if !receiver.hasFrames {
                var descriptor = pollfd(fd: receiver.receiveDescriptor, events: Int16(POLLIN), revents: 0)
                if poll(&descriptor, 1, 20) == 0 { continue }
            }
            for i in 0..<receiver.receive(set.slots, count: set.count) {
                all.append(
                    Arrival(
                        bytes: set.frame(i), port: set.slots[i].inPort, words: (0..<23).map { set.slots[i].tunnel[$0] },
                        offload: set.slots[i].offload))
            }
        }
        return all
    }

    /// Sends frames and returns what became of each.
    func send(_ frames: [[UInt8]], offload: Offload = .none, words: [UInt64]? = nil) -> [TransmitRefusal] {
        let set = SlotSet(frames.count)
        let list = UnsafeMutablePointer<TransmitFrame>.allocate(capacity: frames.count)
        defer { list.deallocate() }
        for (i, frame) in frames.enumerated() {
            frame.withUnsafeBytes { set.slots[i].data.copyMemory(from: $0.baseAddress!, byteCount: frame.count) }
            for (w, word) in (words ?? [UInt64](repeating: 0, count: 23)).enumerated() { set.slots[i].tunnel[w] = word }
            (list + i).initialize(
                to: TransmitFrame(
                    data: set.slots[i].data, length: frame.count, offload: offload, port: number, tunnel: UnsafePointer(set.slots[i].tunnel)))
        }
        transmitter(worker: 0).transmit(list, count: frames.count)
        return (0..<frames.count).map { list[$0].refusal }
    }
}
