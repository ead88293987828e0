"""Tunnels whose path fails: both ends notice by BFD, Open vSwitch as well as our own, and the pool node of a network stands in."""

import json
import os
import re
import time

from live.case import Skip, case, expect
from live.lab import run, until
from live.networks import Network
from live.openvswitch import TOOLS, OpenVSwitch
from live.traffic import ping, reaches
from live.underlay import TUNNEL_KEY, Hosts, outer

HERE = os.path.join(os.path.dirname(__file__), "..", "live")
RAW = os.path.join(HERE, "raw_frames.py")
# A neighbour that nobody is: what is sent to it is lost on the wire, and no kernel knows.
NOBODY = "02:00:00:00:de:ad"

NETWORK = {
    "hosts": {"A": {"address": "192.0.2.1"}, "B": {"address": "192.0.2.2"}, "C": {"address": "192.0.2.3", "pool": True}},
    "tenants": {
        "t": {
            "switches": {
                "web": {
                    "unknown": "flood",
                    "ports": {
                        "vm1": {"mac": "02:00:00:00:00:01", "addresses": ["10.0.1.10", "fd01::10"], "host": "A", "security": False},
                        "vm2": {"mac": "02:00:00:00:00:02", "addresses": ["10.0.1.11", "fd01::11"], "host": "B"},
                    },
                }
            }
        }
    },
}


class Cut:
    """What a namespace sends to some addresses is lost; `heal` gives it the neighbours back that it had."""

    def __init__(self, space, *addresses):
        self.space, self.before = space, {}
        for address in addresses:
            entry = json.loads(space.ip("-j", "neigh", "show", address, "dev", "up0"))
            self.before[address] = next(e["lladdr"] for e in entry if "lladdr" in e)
            space.ip("neigh", "replace", address, "lladdr", NOBODY, "dev", "up0", "nud", "permanent")

    def heal(self):
        for address, neighbor in self.before.items():
            self.space.ip("neigh", "replace", address, "lladdr", neighbor, "dev", "up0", "nud", "reachable")


@case(*[(kind, word) for kind in ("geneve", "vxlan", "gre") for word in ("ipv4", "ipv6")], tools=TOOLS + ["ovs-ofctl"], quick=[("geneve", "ipv4")])
def liveness_with_openvswitch(lab, kind, word):
    """BFD with Open vSwitch (bfd:enable=true): both come up, both notice a cut of either direction, both come up again; and nothing of it reaches a workload."""
    is_v6 = word == "ipv6"
    hosts = Hosts(lab)
    a = hosts.workload(1, 1)
    peer = OpenVSwitch(lab, hosts.two, kind, outer(1, is_v6), is_v6, TUNNEL_KEY)
    peer._run(*peer.control, "set", "interface", "t0", "bfd:enable=true", "bfd:min_rx=100", "bfd:min_tx=100")
    control = f"unix:{lab.path('control.mgmt')}"
    switch = hosts.switch(1, [a], [hosts.tunnel(1, kind, is_v6, bfd={"interval": "100 ms", "multiplier": 10})], controllers=["p" + control],
                          flows=["priority=0,actions=normal"])
    theirs = lambda: run(*peer.control, "get", "interface", "t0", "bfd_status:state", check=False).stdout.strip().strip('"')
    ours = lambda: switch.ports()["tun"]

    def up(words):
        until(lambda: ours()["status"]["hasLink"] and theirs() == "up", lambda: f"{words}: both are up: {ours()}, {theirs()}", 15)

    def told_as(word, other):
        said = run("ovs-ofctl", "-O", "OpenFlow13", "dump-ports-desc", control, "100")
        state = re.search(r"100\(tun\):[^)]*?state: +(\w+)", said)[1]
        expect(word in state and other not in state, f"OpenFlow says {said}")

    def goes(words):
        began = time.monotonic()
        until(lambda: not ours()["status"]["hasLink"], lambda: f"{words}: noticed: {ours()}", 10, 0.01)
        return f"{words} noticed after {time.monotonic() - began:.2f} s"

    up("at first")
    told_as("LIVE", "LINK_DOWN")
    reaches(a.space, "10.9.0.2")
    ping(a.space, "10.9.0.2")
    session = ours()["liveness"]
    expect(session["state"] == "up" and not session["discarded"], f"the session: {session}")
    # What goes there is lost: the other end hears nothing and says so.
    cut = Cut(hosts.one, outer(2, is_v6))
    told = [goes("a cut")]
    until(lambda: theirs() == "down", lambda: f"Open vSwitch is down as well, not {theirs()}", 10)
    expect(ours()["status"]["reason"] == f"remote {outer(2, is_v6)}: it hears nothing from here", f"the reason: {ours()}")
    told_as("LINK_DOWN", "LIVE")
    cut.heal()
    up("healed")
    # It falls silent.
    peer._run(*peer.control, "set", "interface", "t0", "bfd:enable=false")
    told.append(goes("silence"))
    expect(re.fullmatch(f"remote {outer(2, is_v6)}: no packet for \\d+ ms", ours()["status"]["reason"]), f"the reason: {ours()}")
    peer._run(*peer.control, "set", "interface", "t0", "bfd:enable=true")
    up("again")
    expect(f"remote {outer(2, is_v6)}: no packet for" in switch.text(), lambda: f"the log says why:\n{switch.text()}")
    return ", ".join(told)


