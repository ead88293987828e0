"""Open vSwitch with DPDK as the peer of the measurements: private directories, one polling thread on core 1, control on core 0.

Packets come from a capture held in memory (`net_pcap` with `infinite_rx`) or, when every packet must be a new flow, are read once
from the file; they leave into a port that discards them. Huge pages are reserved for the time of the run and given back.
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

PROGRAM = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
# Without the null driver there is no port to send to, and packets would end earlier than they should.
PACKAGES = ["openvswitch-switch", "openvswitch-switch-dpdk", "dpdk", "librte-net-null23", "librte-net-pcap23"]
HUGE_PAGES = "/proc/sys/vm/nr_hugepages"
# 2 MiB pages: 2 GiB for packet buffers and some for the rest.
PAGES = 1280
MEMORY_MEGABYTES = 2048


class PeerError(Exception):
    """The peer cannot be installed, started or told something; the text says what."""


def is_installed():
    drivers = all(glob.glob(f"/usr/lib/*/librte_net_{name}.so*") for name in ("null", "pcap"))
    return os.path.exists(PROGRAM) and os.path.exists(SCHEMA) and drivers


def install(packages=PACKAGES):
    """Installs Debian packages; the daemons that they would start are not started."""
    policy = "/usr/sbin/policy-rc.d"
    made = not os.path.exists(policy)
    if made:
        with open(policy, "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
    try:
        done = subprocess.run(
            ["apt-get", "install", "-y", "-q", *packages], env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
    finally:
        if made:
            os.remove(policy)
    if done.returncode:
        raise PeerError(f"apt-get install {' '.join(packages)} failed: {done.stdout.strip().splitlines()[-1]}")


class Peer:
    """A running Open vSwitch with DPDK; a context manager."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="weft-perf-peer-")
        self.environment = dict(
            os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory, OVS_DBDIR=self.directory, OVS_SYSCONFDIR=self.directory)
        self.name = os.path.basename(self.directory)
        self.pages_before = self.mounted = None

    def path(self, name):
        return os.path.join(self.directory, name)

    def run(self, *command, check=True):
        done = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if check and done.returncode:
            raise PeerError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def configure(self, *command):
        return self.run("ovs-vsctl", "--timeout=60", f"--db=unix:{self.path('db.sock')}", *command)

    def control(self, *command):
        return self.run("ovs-appctl", "-t", self.path("switch.ctl"), *command)

    def __enter__(self):
        try:
            self._reserve_memory()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def _reserve_memory(self):
        with open(HUGE_PAGES) as file:
            self.pages_before = int(file.read())
        if self.pages_before < PAGES:
            with open(HUGE_PAGES, "w") as file:
                file.write(str(PAGES))
            with open(HUGE_PAGES) as file:
                if int(file.read()) < PAGES:
                    raise PeerError(f"cannot reserve {PAGES} huge pages of 2 MiB")
        self.mounted = self.path("hugepages")
        os.makedirs(self.mounted)
        self.run("mount", "-t", "hugetlbfs", "nodev", self.mounted)

    def _start(self):
        self.run("ovsdb-tool", "create", self.path("conf.db"), SCHEMA)
        common = ["--no-chdir", "--detach", "-vconsole:off"]
        self.run(
            "ovsdb-server", self.path("conf.db"), f"--remote=punix:{self.path('db.sock')}", f"--unixctl={self.path('db.ctl')}",
            f"--pidfile={self.path('db.pid')}", f"--log-file={self.path('db.log')}", *common)
        self.configure(
            "--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true", "other_config:pmd-cpu-mask=0x2",
            "other_config:dpdk-lcore-mask=0x1", f"other_config:dpdk-socket-mem={MEMORY_MEGABYTES}",
            f"other_config:dpdk-extra=--file-prefix={self.name} --huge-dir={self.mounted} --no-pci")
        self.run(
            PROGRAM, f"unix:{self.path('db.sock')}", f"--unixctl={self.path('switch.ctl')}", f"--pidfile={self.path('switch.pid')}",
            f"--log-file={self.path('switch.log')}", *common)
        if self.configure("get", "Open_vSwitch", ".", "dpdk_initialized").strip() != "true":
            raise PeerError(f"DPDK did not start: {self._last_log_lines()}")
        with open(self.path("switch.pid")) as file:
            self.pid = int(file.read())
        favour(self.pid)

    def _last_log_lines(self):
        with open(self.path("switch.log")) as file:
            return " / ".join(line.split("|", 4)[-1].strip() for line in file.readlines()[-4:])

    def stop(self):
        for name in ("switch.pid", "db.pid"):
            try:
                with open(self.path(name)) as file:
                    _end_process(int(file.read()))
            except (FileNotFoundError, ValueError):
                pass
        if self.mounted:
            self.run("umount", self.mounted, check=False)
        if self.pages_before is not None:
            with open(HUGE_PAGES, "w") as file:
                file.write(str(self.pages_before))
        shutil.rmtree(f"/var/run/dpdk/{self.name}", ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    # Measuring. Each measurement makes a bridge and removes it, so that the polling thread rests while Weft is measured.

    def _bridge(self, flows):
        self.configure("--if-exists", "del-br", "br0")
        self.configure(
            "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail-mode=secure", "--", "add-port", "br0", "p1", "--", "set",
            "Interface", "p1", "type=dpdk", "ofport_request=2", "options:dpdk-devargs=net_null_p1,no-rx=1")
        self._expect_port("p1", "the port that discards")
        # It would start at 10,000 cached flows and grow by 1,000 in half a second; the peer is measured at its best.
        self.control("upcall/set-flow-limit", "200000")
        if flows:
            self.add_flows(flows)

    def add_flows(self, path):
        self.run("ovs-ofctl", "-O", "OpenFlow15", "add-flows", f"unix:{self.path('br0.mgmt')}", path)

    def _add_source(self, capture, loops):
        self.configure(
            "add-port", "br0", "p0", "--", "set", "Interface", "p0", "type=dpdk", "ofport_request=1",
            f"options:dpdk-devargs=net_pcap_p0,rx_pcap={capture}{',infinite_rx=1' if loops else ''}")
        self._expect_port("p0", "the capture port")

    def _expect_port(self, name, what):
        error = self.configure("get", "Interface", name, "error").strip()
        if error not in ("[]", '""'):
            raise PeerError(f"{what} did not open: {error}")

    def remove_bridge(self):
        self.configure("--if-exists", "del-br", "br0")

    def counters(self):
        """Packets, and how they were looked up, of the polling thread."""
        text = self.control("dpif-netdev/pmd-stats-show")
        section = re.split(r"^main thread:", text, flags=re.M)[0]
        value = lambda label: int(match[1]) if (match := re.search(label + r": (\d+)", section)) else 0
        return {
            "packets": value("packets received"), "emc": value("emc hits"), "megaflow": value("megaflow hits"), "miss": value("miss with success upcall"),
            "failed": value("miss with failed upcall"), "sent": self._sent()}

    def _sent(self):
        """Packets that left by the port that discards."""
        match = re.search(r"tx pkts=(\d+)", self.run("ovs-ofctl", "-O", "OpenFlow15", "dump-ports", f"unix:{self.path('br0.mgmt')}", "2"))
        return int(match[1]) if match else 0

    def _polling_seconds(self):
        """Processor time of the polling thread."""
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/stat") as file:
                text = file.read()
            if text[text.index("(") + 1:text.rindex(")")].startswith("pmd"):
                fields = text.rpartition(")")[2].split()
                return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def warm_rate(self, flows, capture, warm_up, seconds):
        """A looped capture after `warm_up` seconds: (Mpps, details)."""
        self._bridge(flows)
        try:
            self._add_source(capture, loops=True)
            time.sleep(warm_up)
            return self._rate_over(seconds)
        finally:
            self.remove_bridge()

    def cold_rate(self, flows, capture, seconds):
        """A capture of distinct flows read once, from its first packets on: (Mpps, details)."""
        self._bridge(flows)
        try:
            self._add_source(capture, loops=False)
            deadline = time.monotonic() + 10
            while self.counters()["packets"] == 0 and time.monotonic() < deadline:
                time.sleep(0.02)
            return self._rate_over(seconds)
        finally:
            self.remove_bridge()

    def _rate_over(self, seconds):
        began, before, polled = time.monotonic(), self.counters(), self._polling_seconds()
        time.sleep(seconds)
        after, ended, polled_after = self.counters(), time.monotonic(), self._polling_seconds()
        # The counters are read in the middle of each call, which takes a few milliseconds: nothing against the seconds between.
        packets = after["packets"] - before["packets"]
        if packets == 0:
            raise PeerError("no packets were received")
        share = (polled_after - polled) / (ended - began)
        details = {key: (after[key] - before[key]) / packets for key in ("emc", "megaflow", "miss", "failed")}
        details["sentShare"] = (after["sent"] - before["sent"]) / packets
        details["processorShare"] = round(share, 3)
        details["packets"] = packets
        return packets / (ended - began) / 1e6, details

    def load(self, flows, count):
        """Time from the file to the tables: (entries per second, resident bytes per entry)."""
        self._bridge(None)
        try:
            before, began = self._resident_bytes(), time.monotonic()
            self.add_flows(flows)
            seconds = time.monotonic() - began
            loaded = int(re.search(r"flow_count=(\d+)", self.run("ovs-ofctl", "-O", "OpenFlow15", "dump-aggregate", f"unix:{self.path('br0.mgmt')}"))[1])
            if loaded != count:
                raise PeerError(f"{loaded} of {count} entries were loaded")
            return count / seconds, (self._resident_bytes() - before) / count
        finally:
            self.remove_bridge()

    def _resident_bytes(self):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) * 1024


def favour(pid):
    """Lets a process that leads a session go before whatever else the machine does, as far as the kernel lets us."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, -20)
        with open(f"/proc/{pid}/autogroup", "w") as file:
            file.write("-20")
    except OSError:
        pass


def _end_process(pid):
    try:
        os.kill(pid, signal.SIGTERM)
        for _ in range(1000):
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        pass
