"""What happens to devices while a switch forwards: they go, come back, change, fill up; the other ports never notice."""

import re
import time

from live.case import case, expect
from live.lab import end, until
from live.switch import Switch
from live.traffic import Pings, ping, reaches, tcp_both_ways, transfer
from live.wire import Capture
from live.workloads import pair


def started(lab, kinds, mtu=1500, **more):
    middle, workloads = pair(lab, kinds, mtu=mtu)
    switch = Switch(lab, middle, {"ports": [w.port for w in workloads]} | more)
    for w in workloads:
        w.address()
    for w in workloads[1:]:
        reaches(workloads[0].space, w.v4)
    return switch, middle, workloads


class Bystanders:
    """Pings between two ports that nothing happens to. Leaving the context fails the case when one of them was lost."""

    def __init__(self, lab, a, b):
        self.lab, self.a, self.b = lab, a, b

    def __enter__(self):
        self.pings = Pings(self.lab, self.a.space, self.b.v4, interval=0.02)
        # What happens next may be over before the first one is sent.
        until(lambda: self.pings.answers() > 2, "pings between other ports are answered")
        return self

    def __exit__(self, kind, *_):
        sent, answered = self.pings.stop()
        # The last one may still have been under way.
        if kind is None:
            expect(answered >= sent - 1, f"{sent - answered} of {sent} pings between other ports were lost")


def rebuild(lab, middle, workload):
    """A veth of the same names and addresses as the one that is gone."""
    lab.veth((middle, workload.name), (workload.space, "eth0"), mtu=workload.mtu)
    workload.set_address()


@case(tools=["iperf3"])
def device_deleted_and_made_again(lab):
    """A veth that is deleted while TCP runs over it, and made again: the port waits, forwards again, and nobody else loses a packet."""
    switch, middle, (a, b, c, d) = started(lab, ("packet", "packet", "packet", "packet"))
    longest = 0.0
    with Bystanders(lab, a, b):
        for _ in range(3):
            traffic = c.space.start("iperf3", "-s", "-1")
            until(lambda: ":5201 " in c.space.run("ss", "-Hltn"), "iperf3 listening")
            sender = d.space.start("iperf3", "-c", c.v4, "-t", "20")
            time.sleep(0.3)
            middle.ip("link", "del", c.name)
            switch.becomes(c.name, "no device")
            rebuild(lab, middle, c)
            switch.becomes(c.name, "up")
            longest = max(longest, reaches(d.space, c.v4))
            for process in (sender, traffic):
                process.kill()
                process.wait()
    tcp_both_ways(d.space, c.space, d.v4, c.v4)
    switch.alive()
    return f"reached again within {longest:.2f} s"


@case(tools=["iperf3"])
def tap_deleted_and_made_again(lab):
    """A TAP that somebody deletes under the switch is made anew by it, with its address and MTU."""
    switch, _, (a, b, c) = started(lab, ("packet", "packet", "tap"))
    address = c.space.links()["eth0"]["address"]
    with Bystanders(lab, a, b):
        c.space.ip("link", "del", "eth0")
        until(lambda: "eth0" in c.space.links(), "the TAP is made anew")
        c.set_address()
        reaches(a.space, c.v4)
    expect(c.space.links()["eth0"]["address"] == address, "it has another address")
    transfer(a.space, c.space, c.v4)


@case(("packet",), ("tap",))
def namespace_removed(lab, kind):
    """A namespace with a port's device is removed while it is pinged, and made again under the same name."""
    middle, (a, b, c) = pair(lab, ("packet", "packet", "tap"))
    if kind == "packet":
        # A veth whose switch end is in a namespace of its own.
        far = lab.space("far")
        lab.veth((far, "side"), (c.space, "eth0"))
        c.kind = "packet"
        c.port = {"name": "vm3", "number": 3, "kind": "packet", "device": "side", "netns": far.name}
        c.set_address()
    gone = far if kind == "packet" else c.space
    switch = Switch(lab, middle, {"ports": [w.port for w in (a, b, c)]})
    c.address()
    for w in (b, c):
        reaches(a.space, w.v4)
    before = switch.descriptors()
    with Bystanders(lab, a, b):
        pings = Pings(lab, a.space, c.v4)
        gone.delete()
        switch.becomes("vm3", "no device")
        gone.make()
        if kind == "packet":
            until(lambda: c.space.links().keys() == {"lo"}, "the other end of the veth is gone, too")
            lab.veth((far, "side"), (c.space, "eth0"))
            c.set_address()
        else:
            until(lambda: "eth0" in c.space.links(), lambda: f"the TAP is made anew; the port is {switch.state('vm3')}")
            c.set_address()
        reaches(a.space, c.v4)
        pings.stop()
    expect(switch.descriptors() <= before + 1, f"{switch.descriptors()} descriptors, {before} before")


