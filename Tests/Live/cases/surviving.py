"""The process itself: killed, reloaded, stopped, sworn at over its socket, and without rights."""

import json
import os
import random
import signal
import socket
import subprocess
import time

from live.case import case, expect
from live.lab import run, until
from live.switch import Switch
from live.traffic import Pings, ping, reaches, tcp_both_ways, transfer
from live.workloads import Workload, pair


def guards(space, device):
    """The filters at a device's ingress that keep the host's own stack out, and the queueing disciplines that carry them."""
    filters = [line for line in space.run("tc", "filter", "show", "dev", device, "ingress").splitlines() if " handle " in line]
    carriers = [line for line in space.run("tc", "qdisc", "show", "dev", device).splitlines() if "clsact" in line or "ingress" in line]
    return len(filters), len(carriers)


FLOWS = ["priority=10,in_port=1,actions=output:2", "priority=10,in_port=2,actions=output:1", "priority=0,actions=drop"]


@case(())
def killed_and_started_again(lab):
    """After kill -9: the persistent TAP stays, the ingress guard is taken over, the flows come from the configuration, TCP goes on."""
    middle = lab.space("m")
    a, b = Workload(lab, middle, 1, "tap", persist=True), Workload(lab, middle, 2)
    switch = Switch(lab, middle, {"ports": [a.port, b.port], "flows": FLOWS})
    a.address()
    reaches(a.space, b.v4)
    guard = guards(middle, b.name)
    expect(guard == (1, 1), f"guards at the packet port: {guard}")
    address = a.space.links()["eth0"]["address"]
    longest = 0.0
    for _ in range(3):
        switch.kill()
        expect("eth0" in a.space.links(), "the persistent TAP is gone")
        expect(guards(middle, b.name) == (1, 1), "the guard went with the process: the host would answer for the workload")
        switch.start()
        expect(guards(middle, b.name) == guard, f"guards after the restart: {guards(middle, b.name)}")
        # Nobody configures the guest anew: it kept its addresses.
        longest = max(longest, reaches(a.space, b.v4))
        expect(switch.weft("flow", "dump", "--no-stats").split("\n")[:3] == [" priority=10,in_port=1 actions=output:2",
               " priority=10,in_port=2 actions=output:1", " priority=0 actions=drop"], f"flows: {switch.weft('flow', 'dump')}")
    expect(a.space.links()["eth0"]["address"] == address, "the TAP has another address")
    tcp_both_ways(a.space, b.space, a.v4, b.v4)
    switch.stop()
    expect(guards(middle, b.name) == (0, 0), f"the guard is left after a clean stop: {guards(middle, b.name)}")
    return f"reached again within {longest:.2f} s of the start"


@case(())
def stopped_cleanly(lab):
    """After SIGTERM under traffic: devices that the switch made, guards, socket and lock file are gone; devices that it found are as they were."""
    middle = lab.space("m")
    workloads = [Workload(lab, middle, 1, "tap"), Workload(lab, middle, 2), Workload(lab, middle, 3)]
    middle.ip("link", "set", workloads[1].name, "promisc", "off")
    before = {name: (link["mtu"], "PROMISC" in link["flags"], link.get("promiscuity")) for name, link in middle.links().items()}
    switch = Switch(lab, middle, {"ports": [w.port for w in workloads], "tunnels": [
        {"name": "g", "kind": "geneve", "remote": "192.0.2.9"}, {"name": "v", "kind": "vxlan", "remote": "192.0.2.9"}, {"name": "r", "kind": "gre", "remote": "192.0.2.9"}]})
    workloads[0].address()
    reaches(workloads[0].space, workloads[1].v4)
    pings = Pings(lab, workloads[1].space, workloads[2].v4)
    began = time.monotonic()
    switch.stop()
    took = time.monotonic() - began
    pings.stop()
    expect("eth0" not in workloads[0].space.links(), "the TAP is left")
    for name in ("vm2", "vm3"):
        expect(guards(middle, name) == (0, 0), f"guards left at {name}: {guards(middle, name)}")
    after = {name: (link["mtu"], "PROMISC" in link["flags"], link.get("promiscuity")) for name, link in middle.links().items()}
    expect(after == before, f"devices before: {before}, after: {after}")
    left = [name for name in os.listdir(lab.folder) if name.startswith("switch.sock") and not name.endswith(".lock")]
    expect(not left, f"left: {left}")
    sockets = middle.run("ss", "-Haunw") + middle.run("ss", "-Hawn")
    expect(":6081" not in sockets and ":4789" not in sockets, f"sockets: {sockets}")
    # The host's own stack is back on the device.
    middle.address("vm2", "10.9.0.200/24")
    reaches(workloads[1].space, "10.9.0.200")
    return f"stopped in {took * 1000:.0f} ms"


