"""Queues of ports: what leaves by them is shaped, what does not is unharmed.

What must hold however the machine is loaded is that no more leaves than the rate lets through, that the queue's counters have all that arrived, and that drops
are where they belong. How much does leave depends on who else wants the processors: a switch that is woken late has lost what its burst does not hold. So the
least is a part of the rate, priorities are told by their order, and the best of a few attempts counts.
"""

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

# Bytes of the frame of a datagram of datagrams.py, and of the largest segment that a device gives.
FRAME, SEGMENT = 1342, 1 << 16
MEGABIT = 1_000_000
# The part of a rate that datagrams reach, and TCP, on the slowest machine.
LEAST, LEAST_OF_TCP = 0.25, 0.1
ATTEMPTS = 3
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
        """Mbit/s of frames that arrived while they were sent, the per cent that never did, and how many did."""
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
        return rate, 100 * (1 - received["packets"] / sent["packets"]), received["packets"]


def goodput(client, server, address, port, seconds):
    """Mbit/s of TCP by iperf3 that arrived, and its bytes."""
    log = f"iperf-{time.monotonic_ns()}"
    listener = server.start("iperf3", "-s", "-1", "-p", port)
    try:
        until(lambda: f":{port} " in server.run("ss", "-Hltn"), "iperf3 listening")
        client.start("iperf3", "-c", address, "-p", port, "-t", seconds, "-J", log=log).wait(60)
        result = json.loads(client.lab.read(log))["end"]["sum_received"]
        return result["bits_per_second"] / MEGABIT, result["bytes"]
    except (ValueError, KeyError):
        raise Failure(f"iperf3: {client.lab.read(log)}") from None
    finally:
        end(listener)


def best(attempt, is_good):
    """The result of the first attempt that is good, otherwise that of the last."""
    for _ in range(ATTEMPTS):
        result = attempt()
        if is_good(result):
            break
    return result


def queues(switch, port):
    return {q["queue"]: q for q in switch.ports()[port]["queues"]}


class Watch:
    """What the queues of a port send and drop from now until `finish`."""

    def __init__(self, switch, port):
        self.switch, self.port = switch, port
        # The time before the counters here, after them at the end: what they tell was sent in less.
        self.began, self.before = time.monotonic(), queues(switch, port)

    def finish(self):
        until(lambda: not any(q["waitingPackets"] for q in queues(self.switch, self.port).values()), "the queues are empty", 30)
        self.after = queues(self.switch, self.port)
        self.seconds = time.monotonic() - self.began

    def count(self, key, *ids):
        return sum(self.after[i][key] - self.before[i][key] for i in ids)

    def kept(self, rate, *ids, arrived):
        """Fails unless these queues sent at most what a rate in Mbit/s lets through (TokenBucket: rate and time, its burst of 10 ms, one frame), and
        no fewer bytes than `arrived`."""
        sent, allowed = self.count("bytes", *ids), rate * MEGABIT / 8 * (self.seconds + 0.01) + SEGMENT
        expect(sent <= allowed, f"{sent} bytes in {self.seconds:.2f} s by queues {ids}: {rate} Mbit/s are {allowed:.0f}")
        expect(sent >= arrived, f"{arrived} bytes arrived of {sent} that queues {ids} sent")


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

    def attempt():
        watch = Watch(switch, b.name)
        streams = [Datagrams(a.space, b.space, b.v4, 5301, 4, 20), Datagrams(a.space, b.space, b.v4, 5302, 4, 10)]
        (shaped, lost, arrived), (other, harmed, _) = [stream.result() for stream in streams]
        watch.finish()
        watch.kept(8, 1, arrived=arrived * FRAME)
        expect(watch.count("drops", 1) > 0, f"nothing was dropped: {watch.after}")
        return shaped, lost, other, harmed

    shaped, lost, other, harmed = best(attempt, lambda result: result[0] >= LEAST * 8 and result[3] < 2)
    expect(shaped >= LEAST * 8, f"the shaped queue had {shaped:.2f} Mbit/s of 8")
    expect(harmed < 20 and harmed < lost / 2, f"{harmed:.1f} % of the other queue's datagrams were lost, {lost:.1f} % of the shaped one's")
    counted, stats = queues(switch, b.name), switch.stats()
    expect(counted[0]["drops"] == 0, f"the other queue dropped: {counted}")
    expect(stats["drops"].get("queueFull") == counted[1]["drops"], f"{stats['drops']}, {counted}")
    expect(stats["received"] + stats["copied"] == stats["ended"], f"{stats['received']} + {stats['copied']} = {stats['ended']}")
    return f"{shaped:.2f} Mbit/s of 8, {lost:.0f} % dropped; beside it {other:.2f} Mbit/s, {harmed:.1f} % lost"


