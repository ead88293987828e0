import CLinux
import Datapath
import Flow
import Ports
import Synchronization

/// A packet that answers one which entries handed over: forwarded by `actions`, with `metadata` as its registers.
public struct PacketAnswer: Sendable {
    public var frame: [UInt8]
    public var metadata: FlowKey
    public var actions: [Action]
    public init(frame: [UInt8], metadata: FlowKey, actions: [Action]) {
        self.frame = frame
        self.metadata = metadata
        self.actions = actions
    }
}

/// What a program that has the switch inside it, as `weft run` has, does besides the configuration.
extension SwitchDaemon {
    /// Takes ports away, adds others, gives some other queues and changes entries, in this order; on the socket's thread. What fails is logged and does not keep the rest.
    ///
    /// - Parameter done: told whether the entries were taken, all of them or none.
    public func change(
        removing names: [String], adding ports: [SwitchConfiguration.Port], requeuing: [SwitchConfiguration.Port] = [],
        tunnels: [SwitchConfiguration.Tunnel] = [], entries: [FlowModification],
        done: @escaping @Sendable (Bool) -> Void
    ) {
        server.perform { [self] in
            for name in names {
                do throws(ControlError) { _ = try remove(name) } catch {
                    log.error("port is not removed", metadata: ["port": "\(name)", "reason": "\(error)"])
                }
            }
            for wanted in ports.map(Wanted.port) + tunnels.map(Wanted.tunnel) {
                do throws(ControlError) {
                    _ = try add(wanted)
                } catch { log.error("port is not added", metadata: ["port": "\(wanted.name)", "reason": "\(error)"]) }
            }
            for port in requeuing {
                do throws(ControlError) { _ = try setQueues(port.name, port.queueing) } catch {
                    log.error("queues are not changed", metadata: ["port": "\(port.name)", "reason": "\(error)"])
                }
            }
            if let (index, error) = virtualSwitch.applyAll(entries) {
                log.error("flow entry refused", metadata: ["entry": "\(FlowText.text(entries[index]))", "reason": "\(error)"])
                done(false)
            } else {
                done(true)
            }
        }
    }

    /// Has packets that entries hand to the controller answered, instead of passing them to OpenFlow controllers. Before `start`.
    ///
    /// - Parameters:
    ///   - limit: answers in a second; further packets end unanswered.
    ///   - answer: called on the control queue, one packet at a time.
    public func answerPackets(limit: Int, _ answer: @escaping @Sendable (PacketIn) -> PacketAnswer?) {
        let vswitch = virtualSwitch
        let budget = Mutex((left: limit, second: UInt64(0)))
        let queue = Mutex<PacketInQueue?>(nil)
        let deliver: @Sendable () -> Void = { [unowned vswitch] in
            guard let packets = queue.withLock({ $0 })?.takeAll() else { return }
            for packet in packets {
                let isWithin = budget.withLock { b -> Bool in
                    let second = weft_monotonic_ns() / 1_000_000_000
                    if b.second != second { b = (limit, second) }
                    b.left -= 1
                    return b.left >= 0
                }
                guard isWithin, let a = answer(packet) else { continue }
                _ = vswitch.packetOut(a.frame, inPort: ReservedPort.controller, metadata: a.metadata, actions: a.actions)
            }
        }
        let packetIns = PacketInQueue(wake: { [weak vswitch] in vswitch?.control.async(deliver) })
        queue.withLock { $0 = packetIns }
        for thread in vswitch.threads { vswitch.reach(thread) { thread.worker.packetIns = packetIns } }
    }
}
