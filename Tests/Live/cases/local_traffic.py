"""Traffic between workloads of one switch: packet ports, TAPs, and one of each."""

import socket
import threading

import os

from live.case import Skip, case, expect
from live.lab import until
from live.switch import Switch
from live.traffic import iperf, neighbor, ping, reaches, tcp_both_ways, transfer
from live.wire import Capture
from live.workloads import pair


TAGGING = os.path.join(os.path.dirname(__file__), "..", "live", "tagging.py")


def started(lab, kinds, mtu=1500, **more):
    middle, workloads = pair(lab, kinds, mtu=mtu)
    switch = Switch(lab, middle, {"ports": [w.port for w in workloads]} | more)
    for w in workloads:
        w.address()
    for w in workloads[1:]:
        reaches(workloads[0].space, w.v4)
    return switch, middle, workloads


@case(("packet", "packet"), ("tap", "tap"), ("tap", "packet"), tools=["iperf3"], quick=[("tap", "packet")])
def traffic(lab, one, two):
    """Ping, TCP and UDP in both directions over IPv4 and IPv6; nobody's frames are malformed."""
    switch, _, (a, b) = started(lab, (one, two))
    for is_v6 in (False, True):
        ping(a.space, a.to(b, is_v6))
        tcp_both_ways(a.space, b.space, b.to(a, is_v6), a.to(b, is_v6))
        for reverse in (False, True):
            iperf(a.space, b.space, a.to(b, is_v6), reverse=reverse)
            iperf(a.space, b.space, a.to(b, is_v6), udp=True, reverse=reverse)
    stats = switch.stats()
    expect(not stats["arrivalDrops"] and not {"exceedsMTU", "transmitError"} & set(stats["drops"]), f"drops: {stats['drops']}, {stats['arrivalDrops']}")


@case(("packet", "packet"), ("tap", "packet"), tools=["iperf3", "tcpdump", "tshark"], quick=[("tap", "packet")])
def no_offload_at_the_receiver(lab, one, two):
    """Large segments from a sender reach a device without offloads as frames that fit, with right checksums, v4 and v6."""
    switch, middle, (a, b) = started(lab, (one, two))
    middle.no_offload(b.name)
    b.space.no_offload("eth0")
    capture = Capture(b.space, "eth0", direction="in")
    for is_v6 in (False, True):
        transfer(a.space, b.space, a.to(b, is_v6))
        iperf(a.space, b.space, a.to(b, is_v6), udp=True)
        ping(a.space, a.to(b, is_v6), size=1400)
    capture.stop().expect_clean(1500, at_least=1000)
    # That the sender did send large segments is what makes this a test.
    port = switch.ports()[a.name]
    mean = port["rxBytes"] / max(port["rxPackets"], 1)
    expect(mean > 1600, f"the sender's frames had {mean:.0f} bytes on average: no large segments")


@case(("packet", "packet"), ("tap", "tap"), tools=["iperf3"], quick=[("tap", "tap")])
def no_offload_at_the_sender(lab, one, two):
    """A sender that finishes its own checksums and segments gets through, too."""
    _, middle, (a, b) = started(lab, (one, two))
    for w in (a, b):
        w.space.no_offload("eth0")
    for is_v6 in (False, True):
        tcp_both_ways(a.space, b.space, b.to(a, is_v6), a.to(b, is_v6))


@case()
def xdp_traffic(lab):
    """Two veths by AF_XDP, in a switch that has given up its rights: ping and TCP in both directions."""
    middle, (a, b) = pair(lab, ("packet", "packet"))
    for w in (a, b):
        # A veth's sender must be told to finish its checksums and segments.
        w.space.no_offload("eth0")
    switch = Switch(lab, middle, {"ports": [w.port | {"kind": "xdp"} for w in (a, b)]})
    for w in (a, b):
        w.address()
    reaches(a.space, b.v4)
    summaries = [port["summary"] for port in switch.ports().values()]
    if not all("AF_XDP" in summary for summary in summaries):
        raise Skip(f"AF_XDP on these veths: {summaries}")
    for is_v6 in (False, True):
        ping(a.space, a.to(b, is_v6))
        transfer(a.space, b.space, a.to(b, is_v6))
        transfer(b.space, a.space, b.to(a, is_v6))


