"""Open vSwitch's userspace datapath at the other end of a tunnel, with a database, sockets and a directory of its own."""

import os
import signal
import time

from .lab import run, until

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
TOOLS = ["ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl"]


class OpenVSwitch:
    """In host 2 of a pair: bridge `un` carries the underlay, since that datapath routes tunnel packets itself; bridge `br0` has the tunnel, and is itself the
    workload with 10.9.0.2 and fd09::2."""

    def __init__(self, lab, space, kind, remote, is_v6, key):
        self.lab, self.space = lab, space
        self.directory = lab.path("ovs")
        os.mkdir(self.directory)
        self.environment = dict(os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory, OVS_DBDIR=self.directory, OVS_SYSCONFDIR=self.directory)
        self.control = ["ovs-vsctl", "--timeout=10", f"--db=unix:{self.path('db.sock')}"]
        lab.closers.append(self.stop)
        self._run("ovsdb-tool", "create", self.path("conf.db"), SCHEMA)
        daemon = ["--detach", "--no-chdir"]
        self._run("ovsdb-server", self.path("conf.db"), f"--remote=punix:{self.path('db.sock')}", f"--pidfile={self.path('db.pid')}",
                  f"--log-file={self.path('db.log')}", *daemon)
        self._run(*self.control, "--no-wait", "init")
        self._run("ovs-vswitchd", f"unix:{self.path('db.sock')}", f"--pidfile={self.path('vs.pid')}", f"--log-file={self.path('vs.log')}", *daemon)
        # Nobody at this end finishes checksums or cuts segments.
        space.no_offload("up0")
        self._run(*self.control, "add-br", "un", "--", "set", "bridge", "un", "datapath_type=netdev", "--", "add-port", "un", "up0")
        self._run(*self.control, "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "--", "add-port", "br0", "t0", "--",
                  "set", "interface", "t0", f"type={kind}", f"options:remote_ip={remote}", f"options:key={key}")
        space.ip("addr", "flush", "dev", "up0")
        space.address("un", "192.0.2.2/24", "fd02::2/64")
        space.address("br0", "10.9.0.2/24", "fd09::2/64")
        space.ip("link", "set", "un", "up")
        space.ip("link", "set", "br0", "mtu", "1400", "up")
        for device in ("un", "br0"):
            space.no_offload(device)
        until(lambda: space.run("ping", "-n", "-c1", "-W1", remote, check=False).returncode == 0, "the underlay answers")

    def number(self, port):
        """The OpenFlow number of a port."""
        return int(self._run(*self.control, "get", "interface", port, "ofport"))

    def path(self, name):
        return os.path.join(self.directory, name)

    def _run(self, *command):
        return self.space.run(*command, env=self.environment)

    def stop(self):
        """Ends both processes by their ids; one that takes too long is killed."""
        for name in ("vs", "db"):
            try:
                with open(self.path(f"{name}.pid")) as text:
                    pid = int(text.read())
                os.kill(pid, signal.SIGTERM)
                deadline = time.monotonic() + 10
                while is_running(pid) and time.monotonic() < deadline:
                    time.sleep(0.02)
                if is_running(pid):
                    os.kill(pid, signal.SIGKILL)
            except (FileNotFoundError, ValueError, ProcessLookupError):
                pass


def is_running(pid):
    """Whether a process exists and is not only waiting for its parent to notice its end."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(") ", 1)[1][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
