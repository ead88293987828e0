import CLinux
import Flow

/// Runs programs on packets: the one executor of hits and misses.
///
/// It knows no tables. Every end of a packet is counted here, per port or per drop reason, and given to the recorder when there is one.
/// A program changes the packet in its buffer; outputs take the bytes as they are at that moment.
final class ProgramExecutor {
    /// Packets and bytes sent, by dense port index.
    let sent: UnsafeMutablePointer<(packets: UInt64, bytes: UInt64)>
    let drops: UnsafeMutablePointer<UInt64>
    /// Copies made: counted where a packet that has ended already ends again.
    private let totals: UnsafeMutablePointer<(copied: UInt64, isRecording: Bool, isLive: Bool)>
    var copied: UInt64 { totals.pointee.copied }
    /// Ends of packets and copies, counted where they end: on a port, at the controller, in a drop.
    var ended: UInt64 {
        var n = toController
        for i in 0..<PortRegistry.limit { n += sent[i].packets }
        for i in 0..<DropReason.allCases.count { n += drops[i] }
        return n
    }
    /// Of what was sent, by dense port index 32 | queue 32: packets and bytes that entries put into a queue. A live worker's ports count themselves.
    private(set) var queued: [UInt64: (packets: UInt64, bytes: UInt64)] = [:]
    private(set) var toController: UInt64 = 0
    private(set) var toControllerBytes: UInt64 = 0
    /// When set, is told of every end with its bytes.
    var recorder: EventRecorder? {
        didSet { totals.pointee.isRecording = recorder != nil }
    }
    /// When set, takes the frames that leave.
    var stage: OutputStage? {
        didSet { totals.pointee.isLive = stage != nil }
    }
    /// When set, takes what goes to the controllers.
    var packetIns: PacketInQueue?
    private var newPacketIns = PacketInQueue.Unannounced()
    /// Whether meters and learned addresses are left as they are: for a trace in a running switch.
    var hasNoEffects = false
    private let meters: MeterStore
    private let learning: LearningTable
    /// Effects of the packet at hand, applied by the worker when its program is done.
    private(set) var pendingEffects: [UInt32] = []
    /// Frozen translations met, run by the worker.
    unowned(unsafe) var recirculator: Worker?
    /// Why copies of the packet at hand came to nothing.
    private var notedEnding: (reason: UInt8, isGeneral: Bool)?
    private var spareBuffers: [UnsafeMutableRawPointer] = []
    private let bufferSize: Int
    /// Addresses of `normal` noted last, by hash; a `version` of 0 is none.
    private struct NotedAddress { var address: UInt64 = 0, port: UInt32 = 0, version: UInt64 = 0, time: UInt64 = 0 }
    private let noted: UnsafeMutablePointer<NotedAddress>
    private static let notedCount = 256

    init(meters: MeterStore, learning: LearningTable, bufferSize: Int) {
        self.meters = meters
        self.learning = learning
        self.bufferSize = bufferSize
        noted = .allocate(capacity: Self.notedCount)
        noted.initialize(repeating: NotedAddress(), count: Self.notedCount)
        totals = .allocate(capacity: 1)
        totals.initialize(to: (0, false, false))
        sent = .allocate(capacity: PortRegistry.limit)
        drops = .allocate(capacity: DropReason.allCases.count)
        sent.initialize(repeating: (0, 0), count: PortRegistry.limit)
        drops.initialize(repeating: 0, count: DropReason.allCases.count)
    }

    deinit {
        noted.deallocate()
        totals.deallocate()
        sent.deallocate()
        drops.deallocate()
        for b in spareBuffers { b.deallocate() }
    }

