"""What a workload may try on its port, and what somebody on the wire between the hosts may: nothing that is not theirs gets through."""

import ipaddress
import json
import os
import struct
import time

from live.case import case, expect
from live.lab import until
from live.networks import HERE, Network

RAW = os.path.join(HERE, "raw_frames.py")
SCENARIO = os.path.join(os.path.dirname(__file__), "..", "..", "Scenarios", "tenants.json")
OWN, OTHER, ROUTER = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:01:00:00:01:01"
ADDRESS, NEIGHBOR = "10.1.1.10", "10.1.1.11"
ADDRESS6, NEIGHBOR6 = "fd01:1::10", "fd01:1::11"
ALL = "ff:ff:ff:ff:ff:ff"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def packed(text):
    return ipaddress.ip_address(text).packed


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(source, destination, kind, payload):
    return mac(destination) + mac(source) + struct.pack("!H", kind) + payload


def ipv4(source, destination, payload, protocol=17, fragment=0):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, fragment, 64, protocol, 0, packed(source), packed(destination))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def udp(payload, source=4000, destination=4000):
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


def arp(operation, sender, sender_address, target_address):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, mac(sender), packed(sender_address), bytes(6), packed(target_address))


def ipv6(source, destination, payload, following=17, hops=64):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), following, hops, packed(source), packed(destination)) + payload


def icmpv6(source, destination, message):
    pseudo = packed(source) + packed(destination) + struct.pack("!II", len(message), 58)
    return message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]


def udp6(source, destination, payload):
    body = udp(payload)
    pseudo = packed(source) + packed(destination) + struct.pack("!II", len(body), 17)
    return body[:6] + struct.pack("!H", checksum(pseudo + body)) + body[8:]


def neighbor(kind, target, options, marker, source=ADDRESS6, destination=NEIGHBOR6, before=b"", following=58):
    """A message of neighbour discovery; the marker is in an option that nobody knows."""
    unknown = (marker + b"......")[:14]
    message = struct.pack("!BBHI16s", kind, 0, 0, 0x60000000 if kind == 136 else 0, packed(target)) + options + struct.pack("!BB", 253, 2) + unknown
    return ipv6(source, destination, before + icmpv6(source, destination, message), following, 255)


def link(kind, address):
    return struct.pack("!BB6s", kind, 1, mac(address))


