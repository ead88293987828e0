"""OVN from Debian as the peer of network computations: private directories, `ovn-northd` over two `ovsdb-server`s, and one `ovn-controller` with an
Open vSwitch whose interfaces are dummies, for the entries of a host.

The network is that of `weft bench network` (NetworkShape): tenants with two switches and a router between them. Access rules are `allow`, which OVN does
without connection tracking as long as no rule asks for it. Rows are written by transactions of ovsdb-server's own protocol; changes that are measured go
through an `ovn-nbctl` that runs as a daemon and knows the database already, so that its start is not counted.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from .openvswitch_dpdk import PeerError, _end_process

SCHEMAS = {"nb": "/usr/share/ovn/ovn-nb.ovsschema", "sb": "/usr/share/ovn/ovn-sb.ovsschema"}
SWITCH_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PACKAGES = ["ovn-central", "ovn-host"]


def is_installed():
    return all(os.path.exists(path) for path in (*SCHEMAS.values(), SWITCH_SCHEMA)) and bool(shutil.which("ovn-northd") and shutil.which("ovn-controller"))


class NetworkShape:
    """Tenants with two switches of `ports` ports each, a router between them, `rules` access rules a switch; port p of all is on host p mod `hosts`."""

    def __init__(self, tenants, ports, rules=20, hosts=50):
        self.tenants, self.ports, self.rules, self.hosts = tenants, ports, rules, hosts

    @property
    def port_count(self):
        return self.tenants * 2 * self.ports

    def switches(self):
        return [(t, s) for t in range(self.tenants) for s in range(2)]

    def number(self, t, s, p):
        return (t * 2 + s) * self.ports + p

    def host(self, t, s, p):
        return self.number(t, s, p) % self.hosts

    def mac(self, t, s, p):
        n = self.number(t, s, p)
        return f"02:00:{n >> 24 & 255:02x}:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}"

    @staticmethod
    def address(s, p):
        return f"10.{s}.{(p + 10) >> 8}.{(p + 10) & 255}"

    @staticmethod
    def router_mac(t, s):
        return f"02:01:00:{t >> 8:02x}:{t & 255:02x}:{s:02x}"

    def network_file(self):
        """The network as `weft net` reads it."""
        lines = ["hosts:"] + [f"  h{h}: {{address: 192.0.2.{h + 1}}}" for h in range(self.hosts)] + ["tenants:"]
        for t in range(self.tenants):
            lines += [f"  t{t}:", "    switches:"]
            for s in range(2):
                lines += [f"      s{s}:", "        access:"]
                for a in range(self.rules):
                    direction = "out" if a % 2 else "in"
                    lines.append(
                        f"          - {{direction: {direction}, verdict: allow, protocol: tcp, from: 10.{a}.0.0/16, to-ports: {a + 1}}}")
                lines.append("        ports:")
                for p in range(self.ports):
                    lines.append(
                        f"          p{p}: {{mac: \"{self.mac(t, s, p)}\", addresses: {self.address(s, p)}, host: h{self.host(t, s, p)}, "
                        f"tap: tap{self.number(t, s, p)}}}")
            lines += ["    routers:", "      r:", "        ports:"]
            lines += [f"          p{s}: {{switch: s{s}, addresses: 10.{s}.0.1/16, mac: \"{self.router_mac(t, s)}\"}}" for s in range(2)]
        return "\n".join(lines) + "\n"


class Database:
    """One connection to an ovsdb-server."""

    def __init__(self, path, name):
        self.name, self.number, self.rest = name, 0, ""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def transact(self, *operations):
        self.number += 1
        self.socket.sendall(json.dumps({"method": "transact", "params": [self.name, *operations], "id": self.number}).encode())
        decoder = json.JSONDecoder()
        while True:
            try:
                message, end = decoder.raw_decode(self.rest)
            except ValueError:
                data = self.socket.recv(1 << 20)
                if not data:
                    raise PeerError(f"{self.name}: ovsdb-server hung up")
                self.rest += data.decode()
                continue
            self.rest = self.rest[end:].lstrip()
            if message.get("method") == "echo":
                self.socket.sendall(json.dumps({"result": message["params"], "error": None, "id": message["id"]}).encode())
            elif message.get("id") == self.number:
                failed = message["error"] or next((r for r in message["result"] if r and "error" in r), None)
                if failed:
                    raise PeerError(f"{self.name}: {failed}")
                return message["result"]


def _set(values):
    return ["set", list(values)]


def _map(**values):
    return ["map", [[key.replace("_", "-"), value] for key, value in values.items()]]


class OVN:
    """`ovn-northd` and its databases; a context manager."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="weft-perf-ovn-")
        self.environment = dict(
            os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory, OVS_DBDIR=self.directory, OVS_SYSCONFDIR=self.directory,
            OVN_RUNDIR=self.directory, OVN_LOGDIR=self.directory, OVN_DBDIR=self.directory, OVN_SYSCONFDIR=self.directory)
        self.daemons = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def run(self, *command):
        done = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise PeerError(f"{command[0]}: {(done.stderr or done.stdout).strip()[:300]}")
        return done.stdout

    def start(self, name, program, *arguments):
        # ovn-controller of 22.09 takes no name for its control socket.
        control = [] if program == "ovn-controller" else [f"--unixctl={self.path(name + '.ctl')}"]
        self.run(
            program, *arguments, *control, f"--pidfile={self.path(name + '.pid')}", f"--log-file={self.path(name + '.log')}",
            "--no-chdir", "--detach", "-vconsole:off")
        self.daemons.append(name)

    def pid(self, name):
        with open(self.path(name + ".pid")) as file:
            return int(file.read())

    def __enter__(self):
        try:
            for name, schema in SCHEMAS.items():
                self.run("ovsdb-tool", "create", self.path(name + ".db"), schema)
                self.start(name, "ovsdb-server", self.path(name + ".db"), f"--remote=punix:{self.path(name + '.sock')}")
            self.nb = Database(self.path("nb.sock"), "OVN_Northbound")
            self.sb = Database(self.path("sb.sock"), "OVN_Southbound")
            self.nb.transact({"op": "insert", "table": "NB_Global", "row": {}})
            self.start("northd", "ovn-northd", f"--ovnnb-db=unix:{self.path('nb.sock')}", f"--ovnsb-db=unix:{self.path('sb.sock')}")
            self.start("nbctl", "ovn-nbctl", f"--db=unix:{self.path('nb.sock')}")
            self.environment["OVN_NB_DAEMON"] = self.path("nbctl.ctl")
            self.environment["OVN_NBDB"] = f"unix:{self.path('nb.sock')}"
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for name in reversed(self.daemons):
            try:
                _end_process(self.pid(name))
            except (FileNotFoundError, ValueError):
                pass
        shutil.rmtree(self.directory, ignore_errors=True)

    def nbctl(self, *arguments):
        return self.run("ovn-nbctl", *arguments)

    def build(self, shape):
        """Writes the network, and waits until it is computed."""
        for t, s in shape.switches():
            operations, ports, rules = [], [], []
            for p in range(shape.ports):
                both = f"{shape.mac(t, s, p)} {shape.address(s, p)}"
                operations.append({
                    "op": "insert", "table": "Logical_Switch_Port", "uuid-name": f"p{p}",
                    "row": {"name": f"t{t}-s{s}-p{p}", "addresses": both, "port_security": both}})
                ports.append(["named-uuid", f"p{p}"])
            operations.append({
                "op": "insert", "table": "Logical_Switch_Port", "uuid-name": "r",
                "row": {"name": f"t{t}-s{s}-r", "type": "router", "addresses": "router", "options": _map(router_port=f"t{t}-r-p{s}")}})
            ports.append(["named-uuid", "r"])
            for a in range(shape.rules):
                operations.append({
                    "op": "insert", "table": "ACL", "uuid-name": f"a{a}",
                    "row": {
                        "direction": "to-lport" if a % 2 else "from-lport", "priority": 1000 - a, "action": "allow",
                        "match": f"ip4.src == 10.{a}.0.0/16 && tcp.dst == {a + 1}"}})
                rules.append(["named-uuid", f"a{a}"])
            operations.append({"op": "insert", "table": "Logical_Switch", "row": {"name": f"t{t}-s{s}", "ports": _set(ports), "acls": _set(rules)}})
            if s == 1:
                for n in range(2):
                    operations.append({
                        "op": "insert", "table": "Logical_Router_Port", "uuid-name": f"lrp{n}",
                        "row": {"name": f"t{t}-r-p{n}", "mac": shape.router_mac(t, n), "networks": f"10.{n}.0.1/16"}})
                operations.append({
                    "op": "insert", "table": "Logical_Router",
                    "row": {"name": f"t{t}-r", "ports": _set(["named-uuid", f"lrp{n}"] for n in range(2))}})
            self.nb.transact(*operations)
        self.nbctl("--wait=sb", "sync")

    # What is measured; all in seconds.

    def recompute(self):
        """A full computation by northd, which answers the second command after it."""
        control = ("ovn-appctl", "-t", self.path("northd.ctl"))
        begun = time.perf_counter()
        self.run(*control, "inc-engine/recompute")
        self.run(*control, "version")
        return time.perf_counter() - begun

    def _timed(self, *arguments):
        begun = time.perf_counter()
        self.nbctl("--wait=sb", *arguments)
        return time.perf_counter() - begun

    def add_port(self, shape, number):
        switch, name = f"t{shape.tenants // 2}-s0", f"new{number}"
        both = f"02:99:00:00:00:{number:02x} 10.0.240.{number + 1}"
        return self._timed("lsp-add", switch, name, "--", "lsp-set-addresses", name, both, "--", "lsp-set-port-security", name, both)

    def add_rule(self, shape, number):
        return self._timed("acl-add", f"t{shape.tenants // 2}-s0", "from-lport", str(900 - number), "ip4 && tcp", "drop")

    def memory(self):
        """Resident bytes of northd and of the southbound database's server."""
        total = 0
        for name in ("northd", "sb"):
            with open(f"/proc/{self.pid(name)}/status") as file:
                total += int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) * 1024
        return total

    def logical_flows(self):
        return len(self.sb.transact({"op": "select", "table": "Logical_Flow", "where": [], "columns": ["_uuid"]})[0]["rows"])


