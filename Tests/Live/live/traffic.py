"""Traffic of the kernel's own stacks: ping, iperf3, and transfers whose contents are compared."""

import json
import os
import re
import signal
import time

from .case import Failure, expect
from .lab import end, run, until

TRANSFER = os.path.join(os.path.dirname(__file__), "transfer.py")


def ping(space, address, count=3, interval=0.05, wait=None, size=None, whole=False, check=True, seconds=60):
    """Pings; how many answers came. With `check`, all must. `wait`: seconds for the last answers, two, or with `check` ten."""
    command = ["ping", "-n", "-c", count, "-i", interval, "-W", wait or (10 if check else 2)]
    if size is not None:
        command += ["-s", size]
    if whole:
        command += ["-M", "do"]
    done = space.run(*command, address, check=False, timeout=seconds)
    found = re.search(r"(\d+) received", done.stdout)
    received = int(found.group(1)) if found else 0
    if check:
        expect(received == count, lambda: f"{received} of {count} pings from {space.role} to {address} were answered:\n{done.stdout}{done.stderr}")
    return received


def reaches(space, address, seconds=10):
    """Waits until a ping gets through; how long that took."""
    began = time.monotonic()
    until(lambda: ping(space, address, count=1, wait=1, check=False), f"an answer of {address} to {space.role}", seconds)
    return time.monotonic() - began


class Pings:
    """Pings that go on while something else happens; `stop` tells how many were sent and answered."""

    def __init__(self, lab, space, address, interval=0.01):
        self.lab, self.file = lab, f"ping-{space.role}-{address.replace(':', '_')}-{time.monotonic_ns()}"
        self.process = space.start("ping", "-n", "-i", interval, "-W", 1, address, log=self.file)

    def answers(self):
        return self.lab.read(self.file).count("bytes from")

    def stop(self):
        end(self.process, signal.SIGINT)
        text = self.lab.read(self.file)
        found = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        if not found:
            raise Failure(f"ping said:\n{text[-500:]}")
        return int(found.group(1)), int(found.group(2))


def iperf(client, server, address, reverse=False, udp=False, streams=1, rate=20, seconds=1):
    """iperf3 for that long; its result. Fails when nothing arrives by TCP, or when more than half of the datagrams is lost."""
    port = 5201
    listener = server.start("iperf3", "-s", "-1", "-p", port)
    try:
        until(lambda: f":{port} " in server.run("ss", "-Hltn"), "iperf3 listening")
        command = ["iperf3", "-c", address, "-p", port, "-t", seconds, "-P", streams, "-J"]
        if reverse:
            command.append("-R")
        if udp:
            command += ["-u", "-b", f"{rate}M"]
        done = client.run(*command, check=False, timeout=seconds + 60)
        try:
            result = json.loads(done.stdout)
        except json.JSONDecodeError:
            raise Failure(f"iperf3: {done.stdout}{done.stderr}") from None
        expect("error" not in result, lambda: f"iperf3 to {address}: {result.get('error')}")
        if udp:
            total = result["end"]["sum"]
            expect(total["packets"] > 0, "no datagrams were sent")
            expect(total["lost_percent"] < 50, lambda: f"{total['lost_percent']:.1f} % of {total['packets']} datagrams were lost")
        else:
            received = result["end"]["sum_received"]["bytes"]
            expect(received >= 1 << 16, lambda: f"only {received} bytes arrived by TCP within {seconds} s")
        return result["end"]
    finally:
        end(listener)


def transfer(sender, receiver, address, megabytes=4, seconds=240):
    """Sends that much by TCP; the receiver answers with the digest of what came, which must be the sender's. The seconds it took."""
    log = f"transfer-{time.monotonic_ns()}"
    server = receiver.start("python3", TRANSFER, "receive", log=log)
    try:
        said = until(lambda: sender.lab.read(log).strip(), "the receiver listens")
        began = time.monotonic()
        done = sender.run("python3", TRANSFER, "send", address, said, megabytes, check=False, timeout=seconds)
        expect(done.returncode == 0, lambda: f"{megabytes} MiB by TCP from {sender.role} to {address}: {done.stdout}{done.stderr[-300:]}")
        return time.monotonic() - began
    finally:
        end(server)


def tcp_both_ways(a, b, address_a, address_b, megabytes=4):
    """Transfers from a to b and from b to a, contents compared."""
    return transfer(a, b, address_b, megabytes), transfer(b, a, address_a, megabytes)


def neighbor(space, address, device="eth0"):
    """What the kernel knows of a neighbour, as `REACHABLE`."""
    entries = json.loads(run("ip", "-n", space.name, "-j", "neigh", "show", address, "dev", device) or "[]")
    return entries[0]["state"][0] if entries and entries[0].get("state") else "none"
