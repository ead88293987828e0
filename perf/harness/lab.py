"""Namespaces, devices and traffic for live measurements. Everything is named after this process and removed at the end."""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time


class LabError(Exception):
    """A command that failed, with what it said."""


def run(*command, check=True, timeout=60, **more):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, **more)
    if check and done.returncode:
        raise LabError(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def end_on_signals():
    """Makes SIGTERM and SIGHUP leave by way of the context managers, which end what was started.

    Who starts this may have them blocked (Foundation's `Process` does), and so would all that is started here.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


class Lab:
    """Namespaces of this run. Use as a context manager: leaving it ends the processes started through it and removes the namespaces."""

    def __init__(self):
        self.prefix = f"wp{os.getpid() % 100000}"
        self.namespaces = []
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            end(process)
        for name in self.namespaces:
            run("ip", "netns", "del", name, check=False)

    def namespace(self, name):
        full = f"{self.prefix}{name}"
        run("ip", "netns", "add", full)
        self.namespaces.append(full)
        run("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def veth(self, a, b, mtu=1500):
        """A pair of devices; each argument is (namespace, name)."""
        run("ip", "-n", a[0], "link", "add", a[1], "mtu", mtu, "type", "veth", "peer", "name", b[1], "netns", b[0], "mtu", mtu)
        for namespace, name in (a, b):
            # No chatter of router solicitations in the counts.
            run("ip", "netns", "exec", namespace, "sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1", check=False)
            run("ip", "-n", namespace, "link", "set", name, "up")

    def address(self, namespace, device, address):
        run("ip", "-n", namespace, "addr", "add", address, "dev", device)

    def start(self, *command, namespace=None, **more):
        prefix = ["ip", "netns", "exec", namespace] if namespace else []
        more.setdefault("stdout", subprocess.DEVNULL)
        more.setdefault("stderr", subprocess.DEVNULL)
        process = subprocess.Popen(prefix + [str(c) for c in command], start_new_session=True, **more)
        self.processes.append(process)
        return process


def end(process):
    if process.poll() is not None:
        return
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(5)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def offload(namespace, device, on):
    value = "on" if on else "off"
    for feature in ("tx", "tso", "gso", "gro"):
        run("ip", "netns", "exec", namespace, "ethtool", "-K", device, feature, value, check=False)


def wait_for_path(lab, client, address, seconds=10):
    """Until a ping gets through."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        if subprocess.run(
                ["ip", "netns", "exec", client, "ping", "-c1", "-W1", address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.1)
    raise LabError(f"no ping from {client} to {address}")


def tcp(lab, client, server, address, seconds, streams=1):
    """Gbit/s received."""
    listener = lab.start("iperf3", "-s", "-1", namespace=server)
    time.sleep(0.4)
    try:
        out = run(
            "ip", "netns", "exec", client, "iperf3", "-c", address, "-t", seconds, "-P", streams, "-J", check=False, timeout=seconds + 30)
        result = json.loads(out)
        if "end" not in result or "sum_received" not in result["end"]:
            raise LabError(f"iperf3: {result.get('error', 'no result')}")
        return result["end"]["sum_received"]["bits_per_second"] / 1e9
    finally:
        end(listener)


def rx_packets(namespace, device):
    text = run("ip", "-n", namespace, "-s", "-j", "link", "show", device)
    return json.loads(text)[0]["stats64"]["rx"]["packets"]


def address_of(namespace, device):
    return json.loads(run("ip", "-n", namespace, "-j", "link", "show", device))[0]["address"]


def small_packets(lab, client, client_device, server, server_device, seconds, source, destination):
    """Mpps of 64-byte UDP frames that arrive at the server's device while one sender gives what it can."""
    # A socket that is never read: its small buffer is full at once, and the receiving stack has little to do.
    sink = lab.start(
        "python3", "-c", "import socket,time;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.setsockopt(1,8,1);s.bind(('',9));time.sleep(600)",
        namespace=server)
    frame = ("{ eth(da=%s, sa=%s) ipv4(saddr=%s, daddr=%s, ttl=64) udp(sport=7, dport=9) fill(0x00, 18) }" % (
        address_of(server, server_device), address_of(client, client_device), source, destination))
    path = f"/tmp/{lab.prefix}.trafgen"
    with open(path, "w") as file:
        file.write(frame)
    sender = lab.start("trafgen", "--dev", client_device, "--conf", path, "--cpus", "1", "-q", namespace=client)
    try:
        time.sleep(1)
        before, t0 = rx_packets(server, server_device), time.time()
        time.sleep(seconds)
        after, t1 = rx_packets(server, server_device), time.time()
        return (after - before) / (t1 - t0) / 1e6
    finally:
        end(sender)
        end(sink)
        os.unlink(path)


def round_trip(client, address, count=1000):
    """Median microseconds of a ping under light load."""
    out = run("ip", "netns", "exec", client, "ping", "-i", "0.003", "-c", count, address, timeout=count * 0.01 + 30)
    times = [float(t) for t in re.findall(r"time=([0-9.]+) ms", out)]
    if len(times) < count // 2:
        raise LabError(f"only {len(times)} of {count} pings came back")
    return statistics.median(times) * 1000


def processor_seconds(pid):
    """User and system time of a process, children not counted."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_share(pid, seconds):
    """Share of a core that a process uses without traffic, in percent."""
    before = processor_seconds(pid)
    time.sleep(seconds)
    return (processor_seconds(pid) - before) / seconds * 100


def missing_tools():
    return [t for t in ("ip", "iperf3", "trafgen", "ethtool", "ping", "bridge") if not shutil.which(t)]