@case()
def priorities_of_queues(lab):
    """A port of 10 Mbit/s: the queue of higher priority has all it sends, a minimum rate is kept, the rest gets what is left."""
    queueing = {"max-rate": "10 Mbit/s", "queues": {1: {"priority": 0}, 2: {"priority": 5, "min-rate": "3 Mbit/s"}, 0: {"priority": 9}}}
    switch, a, b = started(lab, ("packet", "packet"), queueing)

    def attempt(rate):
        """What the queue of higher priority and that of the lower get, while the first is offered `rate` and the second 20 Mbit/s."""
        watch = Watch(switch, b.name)
        streams = [Datagrams(a.space, b.space, b.v4, 5301, 4, rate), Datagrams(a.space, b.space, b.v4, 5302, 4, 20)]
        results = [stream.result() for stream in streams]
        watch.finish()
        watch.kept(10, 0, 1, 2, arrived=sum(arrived for _, _, arrived in results) * FRAME)
        expect(watch.count("drops", 2) > 0, f"more was offered than the rate, and nothing was dropped: {watch.after}")
        return [(mbits, lost) for mbits, lost, _ in results]

    (high, lost), (low, lost_low) = best(lambda: attempt(4), lambda found: found[0][1] < 2 and sum(mbits for mbits, _ in found) >= LEAST * 10)
    expect(lost < 20 and lost < lost_low / 2, f"{lost:.1f} % of the datagrams of higher priority were lost, {lost_low:.1f} % of the others")
    expect(high + low >= LEAST * 10, f"the port had {high + low:.2f} Mbit/s of 10")
    (most, _), (least, _) = best(lambda: attempt(20), lambda found: found[0][0] > 1.5 * found[1][0] and found[1][0] >= LEAST * 3)
    expect(most > 1.5 * least, f"{most:.2f} and {least:.2f} Mbit/s, which should be 7 and 3")
    expect(least >= LEAST * 3, f"{least:.2f} Mbit/s of the 3 that are kept for it")
    return f"{high:.2f} and {low:.2f}, then {most:.2f} and {least:.2f} Mbit/s"


@case(("packet",), ("tap",), tools=["iperf3"], quick=[("packet",)])
def tcp_in_a_queue(lab, kind):
    """TCP with large segments fills the rate of its queue, which is changed while the switch runs."""
    switch, a, b = started(lab, (kind, kind), {"queues": {3: {"max-rate": "60 Mbit/s"}}})

    def attempt(rate):
        watch = Watch(switch, b.name)
        found, arrived = goodput(a.space, b.space, b.v4, 5303, 4)
        watch.finish()
        watch.kept(rate, 3, arrived=arrived)
        return found

    before = best(lambda: attempt(60), lambda found: found >= LEAST_OF_TCP * 60)
    expect(before >= LEAST_OF_TCP * 60, f"{before:.2f} Mbit/s of 60")
    # To a lower rate: that it holds shows however slow the machine is.
    switch.weft("port", "queues", b.name, "--queue", "3: {max-rate: 20 Mbit/s}")
    after = best(lambda: attempt(20), lambda found: found >= LEAST_OF_TCP * 20)
    expect(after >= LEAST_OF_TCP * 20, f"{after:.2f} Mbit/s of 20")
    return f"{before:.2f} Mbit/s of 60, {after:.2f} of 20"


@case(("geneve",))
def a_queue_of_a_tunnel(lab, kind):
    """A queue of a tunnel port, by which two hosts are joined, is shaped as any other."""
    hosts = Hosts(lab)
    a, b = hosts.workload(1, 1), hosts.workload(2, 2)
    one = hosts.switch(1, [a], [hosts.tunnel(1, kind) | {"queues": {1: {"max-rate": "8 Mbit/s"}}}], flows=FLOWS)
    hosts.switch(2, [b], [hosts.tunnel(2, kind)])
    reaches(a.space, b.v4)

    def attempt():
        watch = Watch(one, "tun")
        rate, _, arrived = Datagrams(a.space, b.space, b.v4, 5301, 4, 20).result()
        watch.finish()
        watch.kept(8, 1, arrived=arrived * FRAME)
        expect(watch.count("drops", 1) > 0, f"nothing was dropped: {watch.after}")
        return rate

    rate = best(attempt, lambda rate: rate >= LEAST * 8)
    expect(rate >= LEAST * 8, lambda: f"{rate:.2f} Mbit/s of 8; {queues(one, 'tun')}")
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

    def is_shaped(rate, to):
        # The receiver's clock: it may have slept while datagrams waited for it.
        return LEAST * to <= rate <= 1.5 * to

    device = b.space.run("cat", f"/sys/class/net/{b.device}/ifindex")
    before = best(measured, lambda rate: is_shaped(rate, 8))
    expect(is_shaped(before, 8), f"{before:.2f} Mbit/s of 8")
    made.description["hosts"]["A"]["queues"]["1"]["max-rate"] = "4 Mbit/s"
    made.write()
    made.hosts["A"].reload()
    after = best(measured, lambda rate: is_shaped(rate, 4))
    expect(is_shaped(after, 4), f"{after:.2f} Mbit/s of 4")
    expect(b.space.run("cat", f"/sys/class/net/{b.device}/ifindex") == device, "the device is another one")
    return f"{before:.2f} Mbit/s of 8, {after:.2f} of 4"
