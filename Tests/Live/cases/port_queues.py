"""Queues of ports: what leaves by them is shaped, what does not is unharmed."""

import json
import os
import time

from live.case import Failure, case, expect
from live.lab import end, until
from live.networks import Network
from live.switch import Switch
from live.traffic import reaches
from live.underlay import Hosts
from live.workloads import pair

# Bytes of the frame of a datagram of datagrams.py.
FRAME = 1342
MEGABIT = 1_000_000
DATAGRAMS = os.path.join(os.path.dirname(__file__), "..", "live", "datagrams.py")


class Datagrams:
    """A stream of counted datagrams from a to b; `rate` is what is offered, in Mbit/s of payload."""

    def __init__(self, client, server, address, port, seconds, rate):
        self.lab, stamp = client.lab, time.monotonic_ns()
        self.sent, self.received = f"sent-{stamp}", f"received-{stamp}"
        self.server = server.start("python3", DATAGRAMS, "receive", port, log=self.received)
        until(lambda: self.lab.read(self.received), "the receiver listens")
        self.client = client.start("python3", DATAGRAMS, "send", address, port, rate, seconds, log=self.sent)

    def result(self):
        """Mbit/s of frames that arrived while they were sent, and the per cent that never did."""
        try:
            for process in (self.client, self.server):
                process.wait(60)
            sent, received = (json.loads(self.lab.read(log).splitlines()[-1]) for log in (self.sent, self.received))
        except ValueError:
            raise Failure(f"datagrams: {self.lab.read(self.sent)}{self.lab.read(self.received)}") from None
        finally:
            end(self.client)
            end(self.server)
        rate = (received["packetsInTime"] - 1) * FRAME * 8 / received["seconds"] / MEGABIT
        return rate, 100 * (1 - received["packets"] / sent["packets"])


def goodput(client, server, address, port, seconds):
    """Mbit/s of TCP by iperf3 that arrived."""
    log = f"iperf-{time.monotonic_ns()}"
    listener = server.start("iperf3", "-s", "-1", "-p", port)
    try:
        until(lambda: f":{port} " in server.run("ss", "-Hltn"), "iperf3 listening")
        client.start("iperf3", "-c", address, "-p", port, "-t", seconds, "-J", log=log).wait(60)
        return json.loads(client.lab.read(log))["end"]["sum_received"]["bits_per_second"] / MEGABIT
    except (ValueError, KeyError):
        raise Failure(f"iperf3: {client.lab.read(log)}") from None
    finally:
        end(listener)


def is_near(found, wanted, tolerance=0.1):
    return abs(found - wanted) <= tolerance * wanted


def queues(switch, port):
    return {q["queue"]: q for q in switch.ports()[port]["queues"]}


FLOWS = """
priority=10,udp,tp_dst=5301,actions=set_queue:1,normal
priority=10,udp,tp_dst=5302,actions=set_queue:2,normal
priority=10,tcp,tp_dst=5303,actions=set_queue:3,normal
priority=0,actions=normal
"""


def started(lab, kinds, queueing, **more):
    middle, (a, b) = pair(lab, [kind if kind != "xdp" else "packet" for kind in kinds])
    for w, kind in zip((a, b), kinds):
        if kind == "xdp":
            w.space.no_offload("eth0")
    ports = [w.port | ({"kind": "xdp"} if kind == "xdp" else {}) for w, kind in zip((a, b), kinds)]
    switch = Switch(lab, middle, {"ports": [ports[0], ports[1] | queueing], "flows": FLOWS} | more)
    for w in (a, b):
        w.address()
    reaches(a.space, b.v4)
    return switch, a, b


@case(("packet",), ("tap",), ("xdp",), quick=[("tap",)])
def a_shaped_queue(lab, kind):
    """Two queues of one port: datagrams of one arrive at its rate, those of the other all; the counters tell what was dropped (AT-31)."""
    switch, a, b = started(lab, ("packet", kind), {"queues": {1: {"max-rate": "8 Mbit/s"}}})
    streams = [Datagrams(a.space, b.space, b.v4, 5301, 4, 20), Datagrams(a.space, b.space, b.v4, 5302, 4, 10)]
    (shaped, lost), (other, harmed) = [stream.result() for stream in streams]
    expect(is_near(shaped, 8), f"the shaped queue had {shaped:.2f} Mbit/s instead of 8")
    expect(harmed < 2, f"{harmed:.1f} % of the other queue's datagrams were lost")
    until(lambda: queues(switch, b.name)[1]["waitingPackets"] == 0, "the queue is empty")
    counted, stats = queues(switch, b.name), switch.stats()
    expect(counted[1]["drops"] > 0 and counted[0]["drops"] == 0, f"{counted}")
    expect(stats["drops"].get("queueFull") == counted[1]["drops"], f"{stats['drops']}, {counted}")
    expect(stats["received"] + stats["copied"] == stats["ended"], f"{stats['received']} + {stats['copied']} = {stats['ended']}")
    return f"{shaped:.2f} Mbit/s of 8, {lost:.0f} % dropped; beside it {other:.2f} Mbit/s, {harmed:.1f} % lost"


