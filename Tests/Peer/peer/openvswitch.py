"""A private Open vSwitch: its own directory, database and sockets, the userspace datapath, and ports that exist only in memory.

The ports are of type `dummy`: a frame handed over through the control socket enters dpif-netdev exactly as it is (no padding, no offload
flags), and what leaves a port is appended to a file. The datapath, the flow tables and the actions are those that DPDK ports would use.

One frame is under way at a time: the switch's count of received packets is awaited before the next frame, so that the outcome does
not depend on timing and every frame that leaves can be ascribed to the frame that came in. Costs about 0.1 ms for a packet.
"""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
# Tried in this order: some flows can be said in an older version only (`strip_vlan` on a frame that may have no tag).
PROTOCOLS = ("OpenFlow15", "OpenFlow13", "OpenFlow10")
LOCAL = 65534
LARGEST_MTU = 65535
SHORTEST_FRAME = 14
ANSWER_SECONDS = 20


class SwitchError(Exception):
    """A command that Open vSwitch refused, with what it said."""


def end_on_signals():
    """Makes SIGTERM and SIGHUP leave by way of the context managers, which end the daemons."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def is_installed():
    return all(shutil.which(tool) for tool in ("ovs-vswitchd", "ovsdb-server", "ovs-ofctl", "ovs-vsctl")) and os.path.exists(SCHEMA)


class ControlSocket:
    """The daemon's JSON-RPC control socket, kept open; `ovs-appctl` would cost a process for each packet."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(ANSWER_SECONDS)
        self.socket.connect(path)
        self.buffer = ""
        self.decoder = json.JSONDecoder()
        self.requests = 0

    def call(self, method, *arguments):
        self.requests += 1
        self.socket.sendall(json.dumps({"id": self.requests, "method": method, "params": arguments}).encode())
        while True:
            try:
                reply, end = self.decoder.raw_decode(self.buffer)
                self.buffer = self.buffer[end:]
                break
            except ValueError:
                try:
                    data = self.socket.recv(1 << 20)
                except TimeoutError:
                    raise SwitchError(f"{method}: no answer within {ANSWER_SECONDS} s")
                if not data:
                    raise SwitchError(f"{method}: the switch closed its control socket (it may have crashed)")
                self.buffer += data.decode()
        if reply.get("error"):
            raise SwitchError(f"{method}: {reply['error'].strip()}")
        return reply["result"]

    def close(self):
        self.socket.close()