@case(("packet", "packet"), ("tap", "packet"), tools=["iperf3", "tcpdump"], quick=[("tap", "packet")])
def large_mtu(lab, one, two):
    """A path of 9,000 bytes carries frames of 9,000 bytes, whole."""
    _, middle, (a, b) = started(lab, (one, two), mtu=9000)
    middle.no_offload(b.name) if two == "packet" else None
    b.space.no_offload("eth0")
    capture = Capture(b.space, "eth0", direction="in")
    ping(a.space, b.v4, size=9000 - 28, whole=True)
    ping(a.space, b.v6, size=9000 - 48, whole=True)
    tcp_both_ways(a.space, b.space, a.v4, b.v4, 16)
    lengths = capture.stop().lengths()
    expect(max(lengths) == 9014, f"the longest frame had {max(lengths)} bytes, not 9,014")


@case(("packet", "packet"), ("tap", "tap"), tools=["tcpdump", "tshark"], quick=[("packet", "packet")])
def fragments(lab, one, two):
    """Datagrams longer than the MTU arrive in fragments, IPv4 and IPv6."""
    _, _, (a, b) = started(lab, (one, two))
    capture = Capture(b.space, "eth0", direction="in")
    ping(a.space, b.v4, size=4000)
    ping(a.space, b.v6, size=4000)
    ping(a.space, b.v4, size=60000, count=1)
    capture.stop().expect_clean(1500)
    expect(capture.count("ip.flags.mf == 1") >= 6, "no IPv4 fragments were seen")
    expect(capture.count("ipv6.fraghdr.more == 1") >= 6, "no IPv6 fragments were seen")


@case(tools=["tcpdump", "tshark"])
def neighbors(lab):
    """ARP and neighbour discovery, asked and answered anew, and gratuitous announcements, cross the switch."""
    _, _, (a, b, c) = started(lab, ("packet", "tap", "packet"))
    capture = Capture(c.space, "eth0", direction="in")
    for w in (a, b):
        w.space.ip("neigh", "flush", "all")
    for is_v6 in (False, True):
        ping(a.space, a.to(b, is_v6), count=1)
        state = neighbor(a.space, a.to(b, is_v6))
        expect(state in ("REACHABLE", "STALE", "DELAY"), f"{a.to(b, is_v6)} is {state}")
    # An address that moves is announced to everybody.
    a.space.run("sysctl", "-qw", "net.ipv4.conf.eth0.arp_notify=1")
    a.space.ip("link", "set", "eth0", "address", "02:00:09:00:00:aa")
    a.space.ip("link", "set", "eth0", "down")
    a.space.ip("link", "set", "eth0", "up")
    a.space.ip("addr", "replace", f"{a.v6}/64", "dev", "eth0", "nodad")
    until(lambda: ping(b.space, a.v4, count=1, wait=1, check=False), "an answer at the new address")
    capture.stop()
    expect(capture.count("arp.opcode == 1 and eth.dst == ff:ff:ff:ff:ff:ff") > 0, "a third port saw no ARP request")
    expect(capture.count("icmpv6.type == 135") > 0, "a third port saw no neighbour solicitation")
    expect(capture.count("arp.isgratuitous") > 0, "a third port saw no gratuitous ARP")


