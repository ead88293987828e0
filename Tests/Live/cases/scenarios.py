"""The scenarios of Tests/Scenarios between real hosts: a `weft run` in each host's namespace, kernels for machines. ScenarioTests runs the same in one process."""

import glob
import json
import os
import re
import time

from live.case import Failure, case, expect
from live.lab import until
from live.networks import Network

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "Scenarios")
NAMES = sorted(os.path.basename(path)[:-5] for path in glob.glob(f"{FOLDER}/*.json"))
# In CI they run in one process (ScenarioTests), and here by `--all`: together they take minutes with a debug build.
QUICK = []
# What ping says of an ICMP or ICMPv6 error.
SPOKEN = {
    "time exceeded": r"From (\S+)( icmp_seq=\d+)? (Time to live exceeded|Time exceeded: Hop limit)",
    "unreachable": r"From (\S+)( icmp_seq=\d+)? (Destination (Net|Host) Unreachable|Destination unreachable: No route)",
}


def answers(text):
    """(address, TTL) of the echo replies in ping's output."""
    return [(found[1], int(found[2])) for found in re.finditer(r"bytes from (\S+?): icmp_seq=\d+ ttl=(\d+)", text)]


def ping(network, step, label):
    expected = step.get("expect", "answer")
    options = {key: step[key] for key in ("ttl", "size", "whole") if key in step}
    if expected == "answer":
        # The first may wait for a MAC, or for a kernel that has just got its address.
        text = until(lambda: (said := network.ping(step["ping"], step["to"], **options)) and answers(said) and said, lambda: f"{label}: an answer", 8)
        address, ttl = answers(text)[0]
        expect(address == step["to"], f"{label}: {address} answered")
        expect(ttl == step.get("replyTTL", ttl), f"{label}: the reply's TTL is {ttl}")
    elif expected == "nothing":
        text = network.ping(step["ping"], step["to"], **options)
        expect(not answers(text) and not re.search("From .*(xceeded|nreachable: No|Net Unr)", text), f"{label}: {text}")
    else:
        found = until(
            lambda: re.search(SPOKEN[expected], network.ping(step["ping"], step["to"], **options)),
            lambda: f"{label}: {network.ping(step['ping'], step['to'], **options)}", 6)
        expect(found[1] == step["by"], f"{label}: {found[0]}")


def trace(network, step, label):
    for number, hop in enumerate(step["hops"]):
        if hop == step["to"]:
            said = until(lambda: answers(network.ping(step["trace"], step["to"], ttl=number + 1)), f"{label}: {hop}", 6)
            expect(said[0][0] == hop, f"{label}: {said}")
        else:
            found = until(
                lambda: re.search(SPOKEN["time exceeded"], network.ping(step["trace"], step["to"], ttl=number + 1)), f"{label}: hop {hop}", 6)
            expect(found[1] == hop, f"{label}: hop {number + 1} is {found[1]}, not {hop}")


def request(network, step, label):
    """An ARP request by the kernel: its neighbour entry is forgotten first. Who else sees it, tcpdump of their side tells."""
    machine = network.machines[step["request"]]
    others = [m for m in network.machines.values() if m is not machine]
    logs = {m.path: f"arp-{m.space.role}-{time.monotonic_ns()}" for m in others}
    for m in others:
        m.space.start("tcpdump", "-ln", "-i", m.device, "--immediate-mode", "arp", "and", "arp[6:2]", "=", "1", log=logs[m.path])
    for m in others:
        until(lambda: "listening on" in network.lab.read(logs[m.path]), f"tcpdump of {m.path}")
    machine.space.ip("neigh", "flush", "dev", machine.device)
    network.ping(step["request"], step["for"])
    entry = json.loads(machine.space.ip("-j", "neigh", "show", step["for"]))
    expect([e.get("lladdr") for e in entry] == [step["by"]], f"{label}: {entry}")
    time.sleep(0.3)
    seen = sorted(path for path, log in logs.items() if f"who-has {step['for']}" in network.lab.read(log))
    expect(seen == sorted(step["seen"]), f"{label}: seen by {seen}")


def change(network, step, value, label):
    began = time.monotonic()
    network.set(step["set"], value)
    if "reachedAgain" not in step:
        return None
    until(lambda: answers(network.ping(step["from"], step["reachedAgain"])), f"{label}: reached again", 15)
    return time.monotonic() - began


@case(*[(name,) for name in NAMES], quick=QUICK, tools=("tcpdump",), late=True)
def scenario(lab, name):
    """A network of Tests/Scenarios between real hosts and machines: pings, TCP, traces, who gets what, changes."""
    with open(f"{FOLDER}/{name}.json") as file:
        content = json.load(file)
    network = Network(lab, content["network"])
    outages = []
    for number, step in enumerate(content["steps"], 1):
        label = f"step {number}, {json.dumps(step, ensure_ascii=False)}"
        if "set" in step:
            outage = change(network, step, step["value"], label)
            outages += [outage] if outage else []
        elif "ping" in step:
            ping(network, step, label)
        elif "tcp" in step:
            said = network.connect(step["tcp"], step["to"], step["port"])
            expect(said == step.get("expect", "works"), f"{label}: {said}")
        elif "trace" in step:
            trace(network, step, label)
        elif "send" in step:
            # Neighbour entries first, or the datagram would wait for them.
            if step["reaches"] and step["to"] not in ("255.255.255.255", "ff02::1"):
                network.ping(step["send"], step["to"])
            got, crossings = network.send(step["send"], step["to"])
            expect(got == {path: 1 for path in step["reaches"]}, f"{label}: {got}")
            expect(crossings == step["crossings"], f"{label}: it crossed {crossings} times")
        elif "element" in step:
            network.elements[step["element"]].passes(step["passes"])
        elif "request" in step:
            request(network, step, label)
        else:
            raise Failure(f"{label}: it is no step")
    network.alive()
    told = f"{len(content['steps'])} steps on {len(network.hosts)} hosts"
    return told + (f"; reached again after {', '.join(f'{outage:.2f}' for outage in outages)} s" if outages else "")
