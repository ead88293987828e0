"""A client of a switch that is not the limit: messages are encoded beforehand and sent as one string of bytes, answers are counted, not understood.

OpenFlow 1.3.5; the switch's listening socket is a Unix socket (`unix:PATH`) or `tcp:HOST:PORT`.
"""

import socket
import struct
import time

from .lab import LabError

VERSION = 4
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, SET_CONFIG, PACKET_IN, FLOW_MOD, MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY = (
    0, 1, 2, 3, 9, 10, 14, 18, 19, 20, 21)
ANY = 0xFFFFFFFF
HEADER = struct.Struct("!BBHI")
ANSWER_SECONDS = 300


def message(kind, body=b"", xid=0):
    return struct.pack("!BBHI", VERSION, kind, 8 + len(body), xid) + body


def _padded(data):
    return data + b"\0" * (-len(data) % 8)


def flow_mod(match, instructions, priority=100, command=0, table=0):
    fields = struct.pack("!HH", 1, 4 + len(match)) + match
    return message(
        FLOW_MOD, struct.pack("!QQBBHHHIIIH2x", 0, 0, table, command, 0, 0, priority, ANY, ANY, ANY, 0) + _padded(fields) + instructions)


def output(port):
    action = struct.pack("!HHIH6x", 0, 16, port, 0xFFFF)
    return struct.pack("!HH4x", 4, 8 + len(action)) + action


def five_tuple(number):
    """OXM fields of the number-th TCP connection, all different."""
    return struct.pack(
        "!IH IB I4s I4s IH IH", 0x80000A02, 0x0800, 0x80001401, 6, 0x80001604, struct.pack("!I", 0x0A000000 + number), 0x80001804,
        struct.pack("!I", 0x0B000000 + number % 1000), 0x80001A02, 1024 + number % 50000, 0x80001C02, 80)


def five_tuple_mods(count, command=0, first=0):
    instructions = output(2)
    return b"".join(flow_mod(five_tuple(number), instructions, command=command) for number in range(first, first + count))


def five_tuple_lines(count):
    """The same entries as `ovs-ofctl` reads them."""
    for number in range(count):
        source, destination = 0x0A000000 + number, 0x0B000000 + number % 1000
        dotted = lambda value: ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
        yield (f"priority=100,tcp,nw_src={dotted(source)},nw_dst={dotted(destination)},tp_src={1024 + number % 50000},tp_dst=80,"
               "actions=output:2")


class Client:
    """One connection, after the hellos. Not thread-safe."""

    def __init__(self, target):
        kind, _, address = target.partition(":")
        if kind == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address)
        else:
            host, _, port = address.rpartition(":")
            self.socket = socket.create_connection((host, int(port)))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(ANSWER_SECONDS)
        self.buffer, self.at, self.errors, self.xid = b"", 0, 0, 1000
        self.socket.sendall(message(HELLO))
        if self.next()[0] != HELLO:
            raise LabError("the switch did not begin with a hello")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def next(self):
        """(type, xid, flags of a multipart reply, size)."""
        while True:
            buffer, at = self.buffer, self.at
            if len(buffer) - at >= 8:
                _, kind, size, xid = HEADER.unpack_from(buffer, at)
                if len(buffer) - at >= size:
                    self.at = at + size
                    flags = struct.unpack_from("!H", buffer, at + 10)[0] if kind == MULTIPART_REPLY else 0
                    if kind == ECHO_REQUEST:
                        self.socket.sendall(bytes([VERSION, ECHO_REPLY]) + buffer[at + 2:at + size])
                    elif kind == ERROR:
                        self.errors += 1
                        self.last_error = struct.unpack_from("!HH", buffer, at + 8)
                    return kind, xid, flags, size
            try:
                data = self.socket.recv(1 << 18)
            except TimeoutError:
                raise LabError(f"no answer within {ANSWER_SECONDS} s")
            if not data:
                raise LabError("the switch closed the connection")
            self.buffer, self.at = buffer[at:] + data, 0

    def barrier(self):
        self.xid += 1
        self.socket.sendall(message(BARRIER_REQUEST, xid=self.xid))
        while True:
            kind, xid, _, _ = self.next()
            if kind == BARRIER_REPLY and xid == self.xid:
                return

    def load(self, data):
        """Seconds until a barrier behind the messages is answered. An error among the answers fails it."""
        begun = time.perf_counter()
        self.socket.sendall(data)
        self.barrier()
        seconds = time.perf_counter() - begun
        if self.errors:
            raise LabError(f"{self.errors} messages were refused, the last with type and code {self.last_error}")
        return seconds

    def barriers_per_second(self, seconds):
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            self.barrier()
            count += 1
        return count / (time.perf_counter() - begun)

    def empty(self):
        """Deletes every entry of every table."""
        self.load(flow_mod(b"", b"", command=3, table=0xFF))

    def dump(self):
        """(seconds, bytes) until the last part of all entries has come. The parts are counted in place: nothing is copied."""
        request = struct.pack("!HH4x", 1, 0) + struct.pack("!B3xII4xQQ", 0xFF, ANY, ANY, 0, 0) + struct.pack("!HH4x", 1, 4)
        begun = time.perf_counter()
        self.socket.sendall(message(MULTIPART_REQUEST, request, 7))
        size = 0
        while True:
            kind, xid, flags, length = self.next()
            if kind == MULTIPART_REPLY and xid == 7:
                size += length
                if not flags & 1:
                    return time.perf_counter() - begun, size
            elif kind == ERROR:
                raise LabError(f"the dump was refused with {self.last_error}")

    def count_packet_ins(self, seconds):
        """Packet-ins a second, counted for so long from the first."""
        while self.next()[0] != PACKET_IN:
            pass
        count, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            count += self.next()[0] == PACKET_IN
        return count / (time.perf_counter() - begun)

    def want_packet_ins(self):
        """A connection that the switch did not make gets packet-ins once it has said how long they may be."""
        self.socket.sendall(message(SET_CONFIG, struct.pack("!HH", 0, 0xFFFF)))
        self.barrier()
