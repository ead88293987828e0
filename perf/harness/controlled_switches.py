"""Switches that OpenFlow drives, each a private instance in a namespace of a lab: Open vSwitch's userspace datapath, and Weft.

Both take the same arguments and answer to the same attributes, so that a test or a measurement puts one in the other's place by name (`KINDS`).
"""

import json
import os
import shutil
import subprocess
import tempfile
import time

from .lab import LabError, end, run

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
START_SECONDS = 15


class ControlledSwitch:
    """One switch with `ports` ({number: device, already in the namespace}) that connects to `controllers` and listens at `target`.

    `target` is what `ovs-ofctl` takes: a Unix socket. Without controllers, or without a connection to one, tables decide alone (fail-secure).
    `cached` False has Open vSwitch translate every packet anew: its barrier does not wait for the cache, and packets right behind one are otherwise
    treated by tables that are no more.
    """

    def __init__(self, lab, namespace, ports, controllers=(), datapath_id=1, protocols=("OpenFlow13",), name="sw", cached=True):
        self.lab, self.namespace, self.ports, self.controllers = lab, namespace, ports, list(controllers)
        self.datapath_id, self.protocols, self.bridge = f"{datapath_id:016x}", list(protocols), name
        self.directory = tempfile.mkdtemp(prefix=f"weft-{name}-")
        self.cached = cached
        self.processes = []

    def path(self, name):
        return os.path.join(self.directory, name)

    @property
    def target(self):
        return f"unix:{self.path(self.bridge)}.mgmt"

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        try:
            with open(self.path("switch.log"), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def is_alive(self):
        return self.process.poll() is None

    def _wait(self, name):
        deadline = time.monotonic() + START_SECONDS
        while not os.path.exists(self.path(name)):
            if self.process.poll() is not None:
                raise LabError(f"{self.name} ended: {self.log()[-2000:]}")
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} did not start: no {name} after {START_SECONDS} s; {self.log()[-2000:]}")
            time.sleep(0.02)

    def stop(self):
        for process in self.processes:
            end(process)
        shutil.rmtree(self.directory, ignore_errors=True)


class OpenVSwitch(ControlledSwitch):
    name = "Open vSwitch"

    @staticmethod
    def missing():
        """What has to be installed, or nothing."""
        tools = [tool for tool in ("ovs-vswitchd", "ovsdb-server", "ovs-ofctl", "ovs-vsctl") if not shutil.which(tool)]
        return "Open vSwitch is not installed (apt-get install openvswitch-switch)" if tools or not os.path.exists(SCHEMA) else None

    @property
    def environment(self):
        return dict(
            os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory, OVS_DBDIR=self.directory, OVS_SYSCONFDIR=self.directory)

    def start(self):
        environment = self.environment
        run("ovsdb-tool", "create", self.path("conf.db"), SCHEMA, env=environment)
        server = self.process = self.lab.start(
            "ovsdb-server", self.path("conf.db"), f"--remote=punix:{self.path('db.sock')}", f"--unixctl={self.path('db.ctl')}", "-vconsole:off",
            f"--log-file={self.path('db.log')}", namespace=self.namespace, env=environment)
        self._wait("db.sock")
        program = "/usr/lib/openvswitch-switch/ovs-vswitchd"
        self.process = self.lab.start(
            program if os.path.exists(program) else "ovs-vswitchd", f"unix:{self.path('db.sock')}", "--disable-system", "-vconsole:off",
            f"--unixctl={self.path('switch.ctl')}", f"--log-file={self.path('switch.log')}", namespace=self.namespace, env=environment)
        self.processes = [self.process, server]
        self._wait("switch.ctl")
        bridge = self.bridge
        command = [
            "add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", "fail-mode=secure", f"protocols={','.join(self.protocols)}",
            f"other-config:datapath-id={self.datapath_id}", "other-config:disable-in-band=true", "other-config:hwaddr=02:00:00:00:ff:fe"]
        for number, device in self.ports.items():
            command += ["--", "add-port", bridge, device, "--", "set", "interface", device, f"ofport_request={number}"]
        if self.controllers:
            command += ["--", "set-controller", bridge, *self.controllers]
        run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", *command, env=environment)
        for controller in self._controller_records():
            run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", "set", "controller", controller, "max_backoff=1000", "inactivity_probe=30000",
                "connection_mode=out-of-band", env=environment)
        self._wait(f"{bridge}.mgmt")
        # Entries of a database survive their row: only what the interface answers is what was given.
        for number, device in self.ports.items():
            given = run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", "get", "interface", device, "ofport", env=environment).strip()
            if given != str(number):
                raise LabError(f"port {device} was given the number {given}, not {number}")

        if not self.cached:
            # The limit of the database keeps the revalidators from raising the limit of the moment again.
            run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", "set", "Open_vSwitch", ".", "other_config:flow-limit=0", env=environment)
            run("ovs-appctl", "-t", self.path("switch.ctl"), "upcall/set-flow-limit", "0")

    def set_queues(self, number, maximum, queues):
        """Gives a port queues, {id: highest rate}, below a rate of its own; in bits per second."""
        command = ["set", "port", self.ports[number], "qos=@q", "--", "--id=@q", "create", "qos", "type=linux-htb", f"other-config:max-rate={maximum}"]
        command += [f"queues:{queue}=@q{queue}" for queue in queues]
        for queue, rate in queues.items():
            command += ["--", f"--id=@q{queue}", "create", "queue", f"other-config:max-rate={rate}"]
        run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", *command, env=self.environment)

    def _controller_records(self):
        if not self.controllers:
            return []
        text = run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", "--columns=_uuid", "--format=json", "list", "controller", env=self.environment)
        return [row[0][1] for row in json.loads(text)["data"]]

    @property
    def pid(self):
        return int(run("pgrep", "-g", self.process.pid, "ovs-vswitchd").split()[0])


