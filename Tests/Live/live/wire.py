"""What is on a wire: tcpdump's captures, read by tshark with every checksum verified."""

import json
import os
import re
import signal
import struct

from .case import expect
from .lab import end, run, until

CHECKED = [argument for name in ("ip", "tcp", "udp") for argument in ("-o", f"{name}.check_checksum:TRUE")]


class Capture:
    """Frames at a device from now until `stop`."""

    def __init__(self, space, device, words=(), name=None, direction=None):
        self.space, self.device = space, device
        self.name = name or f"{space.role}-{device}"
        self.file, self.log = space.lab.path(f"{self.name}.pcap"), f"{self.name}.tcpdump"
        command = ["tcpdump", "-i", device, "-w", self.file, "-U", "-s", "0", "-B", "32768", "--immediate-mode"]
        if direction:
            command += ["-Q", direction]
        self.process = space.start(*command, *words, log=self.log)
        until(lambda: "listening on" in space.lab.read(self.log), lambda: f"tcpdump listening: {space.lab.read(self.log)}")

    def stop(self):
        end(self.process, signal.SIGINT)
        return self

    def lengths(self):
        """Lengths of all frames on the wire, from the capture file itself."""
        with open(self.file, "rb") as file:
            data = file.read()
        out, at = [], 24
        while at + 16 <= len(data):
            kept, length = struct.unpack_from("<II", data, at + 8)
            out.append(length)
            at += 16 + kept
        return out

    def fields(self, *names, filter=None, ports=()):
        """A list of values for each frame that passes the display filter."""
        command = ["tshark", "-r", self.file, "-T", "fields", "-E", "separator=\t"] + CHECKED
        for port in ports:
            command += ["-d", port]
        for name in names:
            command += ["-e", name]
        if filter:
            command += ["-Y", filter]
        return [line.split("\t") for line in run(*command).splitlines()]

    def count(self, filter, ports=()):
        return len(self.fields("frame.number", filter=filter, ports=ports))

    def expect_clean(self, mtu, at_least=1, header=14):
        """Every frame fits the MTU, every checksum of every layer is right, and there are enough frames for that to mean something."""
        lengths = self.lengths()
        expect(len(lengths) >= at_least, f"{self.name}: only {len(lengths)} frames were captured, {at_least} are expected")
        longest = max(lengths)
        expect(longest <= mtu + header, f"{self.name}: a frame of {longest} bytes on a device of MTU {mtu}")
        bad = self.fields("frame.number", "_ws.col.Info", filter='ip.checksum.status == "Bad" or tcp.checksum.status == "Bad" or udp.checksum.status == "Bad" '
                          'or icmp.checksum.status == "Bad" or icmpv6.checksum.status == "Bad"')
        expect(not bad, lambda: f"{self.name}: {len(bad)} of {len(lengths)} frames have wrong checksums, as {bad[:3]}")
        malformed = self.fields("frame.number", "_ws.col.Info", filter="_ws.malformed")
        expect(not malformed, lambda: f"{self.name}: tshark finds malformed frames: {malformed[:3]}")