    /// Words of an op with its operands.
    static func size(of op: ProgramOp, _ at: UnsafePointer<UInt64>) -> Int {
        switch op {
        case .outputTruncated, .learnAddress: return 2
        case .addresses, .route, .outputQueued: return 3
        case .ethernet, .ipv4, .ipv6, .transport, .icmp, .arp, .neighborDiscovery, .neighborDiscoveryExtensions, .backboneTag:
            return 1 + 2 * (Int(at[0] >> 16) & 0xffff).nonzeroBitCount
        case .clone: return 1 + Int(at[0] >> 32)
        case .controller: return 1 + Int(at[0] >> 16 & 0xffff)
        case .tunnel: return 1 + (at[0] >> 32).nonzeroBitCount
        default: return 1
        }
    }

    /// Whether packets went to the controllers of which they have not been told.
    var hasNewPacketIns: Bool { newPacketIns.count != 0 }

    /// Tells the control side of them.
    @inline(never) func announcePacketIns(now: UInt64) { packetIns?.announce(&newPacketIns, now: now) }

    func takeEffects() -> [UInt32] {
        defer { pendingEffects.removeAll(keepingCapacity: true) }
        return pendingEffects
    }
    var hasEffects: Bool { !pendingEffects.isEmpty }

    /// `run` as a call, for the ways that are not the packet path.
    @inline(never) func runOutlined(_ start: UnsafePointer<UInt64>, _ packet: inout PacketState) { run(start, &packet) }

    /// Runs a program from `start` to its end.
    @inline(__always)
    func run(_ start: UnsafePointer<UInt64>, _ packet: inout PacketState) {
        var at = start
        while true {
            let header = at[0]
            let op = UInt8(truncatingIfNeeded: header)
            switch op {
            case ProgramOp.end.rawValue: return
            case ProgramOp.output.rawValue:
                transmit(&packet, Int(truncatingIfNeeded: header >> 32), packet.length, isLast: header & 0x100 != 0)
                // The last output says so, which saves reading the end.
                if header & 0x100 != 0 { return }
                at += 1
            case ProgramOp.route.rawValue:
                packet.data.storeBytes(of: at[1], as: UInt64.self)
                packet.data.storeBytes(of: UInt32(truncatingIfNeeded: at[2]), toByteOffset: 8, as: UInt32.self)
                HeaderRewriting.timeToLive(packet.network, UInt8(truncatingIfNeeded: header >> 8))
                transmit(&packet, Int(truncatingIfNeeded: header >> 32), packet.length, isLast: true)
                return
            case ProgramOp.addresses.rawValue:
                // Safe: a frame has at least 14 bytes.
                packet.data.storeBytes(of: at[1], as: UInt64.self)
                packet.data.storeBytes(of: UInt32(truncatingIfNeeded: at[2]), toByteOffset: 8, as: UInt32.self)
                at += 3
            case ProgramOp.timeToLive.rawValue:
                HeaderRewriting.timeToLive(packet.network, UInt8(truncatingIfNeeded: header >> 8))
                at += 1
            case ProgramOp.ipv4.rawValue:
                let set = UInt16(truncatingIfNeeded: header >> 16)
                if set == 8 {
                    HeaderRewriting.ipv4(&packet, addresses: (0, 0), tosTTL: (at[1], at[2]))
                    at += 3
                } else if set == 4 {
                    HeaderRewriting.ipv4(&packet, addresses: (at[1], at[2]), tosTTL: (0, 0))
                    at += 3
                } else {
                    HeaderRewriting.ipv4(&packet, addresses: (at[1], at[2]), tosTTL: (at[3], at[4]))
                    at += 5
                }
            case ProgramOp.transport.rawValue:
                HeaderRewriting.ports(&packet, mask: at[1], value: at[2], proto: UInt8(truncatingIfNeeded: header >> 8))
                at += 3
            case ProgramOp.drop.rawValue:
                if header & 0xffff_0000 != 0 {
                    conclude(&packet, UInt8(truncatingIfNeeded: header >> 8), flags: UInt16(truncatingIfNeeded: header >> 16))
                } else if packet.ends == 0 {
                    drop(&packet, UInt8(truncatingIfNeeded: header >> 8))
                }
                at += 1
            default:
                guard let next = runRare(at, &packet) else { return }
                at = next
            }
        }
    }

