"""A logical network made real: hosts in namespaces on one wire, each with a `weft run`, and a namespace for each workload, its TAP made there by its host."""

import copy
import ipaddress
import json
import os
import signal
import time

from .case import expect
from .lab import until

HERE = os.path.dirname(__file__)
CONVERSATION, SNIFF = os.path.join(HERE, "conversation.py"), os.path.join(HERE, "sniff.py")


class Machine:
    """A workload: its namespace, where it is, and what its owner configured."""

    def __init__(self, network, tenant, switch, name, port):
        self.path, self.tenant, self.device = f"{tenant}/{switch}/{name}", tenant, name
        self.space = network.lab.space(f"{tenant}{name}")
        self.heard = network.sniffer(self.space)
        self.update(network, switch, port)

    def update(self, network, switch, port):
        self.host, self.mac = port.get("host"), port["mac"]
        own = port.get("addresses", [])
        self.addresses = [own] if isinstance(own, str) else own
        prefixes = [ipaddress.ip_interface(a) for a in network.router_addresses(self.tenant, switch)]
        # The prefix of the router's port, or a common one where there is no router; the first router is the gateway.
        self.configured, self.gateways = [], {}
        for text in self.addresses:
            address = ipaddress.ip_address(text)
            router = next((p for p in prefixes if address in p.network), None)
            length = router.network.prefixlen if router else 24 if address.version == 4 else 64
            self.configured.append(f"{text}/{length}")
            if router:
                self.gateways.setdefault(address.version, str(router.ip))

    def configure(self):
        """Addresses and routes, once the device is there."""
        until(lambda: self.device in self.space.links(), f"{self.path} has its device", 15)
        self.space.ip("addr", "flush", "dev", self.device, "scope", "global")
        self.space.address(self.device, *self.configured)
        self.space.ip("link", "set", "dev", self.device, "up")
        for version, gateway in self.gateways.items():
            self.space.ip("-6" if version == 6 else "-4", "route", "replace", "default", "via", gateway, "dev", self.device)


class Element:
    """A machine on the wire of a router port: a bridge between its two devices, which passes everything unless it is told to keep it."""

    SIDES = ("peer-side", "router-side")

    def __init__(self, network, tenant, router, port):
        self.path, self.number = f"{tenant}/{router}/{port}", len(network.elements)
        self.space = network.lab.space(f"el{self.number}")
        # Nothing of its own on the wire.
        for scope in ("all", "default"):
            self.space.run("sysctl", "-qw", f"net.ipv6.conf.{scope}.disable_ipv6=1")
        self.space.ip("link", "add", "wire", "type", "bridge", "mcast_snooping", 0)
        self.space.ip("link", "set", "wire", "up")

    def configure(self):
        for side in self.SIDES:
            until(lambda: side in self.space.links(), f"the element of {self.path} has its device {side}", 15)
            self.space.ip("link", "set", "dev", side, "master", "wire")
            self.space.ip("link", "set", "dev", side, "up")

    def passes(self, does):
        self.space.ip("link", "set", "wire", "up" if does else "down")


class Host:
    def __init__(self, network, name, address):
        self.network, self.name = network, name
        self.space = network.lab.space(f"host{name}")
        self.fabric = network.lab.veth((self.space, "up0"), (network.fabric, f"to{name}"))
        network.fabric.ip("link", "set", f"to{name}", "master", "fabric")
        self.space.address("up0", f"{address}/24")
        self.sent = network.sniffer(self.space, "out")
        self.log, self.socket = f"host{name}.log", network.lab.path(f"host{name}.sock")
        network.lab.logs.append(self.log)
        self.process = None

    def start(self):
        # With a controller the host gets from it what it does otherwise by itself.
        role = ["switch", "--namespaces", "--controller", self.network.controller] if self.network.controller else ["run", self.network.file]
        self.process = self.space.start(self.network.lab.program, *role, "--host", self.name, "--socket", self.socket, log=self.log)
        until(lambda: os.path.exists(self.socket) or self.process.poll() is not None, lambda: f"host {self.name} runs:\n{self.text()}", 30)
        expect(self.process.poll() is None, lambda: f"weft run on host {self.name} ended:\n{self.text()}")

    def text(self):
        return self.network.lab.read(self.log)

    def reload(self, words="network read anew"):
        logged = len(self.text())
        self.process.send_signal(signal.SIGHUP)
        until(lambda: words in self.text()[logged:], lambda: f"host {self.name} says '{words}':\n{self.text()[logged:]}", 15)