def attacks():
    """(name, marker → frame) of everything that must not leave the port."""
    to = lambda payload, **more: ethernet(more.get("source", OWN), more.get("destination", OTHER), more.get("kind", 0x0800), payload)
    v6 = lambda payload: ethernet(OWN, OTHER, 0x86DD, payload)
    tag = lambda kind, number: struct.pack("!HH", kind, number)
    own4 = lambda m: ipv4(ADDRESS, NEIGHBOR, udp(m))
    fragment = bytes([58, 0, 0, 1, 0, 0, 0, 7])
    return [
        ("another's MAC", lambda m: to(own4(m), source=OTHER)),
        ("the router's MAC", lambda m: to(own4(m), source=ROUTER)),
        ("another's address", lambda m: to(ipv4(NEIGHBOR, NEIGHBOR, udp(m)))),
        ("the router's address", lambda m: to(ipv4("10.1.1.1", NEIGHBOR, udp(m)))),
        ("another's address, routed", lambda m: to(ipv4(NEIGHBOR, "10.1.2.13", udp(m)), destination=ROUTER)),
        ("another's address, a later fragment", lambda m: to(ipv4(NEIGHBOR, NEIGHBOR, m + bytes(32), fragment=3))),
        ("another's IPv6 address", lambda m: v6(ipv6(NEIGHBOR6, NEIGHBOR6, udp6(NEIGHBOR6, NEIGHBOR6, m)))),
        ("another's link-local address", lambda m: v6(ipv6("fe80::ff:fe00:2", NEIGHBOR6, udp6("fe80::ff:fe00:2", NEIGHBOR6, m)))),
        ("no IPv6 address, UDP", lambda m: v6(ipv6("::", NEIGHBOR6, udp6("::", NEIGHBOR6, m)))),
        ("an ARP reply for another's address", lambda m: to(arp(2, OWN, NEIGHBOR, "10.1.1.14") + m, kind=0x0806, destination=ALL)),
        ("an ARP reply for the router", lambda m: to(arp(2, OWN, "10.1.1.1", NEIGHBOR) + m, kind=0x0806)),
        ("an ARP request in another's name", lambda m: to(arp(1, OTHER, ADDRESS, NEIGHBOR) + m, kind=0x0806, destination=ALL)),
        ("reverse ARP", lambda m: to(arp(3, OWN, ADDRESS, NEIGHBOR) + m, kind=0x8035, destination=ALL)),
        ("an advertisement of another's address", lambda m: v6(neighbor(136, NEIGHBOR6, link(2, OWN), m))),
        ("an advertisement of the router's address", lambda m: v6(neighbor(136, "fd01:1::1", link(2, OWN), m))),
        ("an advertisement with another's MAC", lambda m: v6(neighbor(136, ADDRESS6, link(2, OTHER), m))),
        ("a solicitation with another's MAC", lambda m: v6(neighbor(135, NEIGHBOR6, link(1, OTHER), m))),
        ("a solicitation with two MACs", lambda m: v6(neighbor(135, NEIGHBOR6, link(1, OTHER) + link(1, OWN), m))),
        ("a solicitation with another's MAC twice", lambda m: v6(neighbor(135, NEIGHBOR6, link(1, OTHER) * 2, m))),
        ("an advertisement behind destination options", lambda m: v6(neighbor(136, NEIGHBOR6, link(2, OWN), m, before=bytes([58, 0, 1, 4, 0, 0, 0, 0]), following=60))),
        ("a fragmented advertisement", lambda m: v6(neighbor(136, NEIGHBOR6, link(2, OWN), m, before=fragment, following=44))),
        ("a router advertisement", lambda m: v6(neighbor(134, "fe80::1", b"", m, destination="ff02::1"))),
        ("a redirect", lambda m: v6(neighbor(137, NEIGHBOR6, b"", m))),
        ("a VLAN tag", lambda m: mac(OTHER) + mac(OWN) + tag(0x8100, 30) + b"\x08\x00" + own4(m)),
        ("a priority tag", lambda m: mac(OTHER) + mac(OWN) + tag(0x8100, 0xE000) + b"\x08\x00" + own4(m)),
        ("two tags", lambda m: mac(OTHER) + mac(OWN) + tag(0x88A8, 1) + tag(0x8100, 2) + b"\x08\x00" + own4(m)),
        ("an old tag of tags", lambda m: mac(OTHER) + mac(OWN) + tag(0x9100, 1) + tag(0x8100, 2) + b"\x08\x00" + own4(m)),
        ("MPLS", lambda m: to(b"\x00\x01\x01\x40" + own4(m), kind=0x8847)),
        ("a bridge's message", lambda m: mac("01:80:c2:00:00:00") + mac(OWN) + struct.pack("!H", 38) + b"\x42\x42\x03" + m + bytes(35 - len(m))),
        ("a PPPoE discovery", lambda m: to(m + bytes(40), kind=0x8863, destination=ALL)),
        ("DHCP as a server", lambda m: to(ipv4("0.0.0.0", "255.255.255.255", udp(m, 67, 68)), destination=ALL)),
        ("another's address within SNAP",
         lambda m: mac(OTHER) + mac(OWN) + struct.pack("!H", 8 + 28 + len(m)) + b"\xaa\xaa\x03\0\0\0\x08\0" + ipv4(NEIGHBOR, NEIGHBOR, udp(m))),
    ]


def permitted():
    v6 = lambda payload: ethernet(OWN, OTHER, 0x86DD, payload)
    return [
        ("its own", lambda m: ethernet(OWN, OTHER, 0x0800, ipv4(ADDRESS, NEIGHBOR, udp(m)))),
        ("its own, IPv6", lambda m: v6(ipv6(ADDRESS6, NEIGHBOR6, udp6(ADDRESS6, NEIGHBOR6, m)))),
        ("its own, advertised", lambda m: v6(neighbor(136, ADDRESS6, link(2, OWN), m))),
        ("its own, announced", lambda m: ethernet(OWN, ALL, 0x0806, arp(1, OWN, ADDRESS, ADDRESS) + m)),
    ]