@case(("packet",), ("tap",))
def link_flaps(lab, kind):
    """A link that goes down and up 25 times under traffic works afterwards; other ports lose nothing."""
    switch, middle, (a, b, c) = started(lab, ("packet", "packet", kind))
    space, device = (middle, c.name) if kind == "packet" else (c.space, "eth0")
    before = switch.descriptors()
    with Bystanders(lab, a, b):
        pings = Pings(lab, a.space, c.v4)
        for _ in range(25):
            space.ip("link", "set", device, "down")
            space.ip("link", "set", device, "up")
        pings.stop()
        switch.becomes(c.name, "up")
        c.space.ip("addr", "replace", f"{c.v6}/64", "dev", "eth0", "nodad")
        took = reaches(a.space, c.v4)
    transfer(a.space, c.space, c.v4)
    expect(switch.descriptors() == before, f"{switch.descriptors()} descriptors, {before} before")
    return f"reached again within {took:.2f} s"


@case(tools=["tcpdump"])
def mtu_change(lab):
    """The MTU of a device changes under traffic, up and down; the port follows, and no frame is ever longer."""
    switch, middle, (a, b) = started(lab, ("packet", "packet"), mtu=9000)
    for mtu in (1280, 9000, 1500):
        for space, device in ((middle, b.name), (b.space, "eth0")):
            space.ip("link", "set", device, "mtu", mtu)
        until(lambda: switch.ports()[b.name]["status"]["mtu"] == mtu, f"the port says MTU {mtu}")
        b.space.no_offload("eth0")
        middle.no_offload(b.name)
        capture = Capture(b.space, "eth0", direction="in", name=f"mtu-{mtu}")
        # The sender's device still has 9,000: its segments are the peer's size, or are cut.
        transfer(a.space, b.space, b.v4, 2)
        ping(a.space, b.v4, size=mtu - 28, whole=True)
        capture.stop()
        expect(max(capture.lengths()) <= mtu + 14, f"a frame of {max(capture.lengths())} bytes at MTU {mtu}")
        # One byte more is refused by name, unless the sender cannot send it either.
        if mtu < 9000:
            refused = switch.drops().get("exceedsMTU", 0)
            ping(a.space, b.v4, size=mtu - 27, whole=True, count=1, wait=0.3, check=False)
            expect(switch.drops().get("exceedsMTU", 0) > refused, f"drops: {switch.drops()}")


@case(())
def carrier_loss(lab):
    """The other end of a veth goes down: the port says so, what is sent there is a drop with a name, and it works again when carrier is back."""
    switch, _, (a, b, c) = started(lab, ("packet", "packet", "packet"))
    with Bystanders(lab, a, b):
        c.space.ip("link", "set", "eth0", "down")
        switch.becomes(c.name, "no carrier")
        before = sum(switch.drops().values())
        # The neighbour's entry is still there, so that frames really are for that port.
        switch.weft("flow", "add", f"priority=9,in_port=1,icmp,nw_dst={c.v4},actions=output:3")
        a.space.ip("neigh", "replace", c.v4, "lladdr", "02:00:00:00:00:03", "dev", "eth0", "nud", "permanent")
        ping(a.space, c.v4, count=5, wait=0.2, check=False)
        drops = switch.drops()
        expect(sum(drops.values()) >= before + 5, f"drops: {drops}")
        expect({"portDown"} & set(drops), f"drops without the reason portDown: {drops}")
        switch.weft("flow", "del", f"icmp,in_port=1,nw_dst={c.v4}")
        a.space.ip("neigh", "del", c.v4, "dev", "eth0")
        c.space.ip("link", "set", "eth0", "up")
        switch.becomes(c.name, "up")
        reaches(a.space, c.v4)


BLAST = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(20): s.sendto(bytes(1400), (sys.argv[1], 9))
    time.sleep(0.005)
"""


@case(())
def a_full_queue(lab):
    """A device that sends slower than it is sent to: its socket's buffer fills, what does not fit is counted by name, and other ports never stall."""
    switch, middle, (a, b, c, d) = started(lab, ("packet", "packet", "packet", "packet"))
    # The device's own queue has room for more than the socket may have under way.
    middle.run("tc", "qdisc", "add", "dev", d.name, "root", "tbf", "rate", "500kbit", "burst", "4kb", "limit", "64mb")
    alone = transfer(a.space, b.space, b.v4, 16)
    worst = Pings(lab, a.space, b.v4, interval=0.02)
    flood = c.space.start("python3", "-c", BLAST, d.v4)
    until(lambda: sum(switch.drops().values()) > 100, lambda: f"drops: {switch.drops()}", 15)
    busy = transfer(a.space, b.space, b.v4, 16)
    sent, answered = worst.stop()
    end(flood)
    drops = switch.drops()
    expect(drops.get("transmitQueueFull", 0) > 100, f"drops: {drops}")
    expect(answered >= sent - 1, f"{sent - answered} of {sent} pings between other ports were lost")
    times = [float(t) for t in re.findall(r"time=([0-9.]+) ms", lab.read(worst.file))]
    expect(max(times) < 5000, f"a ping between other ports took {max(times)} ms")
    expect(switch.is_running(), "the switch ended")
    return f"16 MiB between other ports took {busy:.2f} s, {alone:.2f} s without; {drops['transmitQueueFull']} counted drops; slowest ping {max(times):.1f} ms"