    /// The less common operations; nil ends the program.
    @inline(never)
    private func runRare(_ at: UnsafePointer<UInt64>, _ packet: inout PacketState) -> UnsafePointer<UInt64>? {
        let header = at[0]
        let op = ProgramOp(rawValue: UInt8(truncatingIfNeeded: header))!
        let b = UInt16(truncatingIfNeeded: header >> 16)
        let c = UInt32(truncatingIfNeeded: header >> 32)
        switch op {
        case .outputTruncated:
            let growth = Int(Int32(truncatingIfNeeded: at[1] >> 32))
            transmit(&packet, Int(c), min(packet.length, Int(at[1] & 0xffff_ffff) + growth), isLast: false)
        case .outputQueued:
            let growth = Int(Int32(truncatingIfNeeded: at[2] >> 32))
            let length = at[2] == 0 ? packet.length : min(packet.length, Int(at[2] & 0xffff_ffff) + growth)
            transmit(&packet, Int(c), length, queue: UInt32(truncatingIfNeeded: at[1]), isLast: header & 0x100 != 0)
            if header & 0x100 != 0 { return nil }
        case .tunnel: stage?.setTunnel(c, at + 1)
        case .controller:
            let isNotice = header & 0x100 != 0
            let isTaken = packetIns?.append(packet, at, &newPacketIns) ?? true
            if isNotice { break }
            guard isTaken else {
                drop(&packet, DropReason.controllerQueueFull.rawValue)
                break
            }
            end(&packet)
            toController += 1
            let n = min(packet.length, Int(c))
            toControllerBytes += UInt64(n)
            recorder?.record(.controller, port: ReservedPort.controller, packet, length: n)
        case .ethernet:
            let destination = b & 1 != 0 ? (at[1], at[2]) : (0, 0)
            let next = b & 1 != 0 ? at + 3 : at + 1
            HeaderRewriting.ethernet(packet.data, destination: destination, source: b & 2 != 0 ? (next[0], next[1]) : (0, 0))
        case .ipv6: HeaderRewriting.ipv6(&packet, at + 1, b)
        case .icmp: HeaderRewriting.icmp(&packet, mask: at[1], value: at[2], isIPv4: header >> 8 & 0xff == 4)
        case .arp: HeaderRewriting.arp(&packet, at + 1, b)
        case .neighborDiscovery: HeaderRewriting.neighborDiscovery(&packet, at + 1, b)
        case .neighborDiscoveryExtensions: HeaderRewriting.neighborDiscoveryExtensions(&packet, at + 1, b)
        case .popVLAN: TagRewriting.popVLAN(&packet)
        case .pushVLAN:
            guard TagRewriting.pushVLAN(&packet, tci: b, tpid: UInt16(c)) else {
                conclude(&packet, DropReason.frameTooLong.rawValue)
                return nil
            }
        case .setMPLS: TagRewriting.setMPLS(&packet, entry: c)
        case .pushMPLS:
            guard TagRewriting.pushMPLS(&packet, type: b, entry: c) else {
                conclude(&packet, DropReason.frameTooLong.rawValue)
                return nil
            }
        case .popMPLS: TagRewriting.popMPLS(&packet, type: b)
        case .copyTTLOut: LayerRewriting.copyTTLOut(&packet)
        case .copyTTLIn: LayerRewriting.copyTTLIn(&packet)
        case .backboneTag: LayerRewriting.backboneTag(&packet, mask: at[1], value: at[2])
        case .pushPBB:
            guard LayerRewriting.pushPBB(&packet, type: b, tag: c) else {
                conclude(&packet, DropReason.frameTooLong.rawValue)
                return nil
            }
        case .popPBB: LayerRewriting.popPBB(&packet)
        case .setKind: KindRewriting.set(KindOfPayload(rawValue: UInt8(truncatingIfNeeded: header >> 8))!, b, in: packet)
        case .meter:
            switch hasNoEffects ? .pass : meters.check(c, length: packet.length, now: packet.time) {
            case .pass: break
            case .drop:
                conclude(&packet, UInt8(truncatingIfNeeded: header >> 8))
                runEffects(at + 1, packet)
                return nil
            case .remark(let levels): remark(&packet, levels: levels)
            }
        case .clone: runOnCopy(at + 1, &packet)
        case .recirculate: recirculator?.recirculate(Int(c), &packet)
        case .effect, .learnAddress: runEffect(at, packet)
        case .end, .output, .route, .addresses, .timeToLive, .ipv4, .transport, .drop: break
        }
        return at + Self.size(of: op, at)
    }

