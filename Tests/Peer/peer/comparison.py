"""Compares two captures of what left a port, packet by packet, and says where they differ so that a person can see why.

Packets are ascribed to the packet that caused them by their time, so one packet too many or too few does not make all later ones differ.
"""

import shutil
import subprocess
import tempfile

from . import captures


class Difference:
    """What one input packet caused on one port, in both captures."""

    def __init__(self, time, expected, actual):
        self.time = time
        self.expected = expected
        self.actual = actual


def differences(expected, actual, ignore_times=False):
    """Differences between two lists of (time, frame), in time order; an empty list when both hold the same frames in the same order."""
    if ignore_times:
        expected = [(index, frame) for index, (_, frame) in enumerate(expected)]
        actual = [(index, frame) for index, (_, frame) in enumerate(actual)]
    # Captures in microseconds are compared with captures in nanoseconds.
    if any(time % 1000 for time, _ in expected) != any(time % 1000 for time, _ in actual):
        expected, actual = ([(time // 1000 * 1000, frame) for time, frame in side] for side in (expected, actual))
    if expected == actual:
        return []
    by_time = {}
    for side, packets in enumerate((expected, actual)):
        for time, frame in packets:
            by_time.setdefault(time, ([], []))[side].append(frame)
    found = [Difference(time, *by_time[time]) for time in sorted(by_time) if by_time[time][0] != by_time[time][1]]
    if not found:
        # Every input packet caused the same frames, but they left in another order.
        at = next(i for i in range(len(expected)) if expected[i] != actual[i])
        found = [Difference(expected[at][0], [expected[at][1]], [actual[at][1]])]
    return found


def report(found, names=("expected", "actual"), causes=None, limit=5):
    """Lines that show the first `limit` differences; `causes` maps a time to (number, port, frame) of the input packet."""
    lines = []
    for difference in found[:limit]:
        cause = (causes or {}).get(difference.time)
        if cause:
            number, port, frame = cause
            lines.append(f"input packet {number} on port {port}: {summary(frame)}")
            lines += hex_lines(frame, "    ")
        else:
            lines.append(f"packet at {difference.time / 1e9:.9f}")
        for index in range(max(len(difference.expected), len(difference.actual))):
            a = difference.expected[index] if index < len(difference.expected) else None
            b = difference.actual[index] if index < len(difference.actual) else None
            if a == b:
                continue
            for name, frame in ((names[0], a), (names[1], b)):
                if frame is None:
                    lines.append(f"  {name}: no packet")
                else:
                    lines.append(f"  {name}: {len(frame)} bytes, {summary(frame)}")
                    lines += hex_lines(frame, "    ", other=b if frame is a else a)
    if len(found) > limit:
        lines.append(f"… and {len(found) - limit} more input packets with differences")
    return lines


def hex_lines(frame, indent="", other=None, limit=160):
    """A hex dump, 16 bytes a line; bytes that differ from `other` are marked with an asterisk."""
    lines = []
    for start in range(0, min(len(frame), limit), 16):
        cells = []
        for at in range(start, min(start + 16, len(frame))):
            differs = other is not None and (at >= len(other) or other[at] != frame[at])
            cells.append(f"{frame[at]:02x}{'*' if differs else ' '}")
        lines.append(f"{indent}{start:04x}  {''.join(cells).rstrip()}")
    if len(frame) > limit:
        first = next((at for at in range(limit, len(frame)) if other is not None and (at >= len(other) or other[at] != frame[at])), None)
        lines.append(f"{indent}… {len(frame) - limit} more bytes" + ("" if first is None else f", the first that differs at 0x{first:04x}"))
    return lines


def summary(frame):
    """One line about a frame: tshark's when it is installed, else the addresses and the EtherType."""
    if shutil.which("tshark"):
        with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
            captures.write(file.name, [(0, frame)])
            done = subprocess.run(
                ["tshark", "-n", "-r", file.name, "-T", "fields", "-e", "frame.protocols", "-e", "_ws.col.Source", "-e", "_ws.col.Destination", "-e", "_ws.col.Info"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if done.returncode == 0:
            return " ".join(done.stdout.split())
    colons = lambda data: ":".join(f"{byte:02x}" for byte in data)
    return f"{colons(frame[6:12])} → {colons(frame[:6])} type {frame[12:14].hex()}"