class Switch:
    """One bridge `br0` with the ports asked for, numbered as asked. Use as a context manager: leaving it ends both daemons by process id."""

    def __init__(self, ports, follow_capture_time=False, protocols=PROTOCOLS):
        self.protocols = protocols
        self.ports = [port for port in sorted(ports) if port != LOCAL]
        self.has_local = LOCAL in ports
        self.follows_capture_time = follow_capture_time
        self.directory = tempfile.mkdtemp(prefix="weft-peer-")
        self.environment = dict(
            os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory, OVS_DBDIR=self.directory, OVS_SYSCONFDIR=self.directory)
        self.control = None
        self.outputs = {}
        self.received = 0

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def path(self, name):
        return os.path.join(self.directory, name)

    def run(self, *command):
        done = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise SwitchError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def _start(self):
        self.run("ovsdb-tool", "create", self.path("conf.db"), SCHEMA)
        common = ["--no-chdir", "--detach", "-vconsole:off"]
        self.run(
            "ovsdb-server", self.path("conf.db"), f"--remote=punix:{self.path('db.sock')}", f"--unixctl={self.path('db.ctl')}",
            f"--pidfile={self.path('db.pid')}", f"--log-file={self.path('db.log')}", *common)
        self.run(
            "ovs-vswitchd", f"unix:{self.path('db.sock')}", "--enable-dummy", "--disable-system", f"--unixctl={self.path('switch.ctl')}",
            f"--pidfile={self.path('switch.pid')}", f"--log-file={self.path('switch.log')}", *common)
        configure = [
            "ovs-vsctl", f"--db=unix:{self.path('db.sock')}", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy",
            "fail-mode=secure", "other-config:hwaddr=02:00:00:00:ff:fe", "--", "set", "Interface", "br0", f"mtu_request={LARGEST_MTU}",
            f"options:tx_pcap={self.path(f'{LOCAL}.pcap')}"]
        for port in self.ports:
            configure += [
                "--", "add-port", "br0", f"p{port}", "--", "set", "Interface", f"p{port}", "type=dummy", f"ofport_request={port}",
                f"mtu_request={LARGEST_MTU}", f"options:tx_pcap={self.path(f'{port}.pcap')}"]
        self.run(*configure)
        for port in self.ports:
            number = self.run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", "get", "Interface", f"p{port}", "ofport").strip()
            if number != str(port):
                raise SwitchError(f"port {port} was given the number {number}")
        self.control = ControlSocket(self.path("switch.ctl"))
        for port in self.ports + [LOCAL]:
            file = open(self.path(f"{port}.pcap"), "rb")
            file.read(24)
            self.outputs[port] = file
        if self.follows_capture_time:
            self.control.call("time/stop")  # Needs all threads awake.
        else:
            # Revalidation translates cached flows anew from what the cache keeps of them, at moments that depend on the load of the machine.
            self.control.call("revalidator/pause")

    def stop(self):
        if self.control:
            self.control.close()
            self.control = None
        for file in self.outputs.values():
            file.close()
        self.outputs = {}
        for name in ("switch.pid", "db.pid"):
            try:
                with open(self.path(name)) as file:
                    _end_process(int(file.read()))
            except (FileNotFoundError, ValueError):
                pass
        shutil.rmtree(self.directory, ignore_errors=True)

    # Tables.

    def _ofctl(self, command, *arguments):
        refusal = None
        for protocol in self.protocols:
            try:
                return self.run("ovs-ofctl", "-O", protocol, command, f"unix:{self.path('br0.mgmt')}", *arguments)
            except SwitchError as error:
                refusal = refusal or error
                if "usable flow formats" not in str(error):
                    break
        raise refusal

    def load(self, flows, groups=None, meters=None):
        """Loads flow, group and meter files. A flow file may have `meter …` lines, and `group …` and `flow …` lines as `ovs-ofctl bundle` takes."""
        lines = _lines(flows)
        for line in _lines(meters) if meters else []:
            self._ofctl("add-meter", line)
        for line in lines:
            if line.startswith("meter "):
                self._ofctl("add-meter", _without_command(line[6:]))
        rest = [line for line in lines if not line.startswith("meter ")]
        if groups:
            self._ofctl("add-groups", groups)
        with open(self.path("flows"), "w") as file:
            file.write("\n".join(rest) + "\n")
        is_bundle = any(re.match(r"(flow|group)\s", line) for line in rest)
        self._ofctl("bundle" if is_bundle else "add-flows", self.path("flows"))

    def dump_flows(self):
        return self._ofctl("dump-flows")

    # Packets.

    def advance(self, milliseconds):
        """Moves the switch's clock on, which stands still otherwise; only with `follow_capture_time`."""
        self.control.call("time/warp", str(milliseconds), "100")
        if milliseconds >= 1000:
            time.sleep(0.1)  # Entries are ended by another thread, which has to get its turn.

    def stop_caching(self):
        """From now on no flow is cached: every packet is translated through the tables as they are at that moment.

        The limit of the database keeps the revalidators from raising the limit of the moment again.
        """
        self.run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", "set", "Open_vSwitch", ".", "other_config:flow-limit=0")
        self.control.call("upcall/set-flow-limit", "0")

    def send(self, port, frame):
        """Feeds one frame and waits until it has been dealt with. A frame without an Ethernet header is not a packet to any datapath."""
        if len(frame) < SHORTEST_FRAME:
            return
        self.control.call("netdev-dummy/receive", "br0" if port == LOCAL else f"p{port}", frame.hex())
        self.received += 1
        deadline = time.monotonic() + 10
        while self._received_count() < self.received:
            if time.monotonic() > deadline:
                raise SwitchError("a packet was not taken up within 10 s")

    def _received_count(self):
        return int(re.search(r"main thread:\n\s+packets received: (\d+)", self.control.call("dpif-netdev/pmd-stats-show"))[1])

    def collect(self):
        """What left since the last call: {port: [frame]}."""
        left = {}
        for port, file in self.outputs.items():
            data = file.read()
            at = 0
            while at < len(data):
                size = struct.unpack_from("<I", data, at + 8)[0]
                left.setdefault(port, []).append(data[at + 16:at + 16 + size])
                at += 16 + size
        return left


def replay(inputs, outputs, flows, groups=None, meters=None, cached=False, follow_capture_time=False, protocols=PROTOCOLS):
    """Sends {port: packets} through the tables; returns {port: packets} for every port of `outputs`, each packet with its cause's time.

    Every packet is translated through the tables anew: nothing is cached. With `cached` they are left on, and then the
    outcome is not always what the tables say: a cached flow of a label-less MPLS frame, for instance, is applied to frames with labels, and
    flows cached before something was learned stay in force for a while.
    """
    result = {port: [] for port in outputs}
    with Switch(set(inputs) | set(outputs), follow_capture_time, protocols) as switch:
        switch.load(flows, groups, meters)
        if not cached:
            switch.stop_caching()
        clock = None
        for when, port, frame in captured_order(inputs):
            if follow_capture_time:
                now = when // 1_000_000
                if clock is not None and now > clock:
                    switch.advance(now - clock)
                clock = now if clock is None else max(clock, now)
            switch.send(port, frame)
            for out, frames in switch.collect().items():
                if out in result:
                    result[out] += [(when, left) for left in frames]
    return result


def captured_order(inputs):
    from . import captures
    return captures.merged(inputs)


def _lines(path):
    with open(path) as file:
        return [line.strip() for line in file if line.strip() and not line.strip().startswith("#")]


def _without_command(line):
    return re.sub(r"^(add|modify)\s+", "", line.strip())


def _end_process(pid):
    """Asks a daemon to end, and insists after two seconds. An ended one that nobody has waited for yet (state Z) counts as ended."""
    try:
        os.kill(pid, signal.SIGTERM)
        for _ in range(400):
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
            time.sleep(0.005)
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        pass