@case()
def signals_at_once(lab):
    """A signal that comes as soon as the line is written that tells of the start is heard, by a switch and by a capture."""
    switch = Switch(lab, lab.space("m"), {"ports": []})

    def told(word, number, *command):
        """Starts a program, and sends it the signal when it has said `word`."""
        process = lab.start(lab.program, *command, stderr=subprocess.PIPE, text=True)
        next(line for line in process.stderr if word in line)
        process.send_signal(number)
        until(lambda: process.poll() is not None, f"weft {command[0]} ends at signal {number}", 20)
        expect(process.returncode == 0, f"weft {command[0]} ended with status {process.returncode} at signal {number}")

    for number in (signal.SIGINT, signal.SIGTERM) * 3:
        told("capturing", number, "capture", "--flow", "ip", "-w", lab.path("seen.pcapng"), "--socket", switch.socket)
        told(" forwarding ", number, "switch", "--config", switch.file, "--socket", lab.path("other.sock"))


@case(())
def no_rights_left(lab):
    """Every thread has CAP_NET_ADMIN and CAP_NET_RAW only, cannot get others, and the switch still does all it must."""
    middle, (a, b) = pair(lab)
    switch = Switch(lab, middle, {"ports": [a.port, b.port]})
    for thread in os.listdir(f"/proc/{switch.pid}/task"):
        with open(f"/proc/{switch.pid}/task/{thread}/status") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        for key in ("CapEff", "CapPrm", "CapBnd"):
            expect(int(status[key], 16) == 1 << 12 | 1 << 13, f"thread {thread}: {key} {status[key]}")
        expect(int(status["CapInh"], 16) | int(status["CapAmb"], 16) == 0, f"thread {thread}: inheritable {status['CapInh']}, ambient {status['CapAmb']}")
        expect(status["NoNewPrivs"] == "1", "new privileges may come")
    reaches(a.space, b.v4)
    # What needs those two: a new port, a device that comes back, a tunnel, a changed MTU.
    switch.weft("port", "add", "t9", "--kind", "tap")
    switch.weft("port", "add", "g9", "--kind", "geneve", "--remote", "192.0.2.9")
    middle.ip("link", "del", b.name)
    switch.becomes(b.name, "no device")
    lab.veth((middle, b.name), (b.space, "eth0"))
    b.set_address()
    reaches(a.space, b.v4)
    mode = os.stat(switch.socket)
    expect(mode.st_mode & 0o777 == 0o600 and mode.st_uid == os.getuid(), f"the socket has mode {mode.st_mode & 0o777:o}, owner {mode.st_uid}")


@case(())
def reloaded_under_traffic(lab):
    """SIGHUP with ports and flows added and removed: TCP and pings between untouched ports lose nothing, counters go on; a faulty file changes nothing."""
    middle, (a, b, c) = pair(lab, ("packet", "packet", "packet"))
    full = {"ports": [w.port for w in (a, b, c)]}
    less = {"ports": [w.port for w in (a, b)], "flows": ["priority=7,udp,tp_dst=9,actions=drop", "priority=0,actions=normal"]}
    switch = Switch(lab, middle, full)
    reaches(a.space, b.v4)
    pings = Pings(lab, a.space, b.v4)
    counted = switch.ports()["vm1"]["rxPackets"]
    for i in range(6):
        switch.reload([less, full][i % 2])
        expect(("vm3" in switch.ports()) == (i % 2 == 1), f"ports after reload {i}: {list(switch.ports())}")
        now = switch.ports()["vm1"]["rxPackets"]
        expect(now >= counted, f"vm1's counter fell from {counted} to {now}")
        counted = now
    transfer(a.space, b.space, b.v4, 4)
    switch.reload(full)
    with open(switch.file, "w") as file:
        file.write("ports:\n- {name: vm1, kind: packet}\n  oops: [\n")
    switch.process.send_signal(signal.SIGHUP)
    until(lambda: "configuration refused" in switch.text(), lambda: switch.text()[-1000:])
    reaches(a.space, c.v4)
    sent, answered = pings.stop()
    expect(answered >= sent - 1, f"{sent - answered} of {sent} pings were lost")
    return f"{sent} pings, none lost"


