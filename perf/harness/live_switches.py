"""The switches that live measurements compare, each in the namespaces of a lab: Weft, Open vSwitch's userspace datapath, the kernel bridge."""

import os
import shutil
import subprocess
import tempfile
import time

from .lab import LabError, end, run

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class KernelBridge:
    name = "kernel bridge"
    offloads = True

    def __init__(self, lab, namespace):
        self.namespace = namespace
        run("ip", "-n", namespace, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", namespace, "link", "set", "br0", "up")

    def add_device(self, device):
        run("ip", "-n", self.namespace, "link", "set", device, "master", "br0")

    def start(self):
        pass

    def stop(self):
        run("ip", "-n", self.namespace, "link", "del", "br0", check=False)


class OpenVSwitch:
    """A private instance: own directory, database and sockets, in its namespace."""

    name = "Open vSwitch, userspace"
    offloads = False

    def __init__(self, lab, namespace):
        self.lab, self.namespace = lab, namespace
        self.directory = tempfile.mkdtemp(prefix="weft-live-")
        self.environment = dict(
            os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory, OVS_DBDIR=self.directory, OVS_SYSCONFDIR=self.directory)
        self.processes = []
        self.commands = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def _vsctl(self, *arguments):
        run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", *arguments, env=self.environment)

    def add_device(self, device):
        self.commands.append(["add-port", "br0", device])

    def add_tap(self, device, target):
        """An internal port, which is a TAP device, moved to the target namespace."""
        self.commands.append(["add-port", "br0", device, "--", "set", "interface", device, "type=internal"])
        self.commands.append(("move", device, target))

    def add_vxlan(self, name, remote, local, underlay, prefix):
        self.commands.append(["add-br", "phy", "--", "set", "bridge", "phy", "datapath_type=netdev"])
        self.commands.append(["add-port", "phy", underlay])
        self.commands.append(("address", "phy", f"{local}/{prefix}"))
        self.commands.append(["add-port", "br0", name, "--", "set", "interface", name, "type=vxlan", f"options:remote_ip={remote}", "options:key=7"])

    def start(self):
        run("ovsdb-tool", "create", self.path("conf.db"), SCHEMA, env=self.environment)
        server = self.lab.start(
            "ovsdb-server", self.path("conf.db"), f"--remote=punix:{self.path('db.sock')}", f"--unixctl={self.path('db.ctl')}", "-vconsole:off",
            f"--log-file={self.path('db.log')}", namespace=self.namespace, env=self.environment)
        self._wait("db.sock")
        program = "/usr/lib/openvswitch-switch/ovs-vswitchd"
        self.process = self.lab.start(
            program if os.path.exists(program) else "ovs-vswitchd", f"unix:{self.path('db.sock')}", "--disable-system", "-vconsole:off",
            f"--unixctl={self.path('switch.ctl')}", f"--log-file={self.path('switch.log')}", namespace=self.namespace, env=self.environment)
        self._wait("switch.ctl")
        self.processes = [self.process, server]
        self._vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for command in self.commands:
            if command[0] == "move":
                _, device, target = command
                run("ip", "-n", self.namespace, "link", "set", device, "netns", target)
            elif command[0] == "address":
                _, device, address = command
                run("ip", "-n", self.namespace, "addr", "add", address, "dev", device)
                run("ip", "-n", self.namespace, "link", "set", device, "up")
            else:
                self._vsctl(*command)
        time.sleep(1)

    def _wait(self, name):
        for _ in range(100):
            if os.path.exists(self.path(name)):
                return
            time.sleep(0.05)
        raise LabError(f"Open vSwitch did not start: no {name}")

    @property
    def pid(self):
        return int(run("pgrep", "-g", self.process.pid, "ovs-vswitchd").split()[0])

    def stop(self):
        for process in self.processes:
            end(process)
        shutil.rmtree(self.directory, ignore_errors=True)


class Weft:
    name = "Weft"
    offloads = True
    program = None
    workers = 1

    def __init__(self, lab, namespace):
        self.lab, self.namespace = lab, namespace
        self.ports, self.tunnels = [], []
        self.directory = tempfile.mkdtemp(prefix="weft-live-")

    def add_device(self, device, kind="packet"):
        self.ports.append(f"{{name: {device}, kind: {kind}, device: {device}}}")

    def add_tap(self, device, target):
        self.ports.append(f"{{name: {device}, kind: tap, device: {device}, netns: {target}}}")

    def add_vxlan(self, name, remote, local, underlay, prefix):
        run("ip", "-n", self.namespace, "addr", "add", f"{local}/{prefix}", "dev", underlay)
        self.tunnels.append(f"{{name: {name}, kind: vxlan, remote: {remote}, key: 7}}")

    def start(self):
        path = os.path.join(self.directory, "switch.yaml")
        with open(path, "w") as file:
            file.write(f"socket: {self.directory}/control.sock\nworkers: {self.workers}\n")
            for key, entries in (("ports", self.ports), ("tunnels", self.tunnels)):
                if entries:
                    file.write(f"{key}:\n")
                    file.writelines(f"  - {entry}\n" for entry in entries)
            file.write("flows: |\n  actions=NORMAL\n")
        self.log = open(os.path.join(self.directory, "log"), "w+")
        self.process = self.lab.start(self.program, "switch", "--config", path, namespace=self.namespace, stdout=self.log, stderr=self.log)
        for _ in range(100):
            if os.path.exists(os.path.join(self.directory, "control.sock")):
                break
            if self.process.poll() is not None:
                self.log.seek(0)
                raise LabError("weft switch ended: " + self.log.read())
            time.sleep(0.05)
        time.sleep(0.5)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        end(self.process)
        shutil.rmtree(self.directory, ignore_errors=True)