    private func runEffect(_ at: UnsafePointer<UInt64>, _ packet: PacketState) {
        let c = UInt32(truncatingIfNeeded: at[0] >> 32)
        if UInt8(truncatingIfNeeded: at[0]) == ProgramOp.effect.rawValue {
            pendingEffects.append(c)
        } else if !hasNoEffects {
            // In a running switch a table's entry is refreshed once a second; replays are exact.
            if totals.pointee.isLive, isFresh(at[1], c, packet.time) { return }
            _ = learning.learn(vlan: at[1] >> 48, mac: at[1] & 0xffff_ffff_ffff, port: c, now: packet.time)
        }
    }

    /// Whether this worker noted an address less than a second ago, with nothing learned or forgotten since; if not, it is taken as noted.
    private func isFresh(_ address: UInt64, _ port: UInt32, _ now: UInt64) -> Bool {
        let note = noted + Int(truncatingIfNeeded: (address &* 0x9E37_79B9_7F4A_7C15) >> 56)
        let version = learning.version
        if note.pointee.address == address, note.pointee.port == port, note.pointee.version == version, now &- note.pointee.time < 1_000_000_000 {
            return true
        }
        note.pointee = NotedAddress(address: address, port: port, version: version, time: now)
        return false
    }

    /// Of what a meter cut off, runs what is learned: that does not depend on the packet's end (as in Open vSwitch).
    private func runEffects(_ start: UnsafePointer<UInt64>, _ packet: PacketState) {
        var at = start
        var depth = 0
        while true {
            let op = ProgramOp(rawValue: UInt8(truncatingIfNeeded: at[0]))!
            switch op {
            case .end:
                if depth == 0 { return }
                depth -= 1
                at += 1
            case .clone:
                depth += 1
                at += 1
            default:
                if op == .effect || op == .learnAddress { runEffect(at, packet) }
                at += Self.size(of: op, at)
            }
        }
    }

    @inline(__always) private func end(_ packet: inout PacketState) {
        if packet.ends > 0 { totals.pointee.copied &+= 1 }
        packet.ends &+= 1
    }

    /// Counts and records a packet that leaves.
    @inline(__always) private func depart(_ packet: inout PacketState, _ port: Int, _ length: Int) {
        end(&packet)
        sent[port].packets &+= 1
        sent[port].bytes &+= UInt64(truncatingIfNeeded: length)
        if totals.pointee.isRecording { record(.transmitted, UInt32(truncatingIfNeeded: port), packet, length) }
    }

    @inline(__always) private func transmit(_ packet: inout PacketState, _ port: Int, _ length: Int, isLast: Bool) {
        depart(&packet, port, length)
        if totals.pointee.isLive { leave(packet, port, length, isLast) }
    }

    @inline(never) private func leave(_ packet: PacketState, _ port: Int, _ length: Int, _ isLast: Bool) {
        stage.unsafelyUnwrapped.add(packet, port, queue: 0, length: length, isLast: isLast)
    }