@case(())
def malformed_requests(lab):
    """Garbage, half requests, wrong types, deep nesting, many clients and clients that vanish: each gets an error or is cut off, traffic goes on."""
    middle, (a, b) = pair(lab)
    switch = Switch(lab, middle, {"ports": [a.port, b.port]})
    reaches(a.space, b.v4)
    before, memory = switch.descriptors(), switch.resident()
    seed = random.randrange(1 << 32)
    source = random.Random(seed)
    good = [
        {"id": 1, "method": "port.list"}, {"id": 2, "method": "flow.dump", "params": {"filter": "table=0"}},
        {"id": 3, "method": "port.add", "params": {"name": "x", "kind": "memory", "number": 9}}, {"id": 4, "method": "port.del", "params": {"port": "x"}},
        {"id": 5, "method": "trace", "params": {"frame": "AAAA", "inPort": 1}}, {"id": 6, "method": "flow.add", "params": {"flows": "priority=1,in_port=9,actions=drop"}}]
    values = [None, True, -1, 2**70, 1e308, "", "x" * 5000, [], [[]], {}, {"a": {"b": []}}, "\u0000", "in_port=" + "9" * 400]
    pings = Pings(lab, a.space, b.v4, interval=0.01)
    fixed = [b"\n" * 50, b"{" * 20000 + b"\n", b"[" * 200000 + b"\n", b"\xff\xfe\x00\x01\n", b'{"method":5}\n', b'{"method":"nothing"}\n', b"null\n", b'"x"\n',
             b'{"id":{},"method":"port.list"}\n', b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b'{"method":"port.list","params":[]}\n']
    errors = 0
    for data in fixed:
        answers = [json.loads(line) for line in switch.talk(data).splitlines()]
        errors += sum("error" in answer for answer in answers)
    expect(errors >= len(fixed) - 2, f"only {errors} errors for {len(fixed)} malformed requests")
    for _ in range(250):
        request = json.loads(json.dumps(source.choice(good)))
        target = source.choice([request, request.setdefault("params", {})])
        target[source.choice(list(target) + ["method", "port", "name", "flows", "filter"])] = source.choice(values)
        data = bytearray(json.dumps(request).encode() + b"\n")
        for _ in range(source.choice([0, 0, 1, 3])):
            data[source.randrange(len(data))] = source.randrange(256)
        for line in switch.talk(bytes(data)).splitlines():
            answer = json.loads(line)
            expect("error" in answer or "result" in answer, f"seed {seed}: {line[:200]}")
    # Clients that go while they are answered, that never read, and more of them than there may be.
    clients = []
    for _ in range(80):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(1)
        client.connect(switch.socket)
        client.sendall(b'{"method":"port.list"}\n' * 20 + b'{"met')
        clients.append(client)
    for client in clients:
        client.close()
    sent, answered = pings.stop()
    expect(answered >= sent - 1, f"{sent - answered} of {sent} pings were lost (seed {seed})")
    for port in ("x", "9"):
        switch.weft("port", "del", port, check=False)
    expect(set(switch.ports()) >= {"vm1", "vm2"}, f"ports: {list(switch.ports())}")
    until(lambda: switch.descriptors() <= before, lambda: f"{switch.descriptors()} descriptors, {before} before")
    grown = (switch.resident() - memory) >> 20
    expect(grown < 60, f"memory grew by {grown} MiB")
    switch.alive()
    return f"seed {seed}, memory grew by {grown} MiB"


@case(tools=["tshark"])
def observed(lab):
    """`weft stats --watch`, `weft capture` read by tshark with its comments, and `weft trace`, on a switch that forwards."""
    middle, (a, b) = pair(lab)
    switch = Switch(lab, middle, {"ports": [a.port, b.port], "flows": [
        "priority=20,udp,tp_dst=9,actions=drop", "priority=0,actions=normal"]})
    reaches(a.space, b.v4)
    file = lab.path("seen.pcapng")
    capture = middle.start(lab.program, "capture", "--flow", "ip", "-w", file, "--count", "7", "--socket", switch.socket, log="capture.log")
    until(lambda: "capturing" in lab.read("capture.log"), lambda: lab.read("capture.log"))
    ping(a.space, b.v4)
    a.space.run("python3", "-c", f"import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.sendto(b'x',('{b.v4}',9))")
    until(lambda: capture.poll() is not None, lambda: f"the capture ends: {lab.read('capture.log')}")
    rows = [line.split("\t") for line in run("tshark", "-r", file, "-T", "fields", "-e", "frame.protocols", "-e", "frame.comment").splitlines()]
    expect(len(rows) == 7, f"captured: {rows}")
    comments = {row[1] for row in rows}
    expect(any("to port 2 (vm2)" in c for c in comments), f"comments: {comments}")
    expect(any("to port 1 (vm1)" in c for c in comments), f"comments: {comments}")
    expect(any("dropped: actionDrop" in row[1] for row in rows if "udp" in row[0]), f"comments: {rows}")
    for number in (signal.SIGINT, signal.SIGTERM):
        log = f"interrupted-{number}"
        capture = middle.start(lab.program, "capture", a.name, "-w", file, "--socket", switch.socket, log=log)
        until(lambda: "capturing" in lab.read(log), lambda: lab.read(log))
        capture.send_signal(number)
        until(lambda: capture.poll() == 0, lambda: f"the capture ends at signal {number}: {lab.read(log)}")
        expect("packets captured" in lab.read(log), lab.read(log))
    watched = switch.weft("stats", "--watch", "--interval", "0.2", "--count", "3")
    expect(watched.count("rx pps") == 3 and "actionDrop" in watched, watched)
    trace = switch.weft("trace", f"in_port=1,udp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src={a.v4},nw_dst={b.v4},tp_dst=9")
    expect("Verdict: dropped: actionDrop" in trace, trace)