def forged():
    """Packets as hosts exchange them, from a workload: to both addresses, in the states that would end a session."""
    frames = []
    for destination in ("00005e005202", "002320000001"):
        for state in (0x00, 0x40, 0x80, 0xC0):
            bfd = bytes([0x20, state, 3, 24]) + bytes.fromhex("00000bad 00000000 000493e0 000493e0 00000000".replace(" ", ""))
            udp = bytes.fromhex("c0000ec8") + (8 + len(bfd)).to_bytes(2, "big") + b"\0\0"
            ip = bytes.fromhex("45c0") + (20 + len(udp) + len(bfd)).to_bytes(2, "big") + bytes.fromhex("00000000ff110000") + bytes([10, 0, 1, 10, 127, 0, 0, 1])
            total = sum(int.from_bytes(ip[i:i + 2], "big") for i in range(0, 20, 2))
            total = (total & 0xFFFF) + (total >> 16)
            ip = ip[:10] + (~((total & 0xFFFF) + (total >> 16)) & 0xFFFF).to_bytes(2, "big") + ip[12:]
            frames.append(destination + "020000000001" + "0800" + (ip + udp + bfd).hex())
    return frames


def watches(network, host):
    ports = json.loads(run(network.lab.program, "port", "list", "--json", "--socket", network.hosts[host].socket))["ports"]
    return {port["name"]: port for port in ports if port["name"].startswith("tunnels/")}


def answered(network, name, address, during, seconds):
    """Pings all the time while something happens: what was sent and lost, and the longest silence in seconds."""
    log = f"ping-{time.monotonic_ns()}"
    process = network.machines[name].space.start("ping", "-n", "-D", "-i", "0.01", "-W", "1", address, log=log)
    time.sleep(0.5)
    during()
    time.sleep(seconds)
    process.send_signal(2)
    process.wait(5)
    text = network.lab.read(log)
    times = [float(t) for t in re.findall(r"^\[([\d.]+)\] \d+ bytes from .*icmp_seq", text, re.M)]
    sent, got = (int(n) for n in re.search(r"(\d+) packets transmitted, (\d+) received", text).groups())
    expect(len(times) > 10, f"ping said {text[-500:]}")
    # Until the end, where the last answers may be missing.
    return sent - got, max(b - a for a, b in zip(times, times[1:])), times[-1]


@case(("hosts",), ("controller",), quick=[("controller",)], late=True)
def tunnel_fails(lab, who):
    """T33: the path between two hosts is cut, pings go on by the pool node after the detection time, and straight again after it is mended; with the controller killed before."""
    if who == "controller" and not os.path.exists(os.path.join(os.path.dirname(lab.program), "weft-controller")):
        raise Skip("there is no weft-controller beside weft")
    network = Network(lab, NETWORK, controlled=who == "controller")
    for host in "ABC":
        others = {f"tunnels/{other}" for other in "ABC" if other != host}
        until(lambda: {name for name, port in watches(network, host).items() if port["status"]["hasLink"]} == others,
              lambda: f"host {host} sees the others: {watches(network, host)}\n{network.hosts[host].text()[-2000:]}", 20)
    until(lambda: "1 received" in network.ping("t/web/vm1", "10.0.1.11"), "vm2 answers", 15)
    if who == "controller":
        network.controller_process.kill()
        network.controller_process.wait()
    straight = lambda: network.send("t/web/vm1", "10.0.1.11")
    expect(straight() == ({"t/web/vm2": 1}, 1), "straight at first")

    # A workload that speaks as a host does is not heard by hosts.
    machine = network.machines["t/web/vm1"]
    before = watches(network, "B")["tunnels/A"]["liveness"]
    for _ in range(5):
        machine.space.run("python3", RAW, "send", machine.device, *forged())
    time.sleep(0.5)
    after = watches(network, "B")["tunnels/A"]["liveness"]
    expect(after["isUsable"] and after["changes"] == before["changes"] and not after["discarded"], f"forged packets had an effect: {after}")

    a, b = network.hosts["A"], network.hosts["B"]

    cuts = []

    def cut():
        cuts.extend([Cut(a.space, "192.0.2.2"), Cut(b.space, "192.0.2.1")])

    lost, outage, _ = answered(network, "t/web/vm1", "10.0.1.11", cut, 3)
    expect(outage < 20, f"the outage took {outage:.2f} s")
    until(lambda: not watches(network, "A")["tunnels/B"]["status"]["hasLink"], "host A notices that B is gone")
    port = watches(network, "A")["tunnels/B"]
    expect(not port["status"]["hasLink"] and port["status"]["reason"].startswith("remote 192.0.2.2: "), f"host A sees B: {port}")
    expect("remote 192.0.2.2: " in a.text(), lambda: f"the log of host A says why:\n{a.text()}")
    expect(straight() == ({"t/web/vm2": 1}, 2), lambda: f"by way of the pool node: {straight()}")
    for address in ("10.0.1.11", "fd01::11"):
        expect("1 received" in network.ping("t/web/vm1", address), f"{address} answers by way of the pool node")
    # A broadcast crosses to the other host once more, and reaches its machine once.
    expect(network.send("t/web/vm1", "255.255.255.255") == ({"t/web/vm2": 1}, 2), "a broadcast by way of the pool node")

    def mend():
        for one in cuts:
            one.heal()

    lost_again, gap, _ = answered(network, "t/web/vm1", "10.0.1.11", mend, 4)
    until(lambda: straight() == ({"t/web/vm2": 1}, 1), lambda: f"straight again: {straight()}", 10)
    network.alive()
    return f"cut: {lost} pings lost, {outage * 1000:.0f} ms without answer; mended: {lost_again} lost, {gap * 1000:.0f} ms at most"
