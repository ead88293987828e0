import Datapath
import Flow

/// What a program that has the switch inside it, as `weft run` has, does besides the configuration.
extension SwitchDaemon {
    /// Takes ports away, adds others and changes entries, in this order; on the socket's thread. What fails is logged and does not keep the rest.
    ///
    /// - Parameter done: told whether the entries were taken, all of them or none.
    public func change(
        removing names: [String], adding ports: [SwitchConfiguration.Port], entries: [FlowModification], done: @escaping @Sendable (Bool) -> Void
    ) {
        server.perform { [self] in
            for name in names {
                do throws(ControlError) { _ = try remove(name) } catch {
                    log.error("port is not removed", metadata: ["port": "\(name)", "reason": "\(error)"])
                }
            }
            for port in ports {
                do throws(ControlError) {
                    _ = try add(.port(port))
                } catch { log.error("port is not added", metadata: ["port": "\(port.name)", "reason": "\(error)"]) }
            }
            if let (index, error) = virtualSwitch.applyAll(entries) {
                log.error("flow entry refused", metadata: ["entry": "\(FlowText.text(entries[index]))", "reason": "\(error)"])
                done(false)
            } else {
                done(true)
            }
        }
    }
}