class Network:
    """`description` is the network file as a dictionary; ports get their namespaces here. `controlled`: by a controller at 192.0.2.254, not by `weft run`."""

    def __init__(self, lab, description, controlled=False):
        self.controller = "tcp:192.0.2.254:6653" if controlled else None
        self.lab, self.description, self.file, self.number = lab, copy.deepcopy(description), lab.path("network.yaml"), 0
        self.fabric = lab.space("fabric")
        self.fabric.ip("link", "add", "fabric", "type", "bridge")
        self.fabric.ip("link", "set", "fabric", "up")
        self.machines, self.elements = {}, {}
        for tenant, switch, name, port in self.ports():
            machine = Machine(self, tenant, switch, name, port)
            self.machines[machine.path] = machine
        self.hosts = {name: Host(self, name, host["address"]) for name, host in self.description["hosts"].items()}
        self.write()
        if controlled:
            self.fabric.address("fabric", "192.0.2.254/24")
            lab.logs.append("controller.log")
            self.controller_process = self.fabric.start(
                lab.program, "controller", "--network", self.file, "--store", lab.path("controller.sqlite"), "--listen", self.controller, "--api",
                "tcp:127.0.0.1:8653", log="controller.log")
        for host in self.hosts.values():
            host.start()
        for machine in [*self.machines.values(), *self.elements.values()]:
            machine.configure()
        for name, machine in self.machines.items():
            self.ready(name, machine)

    def ports(self):
        for tenant, content in self.description["tenants"].items():
            for switch, it in content.get("switches", {}).items():
                for name, port in it.get("ports", {}).items():
                    yield tenant, switch, name, port

    def wires(self):
        """Router ports with an in-line element."""
        for tenant, content in self.description["tenants"].items():
            for router, it in content.get("routers", {}).items():
                for name, port in it.get("ports", {}).items():
                    if port.get("in-line"):
                        yield tenant, router, name, port["in-line"]

    def router_addresses(self, tenant, switch):
        for router in self.description["tenants"][tenant].get("routers", {}).values():
            for port in router.get("ports", {}).values():
                if port.get("switch") == switch:
                    addresses = port["addresses"]
                    yield from [addresses] if isinstance(addresses, str) else addresses

    def write(self):
        for tenant, _, name, port in self.ports():
            if port.get("host"):
                port["namespace"] = self.lab_name(tenant, name)
        for tenant, router, name, wire in self.wires():
            path = f"{tenant}/{router}/{name}"
            if path not in self.elements:
                self.elements[path] = Element(self, tenant, router, name)
            for side in Element.SIDES:
                wire[side] = {"namespace": self.elements[path].space.name}
        with open(self.file, "w") as file:
            json.dump(self.description, file, indent=1)

    def lab_name(self, tenant, name):
        return f"wl{self.lab.tag}{tenant}{name}"

    def sniffer(self, space, *arguments):
        log = f"sniff-{space.role}"
        space.start("python3", SNIFF, *arguments, log=log)
        until(lambda: "ready" in self.lab.read(log), f"the sniffer of {space.role}", 10)
        return log

    def ready(self, name, machine):
        """A device needs a moment until its kernel uses it for IPv6."""
        until(lambda: "LOWER_UP" in machine.space.ip("link", "show", "dev", machine.device), f"{name} has a link")

    def set(self, path, value):
        """Puts a value into the network and has the hosts read it: those first whose machines leave."""
        before = {name: m.host for name, m in self.machines.items()}
        elements = {(tenant, router, name): wire["host"] for tenant, router, name, wire in self.wires()}
        place = self.description
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
        self.write()
        moved = []
        for tenant, switch, name, port in self.ports():
            machine = self.machines[f"{tenant}/{switch}/{name}"]
            machine.update(self, switch, port)
            if machine.host != before[machine.path]:
                moved.append(machine)
        now = {(tenant, router, name): wire["host"] for tenant, router, name, wire in self.wires()}
        left = {before[m.path] for m in moved} | {host for wire, host in elements.items() if now.get(wire) != host}
        for host in sorted(self.hosts.values(), key=lambda host: (host.name not in left, host.name)):
            host.reload()
        for machine in moved:
            machine.configure()
        for tenant, router, name, _ in self.wires():
            self.elements[f"{tenant}/{router}/{name}"].configure()

    def alive(self):
        for host in self.hosts.values():
            expect(host.process.poll() is None, lambda: f"weft run on host {host.name} ended:\n{host.text()}")

    # What machines do.

    def ping(self, name, address, ttl=None, size=None, whole=False, count=1, wait=1):
        """ping's output."""
        command = ["ping", "-n", "-c", count, "-i", 0.2, "-W", wait]
        command += ["-t", ttl] if ttl else []
        command += ["-s", size] if size is not None else []
        command += ["-M", "do"] if whole else []
        return self.machines[name].space.run(*command, address, check=False).stdout

    def owner(self, tenant, address):
        return next((m for m in self.machines.values() if m.tenant == tenant and address in m.addresses), None)

    def connect(self, name, address, port):
        """`works`, `refused` or `nothing`."""
        server = self.owner(self.machines[name].tenant, address)
        log = f"listen-{time.monotonic_ns()}"
        listener = server.space.start("python3", CONVERSATION, "listen", port, log=log)
        try:
            until(lambda: "ready" in self.lab.read(log), lambda: f"{server.path} listens: {self.lab.read(log)}")
            return self.machines[name].space.run("python3", CONVERSATION, "connect", address, port).strip()
        finally:
            listener.kill()
            listener.wait()

    def send(self, name, address):
        """A marked datagram: how often each machine got it, and how often it crossed between hosts."""
        self.number += 1
        marker, machine = f"weft-scenario-{self.number}.", self.machines[name]
        machine.space.run("python3", CONVERSATION, "datagram", address, marker, machine.device)
        count = lambda log: self.lab.read(log).splitlines().count(marker.rstrip("."))
        counts = lambda: ({m.path: count(m.heard) for m in self.machines.values() if m is not machine and count(m.heard)},
                          sum(count(h.sent) for h in self.hosts.values()))
        last, same, deadline = counts(), 0, time.monotonic() + 5
        # What arrives, arrives soon; what does not is waited for a little.
        while same < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
            now = counts()
            same = same + 1 if now == last else 0
            last = now
        return last
