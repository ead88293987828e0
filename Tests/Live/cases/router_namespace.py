"""A logical router that is a Linux namespace, between two logical switches whose context is in a header field."""

from live.case import case, expect
from live.lab import until
from live.switch import Switch
from live.traffic import ping, tcp_both_ways
from live.wire import Capture

# The workloads' ports, the router's, and what a context is: a VLAN of its own for each logical switch and direction.
VM, ROUTER = {1: 1, 2: 2}, {1: 11, 2: 12}
FROM_VM, TO_ROUTER, TO_VM = {1: 101, 2: 102}, {1: 201, 2: 202}, {1: 301, 2: 302}


def router_mac(network):
    return f"02:00:00:00:0{network}:01"


def vm_mac(network):
    return f"02:00:00:00:0{network}:0a"


def flows():
    """Table 0 maps ports to contexts, table 1 forwards by them, table 2 takes the context away and maps to ports (A-103, A-173)."""
    broadcast = "dl_dst=ff:ff:ff:ff:ff:ff"

    def context(value):
        return f"set_field:{0x1000 | value}->vlan_vid,resubmit(,2)"

    for n in (1, 2):
        into = f"push_vlan:0x8100,set_field:{0x1000 | FROM_VM[n]}->vlan_vid,resubmit(,1)"
        for port in (VM[n], ROUTER[n]):
            yield f"table=0,priority=100,in_port={port},vlan_tci=0/0x1000,actions={into}"
        yield f"table=1,priority=100,dl_vlan={FROM_VM[n]},dl_dst={router_mac(n)},actions={context(TO_ROUTER[n])}"
        yield f"table=1,priority=100,dl_vlan={FROM_VM[n]},dl_dst={vm_mac(n)},actions={context(TO_VM[n])}"
        yield f"table=1,priority=50,dl_vlan={FROM_VM[n]},{broadcast},actions=clone({context(TO_ROUTER[n])}),clone({context(TO_VM[n])})"
        yield f"table=2,priority=100,dl_vlan={TO_ROUTER[n]},actions=strip_vlan,output:{ROUTER[n]}"
        yield f"table=2,priority=100,dl_vlan={TO_VM[n]},actions=strip_vlan,output:{VM[n]}"


@case(tools=["tcpdump", "tshark"])
def a_router_namespace(lab):
    """Frames reach a router's namespace untagged, at the port whose MAC they are sent to, and no others (AT-11); what it routes arrives."""
    middle, router = lab.space("m"), lab.space("r")
    machines = {n: lab.space(f"v{n}") for n in (1, 2)}
    ports = []
    for n, machine in machines.items():
        for number, space, device, mac, address in (
            (VM[n], machine, "eth0", vm_mac(n), f"10.8.{n}.10/24"), (ROUTER[n], router, f"to{n}", router_mac(n), f"10.8.{n}.1/24")):
            lab.veth((middle, f"p{number}"), (space, device))
            space.ip("link", "set", device, "address", mac)
            space.address(device, address)
            # Captures on a veth see what the sender leaves to its device.
            space.no_offload(device)
            ports.append({"name": f"p{number}", "number": number, "kind": "packet"})
        machine.ip("route", "add", "default", "via", f"10.8.{n}.1")
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    Switch(lab, middle, {"ports": ports, "flows": list(flows())})
    captures = {n: Capture(router, f"to{n}", direction="in") for n in (1, 2)}
    until(lambda: ping(machines[1], "10.8.2.10", count=1, wait=1, check=False), "an answer through the router")
    ping(machines[1], "10.8.2.10", count=5)
    said = machines[1].run("ping", "-n", "-c", 1, "10.8.2.10")
    expect("ttl=63" in said, f"the router is one hop: {said}")
    tcp_both_ways(machines[1], machines[2], "10.8.1.10", "10.8.2.10", 1)
    for n, capture in captures.items():
        rows = capture.stop().fields("eth.dst", "eth.src", "vlan.id", "ip.src")
        # What the kernel says to IPv6's groups at the switch's end of the wire is not the switch's.
        rows = [row for row in rows if not row[0].startswith("33:33:")]
        expect(len(rows) >= 100, f"only {len(rows)} frames at to{n}")
        expect(not any(row[2] for row in rows), lambda: f"tagged frames at to{n}: {[row for row in rows if row[2]][:3]}")
        addressed = {row[0] for row in rows} - {"ff:ff:ff:ff:ff:ff"}
        expect(addressed == {router_mac(n)}, f"frames at to{n} are for {addressed}")
        # They come from the machine of that network: the right port.
        expect({row[1] for row in rows} == {vm_mac(n)}, f"frames at to{n} come from { {row[1] for row in rows} }")
        expect({row[3] for row in rows if row[3]} == {f"10.8.{n}.10"}, f"sources at to{n}: { {row[3] for row in rows} }")
