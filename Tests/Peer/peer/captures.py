"""Reads pcap and pcapng captures and writes pcap ones, with nothing but the standard library.

A packet is (time in nanoseconds, captured bytes). The captured bytes are what there is: a packet cut by the snap length is not padded.
"""

import struct

ETHERNET = 1


class CaptureError(Exception):
    """A file that is not a capture of Ethernet frames; the text says where and why."""


def read(path):
    """All packets of a capture in file order, as a list of (nanoseconds, bytes)."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return _read_pcapng(path, data)
    return _read_pcap(path, data)


def _read_pcap(path, data):
    magic = {
        b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
        b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1),
    }.get(data[:4])
    if magic is None or len(data) < 24:
        raise CaptureError(f"{path}: not a pcap or pcapng file")
    order, unit = magic
    link = struct.unpack_from(order + "I", data, 20)[0] & 0x0FFFFFFF
    if link != ETHERNET:
        raise CaptureError(f"{path}: link type {link}, not Ethernet")
    record = struct.Struct(order + "IIII")
    packets, at = [], 24
    while at + 16 <= len(data):
        seconds, fraction, captured, _ = record.unpack_from(data, at)
        at += 16
        if at + captured > len(data):
            break  # Cut in mid-record: what came before stands.
        packets.append((seconds * 1_000_000_000 + fraction * unit, data[at:at + captured]))
        at += captured
    return packets


def _read_pcapng(path, data):
    packets, interfaces, at, order = [], [], 0, "<"
    while at + 12 <= len(data):
        kind = data[at:at + 4]
        if kind == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or at + length > len(data):
            break
        body = data[at + 8:at + length - 4]
        if kind == 1:
            link = struct.unpack_from(order + "H", body)[0]
            if link != ETHERNET:
                raise CaptureError(f"{path}: link type {link}, not Ethernet")
            interfaces.append(_nanoseconds_per_tick(order, body[8:]))
        elif kind == 6:
            interface, high, low, captured, _ = struct.unpack_from(order + "IIIII", body)
            ticks = high << 32 | low
            numerator, denominator = interfaces[interface]
            packets.append((ticks * numerator // denominator, body[20:20 + captured]))
        elif kind == 3:
            original = struct.unpack_from(order + "I", body)[0]
            packets.append((0, body[4:4 + original]))
        at += length
    return packets


def _nanoseconds_per_tick(order, options):
    at = 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from(order + "HH", options, at)
        if code == 0:
            break
        if code == 9 and length == 1:
            resolution = options[at + 4]
            base = 2 if resolution & 0x80 else 10
            return (1_000_000_000, base ** (resolution & 0x7F))
        at += 4 + (length + 3 & ~3)
    return (1_000_000_000, 1_000_000)


def write(path, packets):
    """Writes (nanoseconds, bytes) pairs as a little-endian nanosecond pcap file."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, ETHERNET))
        for time, frame in packets:
            file.write(struct.pack("<IIII", time // 1_000_000_000, time % 1_000_000_000, len(frame), len(frame)))
            file.write(frame)


def merged(inputs):
    """The packets of several captures, {port: packets}, in time order, as (time, port, frame); equal times keep the order of `inputs`."""
    everything = [(time, port, frame) for port, packets in inputs.items() for time, frame in packets]
    everything.sort(key=lambda packet: packet[0])
    return everything