    /// Sends by a queue of the port. Without a stage packets take no time on their way and queues nothing but count.
    private func transmit(_ packet: inout PacketState, _ port: Int, _ length: Int, queue: UInt32, isLast: Bool) {
        depart(&packet, port, length)
        if let stage { return stage.add(packet, port, queue: queue, length: length, isLast: isLast) }
        func count(_ c: inout (packets: UInt64, bytes: UInt64)) {
            c.packets &+= 1
            c.bytes &+= UInt64(truncatingIfNeeded: length)
        }
        count(&queued[UInt64(port) << 32 | UInt64(queue), default: (0, 0)])
    }

    /// Counts a frame that its port did not send after all as the drop that it is.
    func unsend(_ port: Int, _ length: Int, _ reason: DropReason) {
        sent[port].packets &-= 1
        sent[port].bytes &-= UInt64(truncatingIfNeeded: length)
        drops[Int(reason.rawValue)] &+= 1
    }

    func drop(_ packet: inout PacketState, _ reason: UInt8) {
        end(&packet)
        drops[Int(reason)] &+= 1
        if totals.pointee.isRecording { record(.dropped, UInt32(reason), packet, 0) }
    }

    /// Decides what became of a packet that may have had copies: nothing when it or one of them has ended, else its drop; on a copy only notes
    /// the reason, for what follows the copy may still end the packet. The first specific reason counts, else what the last lookup came to.
    @inline(never)
    func conclude(_ packet: inout PacketState, _ reason: UInt8, flags: UInt16 = 0) {
        var ending = (reason: reason, isGeneral: flags & ProgramOp.EndingFlag.isGeneral != 0)
        if let noted = notedEnding, !noted.isGeneral || ending.isGeneral && flags & ProgramOp.EndingFlag.isLatest == 0 { ending = noted }
        notedEnding = nil
        guard packet.ends == 0 else { return }
        if packet.isCopy { notedEnding = ending } else { drop(&packet, ending.reason) }
    }

    @inline(never) private func record(_ kind: EventRecorder.Kind, _ port: UInt32, _ packet: PacketState, _ length: Int) {
        recorder?.record(kind, port: port, packet, length: length)
    }

    /// Runs a nested program on a copy of the packet; its ends count for the packet.
    private func runOnCopy(_ start: UnsafePointer<UInt64>, _ packet: inout PacketState) {
        let buffer = spareBuffers.popLast() ?? .allocate(byteCount: bufferSize, alignment: 64)
        var copy = PacketState(copyOf: packet, in: buffer)
        runOutlined(start, &copy)
        packet.ends = copy.ends
        spareBuffers.append(buffer)
    }

    /// Raises the drop precedence of an assured-forwarding class (RFC 2597 §6): AFx1 → AFx2 → AFx3.
    private func remark(_ packet: inout PacketState, levels: UInt8) {
        guard packet.layout.transport != FrameLayout.none, packet.layout.mpls == FrameLayout.none else { return }
        let nh = packet.network
        // The EtherType, of SNAP frames too, is right before the network header.
        let isIPv4 = HeaderRewriting.load16(nh - 2, 0) == 0x0800
        let tos: UInt8 = isIPv4 ? nh.load(fromByteOffset: 1, as: UInt8.self) : UInt8(truncatingIfNeeded: HeaderRewriting.load16(nh, 0) >> 4)
        let dscp = tos >> 2
        let precedence = dscp >> 1 & 3
        guard dscp & 1 == 0, (1...4).contains(dscp >> 3), precedence != 0 else { return }
        let raised = UInt8(min(3, Int(precedence) + Int(levels)))
        let new = UInt64((dscp & ~6 | raised << 1) << 2 | tos & 3)
        if isIPv4 {
            HeaderRewriting.ipv4(&packet, addresses: (0, 0), tosTTL: (0xff_0000, new << 16))
        } else {
            HeaderRewriting.store16(nh, 0, HeaderRewriting.load16(nh, 0) & 0xf00f | UInt16(new) << 4)
        }
    }
}