class Host:
    """Host h0 of a network: Open vSwitch with dummies for interfaces, and `ovn-controller`. The other hosts are rows only."""

    def __init__(self, ovn, shape):
        self.ovn, self.shape = ovn, shape

    def configure(self, *command):
        return self.ovn.run("ovs-vsctl", "--timeout=60", f"--db=unix:{self.ovn.path('vswitch.sock')}", *command)

    def start(self):
        ovn, shape = self.ovn, self.shape
        chassis = []
        for h in range(1, shape.hosts):
            chassis += [
                {"op": "insert", "table": "Encap", "uuid-name": f"e{h}", "row": {"type": "geneve", "ip": f"192.0.2.{h + 1}", "chassis_name": f"h{h}"}},
                {"op": "insert", "table": "Chassis", "uuid-name": f"c{h}",
                 "row": {"name": f"h{h}", "hostname": f"h{h}", "encaps": ["named-uuid", f"e{h}"]}}]
        for t, s in shape.switches():
            for p in range(shape.ports):
                h = shape.host(t, s, p)
                if h:
                    chassis.append({
                        "op": "update", "table": "Port_Binding", "where": [["logical_port", "==", f"t{t}-s{s}-p{p}"]],
                        "row": {"chassis": ["named-uuid", f"c{h}"], "up": True}})
        ovn.sb.transact(*chassis)
        ovn.run("ovsdb-tool", "create", ovn.path("vswitch.db"), SWITCH_SCHEMA)
        ovn.start("vswitch-db", "ovsdb-server", ovn.path("vswitch.db"), f"--remote=punix:{ovn.path('vswitch.sock')}")
        self.configure("--no-wait", "init")
        ovn.start("vswitch", "ovs-vswitchd", f"unix:{ovn.path('vswitch.sock')}", "--enable-dummy=override")
        self.configure(
            "set", "Open_vSwitch", ".", "external_ids:system-id=h0", f"external_ids:ovn-remote=unix:{ovn.path('sb.sock')}",
            "external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip=192.0.2.1", "--", "add-br", "br-int", "--", "set", "Bridge", "br-int",
            "fail-mode=secure")
        command, number = [], 0
        for t, s in shape.switches():
            for p in range(shape.ports):
                if shape.host(t, s, p) == 0:
                    number += 1
                    name = f"v{t}-{s}-{p}"
                    command += [
                        "--", "add-port", "br-int", name, "--", "set", "Interface", name, f"ofport_request={number}",
                        f"external_ids:iface-id=t{t}-s{s}-p{p}"]
        self.configure(*command[1:])
        ovn.start("controller", "ovn-controller", f"unix:{ovn.path('vswitch.sock')}")
        self.locals = number
        # It is done when the switch's entries stay what they are.
        last, same, deadline = -1, 0, time.monotonic() + 120
        while same < 4:
            if time.monotonic() > deadline:
                raise PeerError("ovn-controller does not come to an end")
            time.sleep(0.5)
            count = self.count()
            same = same + 1 if count == last and count > 100 else 0
            last = count

    def _ofctl(self, *arguments):
        return self.ovn.run("ovs-ofctl", "-O", "OpenFlow15", *arguments)

    def count(self):
        return int(re.search(r"flow_count=(\d+)", self._ofctl("dump-aggregate", f"unix:{self.ovn.path('br-int.mgmt')}"))[1])

    def flows(self):
        """The switch's entries as text for `ovs-ofctl add-flows`."""
        lines = self._ofctl("--no-stats", "--no-names", "dump-flows", f"unix:{self.ovn.path('br-int.mgmt')}").splitlines()
        return [line.strip() for line in lines if "actions=" in line]