def geneve(egress, stage, ingress, vni, frame, version=0):
    """A datagram with the context that Weft's hosts send each other (Docs/Tunnels.md)."""
    options = struct.pack("!HBB", 0xFF57, 0x81, 2) + struct.pack("!Q", ingress << 40 | stage << 32 | egress)
    return struct.pack("!BBHI", version << 6 | len(options) // 4, 0x40, 0x6558, vni << 8) + options + frame


@case(late=True)
def hostile_workload(lab):
    """A workload that takes others' MACs and addresses, tags frames and plays router: nobody gets any of it, of its tenant or the other; what is its own arrives."""
    with open(SCENARIO) as file:
        network = Network(lab, json.load(file)["network"])
    attacker = network.machines["u1/ls1/vm1"]
    watchers = {}
    for path, machine in network.machines.items():
        if machine is not attacker:
            log = f"raw-{machine.space.role}"
            machine.space.start("python3", RAW, "watch", log=log)
            watchers[path] = log
    for path, log in watchers.items():
        until(lambda: "ready" in lab.read(log), f"the watcher of {path}")
    forbidden, allowed = attacks(), permitted()
    frames = [make(f"weft-raw-{number}".encode()) for number, (_, make) in enumerate(forbidden + allowed, 100)]
    attacker.space.run("python3", RAW, "send", attacker.device, *[frame.hex() for frame in frames])

    def got(path):
        return {int(line[9:]) - 100 for line in lab.read(watchers[path]).splitlines() if line.startswith("weft-raw-")}

    last = len(frames) - 1
    until(lambda: last in got("u1/ls1/vm2") and last in got("u1/ls1/vm5"), "the last frame, which is its own, arrives")
    time.sleep(0.3)
    for path in watchers:
        told = [forbidden[number][0] for number in sorted(got(path)) if number < len(forbidden)]
        expect(not told, f"{path} got what was forbidden: {', '.join(told)}")
    expect(got("u1/ls1/vm2") == set(range(len(forbidden), len(frames))), f"of its own, vm2 got {got('u1/ls1/vm2')}")
    others = {path: got(path) for path in watchers if path.startswith("u2/") and got(path)}
    expect(not others, f"the other tenant got {others}")
    network.alive()
    return f"{len(forbidden)} attacks on {len(watchers)} machines"


@case(late=True)
def forged_tunnels(lab):
    """Datagrams to a host's tunnel port from a workload and from a stranger on the wire, with every port's number for context: nobody gets anything."""
    with open(SCENARIO) as file:
        network = Network(lab, json.load(file)["network"])
    machines, host = network.machines, network.hosts["B"]
    stranger = lab.space("stranger")
    lab.veth((stranger, "up0"), (network.fabric, "tostranger"))
    network.fabric.ip("link", "set", "tostranger", "master", "fabric")
    stranger.address("up0", "192.0.2.66/24")
    watchers = {path: f"raw-{machine.space.role}" for path, machine in machines.items()}
    for path, log in watchers.items():
        machines[path].space.start("python3", RAW, "watch", log=log)
    for path, log in watchers.items():
        until(lambda: "ready" in lab.read(log), f"the watcher of {path}")
    inner = ethernet(OTHER, ALL, 0x0800, ipv4(ADDRESS, "255.255.255.255", udp(b"weft-raw-1")))
    datagrams = [
        geneve(egress, stage, 1, vni, inner).hex()
        for egress in list(range(1, 15)) + [0x1000001, 0x1000002, 0, 0xFFFFFFFF] for stage in (0, 14, 15, 29, 40) for vni in (0, 1, 0xFFFFFF)]
    datagrams += [geneve(1, 40, 1, 0, inner, version=1).hex(), geneve(1, 40, 1, 0, inner)[:11].hex(), inner.hex()]
    stranger.run("python3", RAW, "rogue", "192.0.2.66", "192.0.2.2", *datagrams)
    # The workload has no way to the hosts' network; it sends as if it had.
    workload = machines["u1/ls1/vm1"]
    workload.space.run("python3", RAW, "rogue", ADDRESS, "192.0.2.2", *datagrams[:30], check=False)
    forged = [ethernet(OWN, ROUTER, 0x0800, ipv4(source, "192.0.2.2", udp(bytes.fromhex(d), 6081, 6081))).hex() for source in (ADDRESS, "192.0.2.1") for d in datagrams[:15]]
    workload.space.run("python3", RAW, "send", workload.device, *forged)
    # The machines still talk, which takes longer than what was sent.
    until(lambda: "bytes from" in network.ping("u1/ls1/vm1", NEIGHBOR), "the network goes on")
    received = {path: lab.read(log).count("weft-raw-1") for path, log in watchers.items()}
    # Errors quote what a machine sent itself.
    received.pop("u1/ls1/vm1")
    expect(not any(received.values()), f"received: {received}")
    drops = json.loads(lab_stats(lab, host))["drops"]
    expect(drops.get("noMatch", 0) >= 200, f"drops of host B: {drops}")
    network.alive()
    return f"{len(datagrams)} datagrams of a stranger and {30 + len(forged)} of a workload"


def lab_stats(lab, host):
    return host.space.run(lab.program, "stats", "--json", "--socket", host.socket)
