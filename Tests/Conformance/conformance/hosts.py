"""Hosts at one switch, each a namespace, and a controller in the switch's namespace; and what hosts can reach of each other."""

import os
import subprocess
import time

from harness.controlled_switches import KINDS
from harness.lab import LabError, end, offload, run

CONTROLLER_PORT = 6653
LISTEN = "import socket,sys;s=socket.socket();s.setsockopt(1,2,1);s.bind(('',int(sys.argv[1])));s.listen(50)\nwhile 1:\n c=s.accept()[0];c.sendall(b'x');c.close()"
CONNECT = "import socket,sys;s=socket.create_connection((sys.argv[1],int(sys.argv[2])),float(sys.argv[3]));sys.exit(s.recv(1)!=b'x')"


class Site:
    """`hosts` is {port number: (name, address with its length, gateway or None)}; the switch has those ports and knows the controller."""

    def __init__(self, lab, kind, hosts):
        self.lab, self.hosts = lab, {}
        self.space = lab.namespace("s")
        self.controller = None
        self.checks = []
        for port, (name, address, gateway) in hosts.items():
            space = self.hosts[name] = lab.namespace(name)
            lab.veth((space, "eth0"), (self.space, f"s{port}"))
            lab.address(space, "eth0", address)
            if gateway:
                run("ip", "-n", space, "route", "add", "default", "via", gateway)
            # Open vSwitch's userspace datapath passes no TCP with them.
            offload(space, "eth0", False)
        self.switch = KINDS[kind](lab, self.space, {port: f"s{port}" for port in hosts}, [f"tcp:127.0.0.1:{CONTROLLER_PORT}"], 1)

    def start(self, *command, log, environment=None):
        """The controller, then the switch."""
        self.log = log
        with open(log, "w") as output:
            self.controller = self.lab.start(*command, namespace=self.space, stdout=output, stderr=output, env=environment)
        self.switch.start()

    def stop(self):
        if self.controller:
            end(self.controller)
        self.switch.stop()

    # Checks. Each is taken down, with what was seen.

    def check(self, what, good, seen=""):
        self.checks.append({"check": what, "ok": bool(good), "seen": seen})
        return good

    def until(self, what, probe, seconds=30):
        """Passes as soon as `probe` is true; the first passing check also waits for the controller to come up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.controller.poll() is not None:
                return self.check(what, False, f"the controller ended: {self.controller_says()}")
            if not self.switch.is_alive():
                return self.check(what, False, f"the switch ended: {self.switch.log().strip()[-800:]}")
            if probe():
                return self.check(what, True)
            time.sleep(0.3)
        return self.check(what, False, f"not within {seconds} s")

    def controller_says(self):
        with open(self.log, errors="replace") as file:
            return file.read().strip()[-600:]

    def pings(self, source, address, *options, count=1):
        return subprocess.run(
            ["ip", "netns", "exec", self.hosts[source], "ping", "-c", str(count), "-W1", "-i0.2", *options, address], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def reaches(self, source, address):
        return self.until(f"{source} pings {address}", lambda: self.pings(source, address).returncode == 0)

    def does_not_reach(self, source, address):
        done = self.pings(source, address, count=3)
        return self.check(f"{source} does not ping {address}", done.returncode != 0, done.stdout.strip().split("\n")[-1])

    def listen(self, host, port):
        self.lab.start("python3", "-c", LISTEN, port, namespace=self.hosts[host])

    def connects(self, source, address, port, seconds=3):
        return subprocess.run(
            ["ip", "netns", "exec", self.hosts[source], "python3", "-c", CONNECT, address, str(port), str(seconds)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode == 0

    def flows(self):
        return run("ovs-ofctl", "-O", "OpenFlow13", "--no-names", "dump-flows", self.switch.target)