@case(())
def multicast(lab):
    """A datagram to a group reaches every other port, IPv4 and IPv6, and does not come back."""
    _, _, workloads = started(lab, ("packet", "tap", "packet"))
    program = (
        "import socket,struct,sys\n"
        "six = sys.argv[1] == '6'\n"
        "s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.bind(('', 5353)); s.settimeout(8); i = socket.if_nametoindex('eth0')\n"
        "if six: s.setsockopt(41, 20, socket.inet_pton(socket.AF_INET6, 'ff15::99') + struct.pack('I', i))\n"
        "else: s.setsockopt(0, 35, socket.inet_aton('239.9.9.9') + socket.inet_aton('0.0.0.0') + struct.pack('I', i))\n"
        "print('ready', flush=True)\n"
        "print(s.recv(100).decode(), flush=True)\n")
    sender = (
        "import socket,sys\n"
        "six = sys.argv[1] == '6'; i = socket.if_nametoindex('eth0')\n"
        "s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)\n"
        "if six: s.setsockopt(41, 17, i); s.sendto(b'to-the-group', ('ff15::99', 5353))\n"
        "else: s.setsockopt(0, 32, socket.inet_aton('10.9.0.1')); s.sendto(b'to-the-group', ('239.9.9.9', 5353))\n")
    for family in ("4", "6"):
        logs = []
        for w in workloads[1:]:
            log = f"group-{family}-{w.name}"
            w.space.start("python3", "-c", program, family, log=log)
            logs.append(log)
        until(lambda: all("ready" in lab.read(log) for log in logs), lambda: f"receivers: {[lab.read(log) for log in logs]}")
        before = workloads[0].space.counters("eth0")["rx"]["packets"]
        workloads[0].space.run("python3", "-c", sender, family)
        until(lambda: all("to-the-group" in lab.read(log) for log in logs), lambda: f"IPv{family}: {[lab.read(log) for log in logs]}")
        after = workloads[0].space.counters("eth0")["rx"]["packets"]
        expect(after - before < 8, "the sender heard itself")
    expect(ping(workloads[0].space, "ff02::1%eth0", count=1, check=False) >= 1, "all-nodes does not answer")


def tagged_device(lab, space, name, tags, address):
    """A guest's device that tags."""
    log = f"{space.role}-{name}"
    space.start("python3", TAGGING, name, "eth0", *tags, log=log)
    until(lambda: "ready" in lab.read(log), lambda: f"a device of tags {tags}: {lab.read(log)}")
    space.ip("link", "set", name, "mtu", "1450", "up")
    # What the guest's own stack leaves to the device is not finished by a relay.
    space.run("ethtool", "-K", "eth0", "gro", "off", "tso", "off", "gso", "off", "tx", "off", check=False)
    space.address(name, *address)


@case(("packet", "packet"), ("tap", "packet"), tools=["iperf3", "tcpdump", "tshark"], quick=[("tap", "packet")])
def tagged_guests(lab, one, two):
    """Guests with a VLAN, and with two (802.1ad outside), talk through the switch; the tags are on the wire."""
    _, middle, (a, b) = started(lab, (one, two))
    for w in (a, b):
        # The relay gives the tagged frames to the wire complete, so they must arrive complete, too.
        tagged_device(lab, w.space, "v5", ["0x8100:5"], [f"10.9.5.{w.number}/24", f"fd09:5::{w.number}/64"])
        tagged_device(lab, w.space, "q7", ["0x88a8:6", "0x8100:7"], [f"10.9.6.{w.number}/24", f"fd09:6::{w.number}/64"])
    for i in (5, 6):
        ping(a.space, f"10.9.{i}.2")
        ping(a.space, f"fd09:{i}::2")
        tcp_both_ways(a.space, b.space, f"10.9.{i}.1", f"10.9.{i}.2")
        iperf(a.space, b.space, f"10.9.{i}.2", udp=True)
    capture = Capture(b.space, "eth0", direction="in")
    ping(a.space, "10.9.5.2", size=1400)
    ping(a.space, "10.9.6.2", size=1400)
    capture.stop().expect_clean(1500, header=22)
    expect(capture.count("vlan.id == 5 and icmp") == 3, "frames of VLAN 5 are not tagged")
    outer = capture.fields("frame.protocols", "ieee8021ad.id", "vlan.id", filter="icmp and ieee8021ad")
    expect([row[1:] for row in outer] == [["6", "7"]] * 3, f"frames of two tags: {outer}")


@case(tools=["iperf3"])
def two_workers(lab):
    """With two workers many flows share them and none is reordered into a stall."""
    switch, _, (a, b) = started(lab, ("tap", "packet"), workers=2)
    iperf(a.space, b.space, b.v4, streams=8)
    iperf(a.space, b.space, b.v6, streams=8, reverse=True)
    expect(len(switch.stats()["workers"]) == 2, "there are not two workers")