@case()
def priorities_of_queues(lab):
    """A port of 10 Mbit/s: the queue of higher priority has all it sends, a minimum rate is kept, the rest gets what is left."""
    queueing = {"max-rate": "10 Mbit/s", "queues": {1: {"priority": 0}, 2: {"priority": 5, "min-rate": "3 Mbit/s"}, 0: {"priority": 9}}}
    switch, a, b = started(lab, ("packet", "packet"), queueing)
    first = [Datagrams(a.space, b.space, b.v4, 5301, 4, 4), Datagrams(a.space, b.space, b.v4, 5302, 4, 20)]
    (high, lost), (low, _) = [stream.result() for stream in first]
    expect(lost < 2, f"{lost:.1f} % of the datagrams of higher priority were lost")
    expect(is_near(high + low, 10), f"the port had {high + low:.2f} Mbit/s instead of 10")
    second = [Datagrams(a.space, b.space, b.v4, 5301, 4, 20), Datagrams(a.space, b.space, b.v4, 5302, 4, 20)]
    (most, _), (least, _) = [stream.result() for stream in second]
    expect(is_near(most, 7) and is_near(least, 3), f"{most:.2f} and {least:.2f} Mbit/s instead of 7 and 3")
    return f"{high:.2f} and {low:.2f}, then {most:.2f} and {least:.2f} Mbit/s"


@case(("packet",), ("tap",), tools=["iperf3"], quick=[("packet",)])
def tcp_in_a_queue(lab, kind):
    """TCP with large segments fills the rate of its queue, which is changed while it runs."""
    switch, a, b = started(lab, (kind, kind), {"queues": {3: {"max-rate": "20 Mbit/s"}}})
    before = goodput(a.space, b.space, b.v4, 5303, 4)
    expect(is_near(before, 20), f"{before:.2f} Mbit/s instead of 20")
    switch.weft("port", "queues", b.name, "--queue", "3: {max-rate: 60 Mbit/s}")
    after = goodput(a.space, b.space, b.v4, 5303, 4)
    expect(is_near(after, 60), f"{after:.2f} Mbit/s instead of 60")
    return f"{before:.2f} Mbit/s of 20, {after:.2f} of 60"


@case(("geneve",))
def a_queue_of_a_tunnel(lab, kind):
    """A queue of a tunnel port, by which two hosts are joined, is shaped as any other."""
    hosts = Hosts(lab)
    a, b = hosts.workload(1, 1), hosts.workload(2, 2)
    one = hosts.switch(1, [a], [hosts.tunnel(1, kind) | {"queues": {1: {"max-rate": "8 Mbit/s"}}}], flows=FLOWS)
    hosts.switch(2, [b], [hosts.tunnel(2, kind)])
    reaches(a.space, b.v4)
    rate, _ = Datagrams(a.space, b.space, b.v4, 5301, 4, 20).result()
    expect(is_near(rate, 8), lambda: f"{rate:.2f} Mbit/s instead of 8; {queues(one, 'tun')}")
    return f"{rate:.2f} Mbit/s of 8"


@case(quick=False, late=True)
def queues_of_a_network(lab):
    """A network file's queue shapes what is sent to a workload, and a new version of the file does so without making its device anew (A-097, A-098)."""
    network = {
        "hosts": {"A": {"address": "198.18.6.1", "queues": {"1": {"max-rate": "8 Mbit/s"}}}},
        "tenants": {"t": {"switches": {"s": {"ports": {
            "vm1": {"mac": "02:00:00:00:00:01", "addresses": "10.7.0.1", "host": "A"},
            "vm2": {"mac": "02:00:00:00:00:02", "addresses": "10.7.0.2", "host": "A", "queue": 1},
        }}}}},
    }
    made = Network(lab, network)
    a, b = (made.machines[f"t/s/{name}"] for name in ("vm1", "vm2"))

    def measured():
        return Datagrams(a.space, b.space, "10.7.0.2", 5301, 4, 20).result()[0]

    device = b.space.run("cat", f"/sys/class/net/{b.device}/ifindex")
    before = measured()
    expect(is_near(before, 8), f"{before:.2f} Mbit/s instead of 8")
    made.description["hosts"]["A"]["queues"]["1"]["max-rate"] = "4 Mbit/s"
    made.write()
    made.hosts["A"].reload()
    after = measured()
    expect(is_near(after, 4), f"{after:.2f} Mbit/s instead of 4")
    expect(b.space.run("cat", f"/sys/class/net/{b.device}/ifindex") == device, "the device is another one")
    return f"{before:.2f} Mbit/s of 8, {after:.2f} of 4"
