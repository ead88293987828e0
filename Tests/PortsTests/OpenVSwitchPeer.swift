import Glibc

@testable import Ports

/// Open vSwitch's userspace datapath in one host of a lab, with a database and a directory of its own: bridge `br0` (10.99.0.2) and a tunnel to the hub.
///
/// The bridge carries the underlay too, since that datapath routes tunnel packets itself and sends them by a bridge's port.
final class OpenVSwitchPeer {
    private let lab: TunnelLab
    private let host: Int
    private let folder: String

    init?(_ lab: TunnelLab, host: Int, kind: PortKind, isIPv6: Bool) {
        self.lab = lab
        self.host = host
        folder = "/tmp/\(lab.name)-ovs"
        let hub = isIPv6 ? "fd77:\(host)::1" : "10.77.\(host).1"
        let environment = "OVS_RUNDIR=\(folder) OVS_LOGDIR=\(folder) OVS_DBDIR=\(folder) OVS_SYSCONFDIR=\(folder)"
        let control = "\(environment) ovs-vsctl --timeout=10 --db=unix:\(folder)/db.sock"
        let steps = [
            "mkdir -p \(folder)",
            "ovsdb-tool create \(folder)/conf.db /usr/share/openvswitch/vswitch.ovsschema",
            "\(environment) ovsdb-server \(folder)/conf.db --remote=punix:\(folder)/db.sock --pidfile=\(folder)/db.pid --detach --no-chdir --log-file=\(folder)/db.log",
            "\(control) --no-wait init",
            "\(environment) ovs-vswitchd unix:\(folder)/db.sock --pidfile=\(folder)/vs.pid --detach --no-chdir --log-file=\(folder)/vs.log",
            "\(control) add-br un -- set bridge un datapath_type=netdev -- add-port un eth0",
            "\(control) add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 t0 -- set interface t0 type=\(kind.rawValue) options:remote_ip=\(hub) options:key=42",
            "ip addr flush dev eth0; ip addr add 10.77.\(host).2/24 dev un; ip -6 addr add fd77:\(host)::2/64 dev un nodad; ip link set un up",
            "ip addr add 10.99.0.2/24 dev br0; ip link set br0 up",
        ]
        for step in steps where !lab.execute(host, step) {
            print("Open vSwitch peer: failed: \(step)\n\(log())")
            stop()
            return nil
        }
        if !lab.ping(host, hub) {
            print("Open vSwitch peer: the underlay does not answer\n\(log())")
            stop()
            return nil
        }
    }

    func log() -> String {
        lab.output(
            host, "tail -20 \(folder)/vs.log; ip addr; ip route; OVS_RUNDIR=\(folder) ovs-appctl -t \(folder)/ovs-vswitchd.*.ctl ovs/route/show")
    }

    /// Ends the two processes by their ids and removes the folder.
    func stop() {
        for name in ["vs", "db"] {
            lab.execute(host, "test -f \(folder)/\(name).pid && kill $(cat \(folder)/\(name).pid)")
            for _ in 0..<1000 where access("\(folder)/\(name).pid", F_OK) == 0 { usleep(20_000) }
        }
        TunnelLab.run("rm -rf \(folder)")
    }
}