class Weft(ControlledSwitch):
    name = "Weft"
    program = None

    @classmethod
    def missing(cls):
        if not cls.program or not os.access(cls.program, os.X_OK):
            return f"no program {cls.program}; build it (tools/swift build -c release) or name it with --weft"
        done = subprocess.run([cls.program, "switch", "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
        return None if done.returncode == 0 else f"{cls.program} has no command `switch`"

    def configuration(self):
        """The file that `weft switch --config` reads."""
        controllers = [self.target.replace("unix:", "punix:"), *self.controllers]
        lines = [f"socket: {self.path('control.sock')}", f"datapath-id: \"{self.datapath_id}\"", f"protocols: [{', '.join(self.protocols)}]"]
        lines += ["fail-mode: secure", f"controllers: [{', '.join(json.dumps(controller) for controller in controllers)}]"]
        # Without `flows` a switch begins with one entry, which forwards.
        lines += ["flows: |", "  # none", "ports:"]
        lines += [f"  - {{name: {device}, number: {number}, kind: packet, device: {device}}}" for number, device in self.ports.items()]
        return "\n".join(lines) + "\n"

    def start(self):
        with open(self.path("switch.yaml"), "w") as file:
            file.write(self.configuration())
        with open(self.path("switch.log"), "w") as log:
            self.process = self.lab.start(
                self.program, "switch", "--config", self.path("switch.yaml"), namespace=self.namespace, stdout=log, stderr=log)
        self.processes = [self.process]
        self._wait(f"{self.bridge}.mgmt")

    def set_queues(self, number, maximum, queues):
        """Gives a port queues, {id: highest rate}, below a rate of its own; in bits per second."""
        options = [word for queue, rate in queues.items() for word in ("--queue", f"{queue}: {{max-rate: {rate // 1000} kbit/s}}")]
        run(self.program, "port", "queues", self.ports[number], "--max-rate", f"{maximum // 1000} kbit/s", *options,
            "--socket", self.path("control.sock"))

    @property
    def pid(self):
        return self.process.pid


KINDS = {"ovs": OpenVSwitch, "weft": Weft}


def default_program():
    """The release build of this tree, or the debug build where there is no release build."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    for configuration in ("release", "debug"):
        program = os.path.abspath(os.path.join(root, ".build", configuration, "weft"))
        if os.path.exists(program):
            return program
    return program