READERLESS = """
import fcntl, os, struct, sys, time
fd = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(fd, 0x400454CA, struct.pack('16sH22x', sys.argv[1].encode(), 0x1002))
print('ready', flush=True)
time.sleep(600)
"""


@case(())
def a_peer_that_stops_reading(lab):
    """The process behind a TAP reads no more: losses are counted (by the switch or the device), and other ports never stall."""
    middle, (a, b, c) = pair(lab, ("packet", "packet", "packet"))
    middle.start("python3", "-c", READERLESS, "guest", log="readerless")
    until(lambda: "ready" in lab.read("readerless"), lambda: lab.read("readerless"))
    middle.ip("link", "set", "guest", "up")
    switch = Switch(lab, middle, {
        "ports": [w.port for w in (a, b, c)] + [{"name": "guest", "number": 4, "kind": "packet"}],
        "flows": ["priority=9,in_port=3,actions=output:4", "priority=0,actions=normal"]})
    reaches(a.space, b.v4)
    before = sum(switch.drops().values()), middle.counters("guest")["tx"]["dropped"]
    pings = Pings(lab, a.space, b.v4, interval=0.02)
    c.space.ip("neigh", "replace", "10.9.0.99", "lladdr", "02:00:00:00:00:63", "dev", "eth0")
    c.space.start("python3", "-c", BLAST, "10.9.0.99")
    lost = lambda: sum(switch.drops().values()) - before[0] + middle.counters("guest")["tx"]["dropped"] - before[1]
    until(lambda: lost() > 200, lambda: f"counted losses {lost()}: {switch.drops()}, {middle.counters('guest')}", 20)
    took = transfer(a.space, b.space, b.v4, 8)
    sent, answered = pings.stop()
    expect(answered >= sent - 1, f"{sent - answered} of {sent} pings between other ports were lost")
    times = [float(t) for t in re.findall(r"time=([0-9.]+) ms", lab.read(pings.file))]
    expect(max(times) < 5000, f"a ping between other ports took {max(times)} ms")
    switch.alive()
    return f"8 MiB between other ports in {took:.2f} s; drops by the switch {switch.drops()}, by the device {middle.counters('guest')['tx']['dropped'] - before[1]}"


@case((1000,), (100,), tools=["iperf3"], quick=[(100,)])
def many_ports(lab, count):
    """A switch with very many TAPs: how long it takes to start and to list them, its memory, and traffic between the first and the last."""
    middle, (a, b) = pair(lab, ("packet", "packet"))
    ports = [a.port] + [{"name": f"t{i}", "kind": "tap"} for i in range(count - 2)] + [b.port | {"number": 4000}]
    began = time.monotonic()
    # No floods: each frame that a thousand TAPs send as they come up would be copied a thousand times.
    flows = [f"priority=9,in_port={x},actions=output:{y}" for x, y in ((1, 4000), (4000, 1))] + ["priority=0,actions=drop"]
    switch = Switch(lab, middle, {"ports": ports, "flows": flows}, seconds=120)
    start = time.monotonic() - began
    began = time.monotonic()
    listed = switch.ports()
    listing = time.monotonic() - began
    expect(len(listed) == count, f"{len(listed)} of {count} ports; waiting: {list(switch.waiting().items())[:3]}")
    taken = reaches(a.space, b.v4, 30)
    tcp_both_ways(a.space, b.space, a.v4, b.v4, 16)
    ping(a.space, b.v4, count=20)
    began = time.monotonic()
    switch.weft("port", "del", "t0")
    switch.weft("port", "add", "t0", "--kind", "tap")
    change = time.monotonic() - began
    memory, descriptors = switch.resident() >> 20, switch.descriptors()
    began = time.monotonic()
    switch.stop(60)
    stop = time.monotonic() - began
    left = [name for name in middle.links() if re.fullmatch(r"t\d+", name)]
    expect(not left, f"{len(left)} TAPs are left behind")
    return (f"{count} ports: started in {start:.1f} s, listed in {listing:.2f} s, {memory} MiB, {descriptors} descriptors, "
            f"a port deleted and added in {change:.2f} s, stopped in {stop:.1f} s; first answer after {taken:.2f} s")
