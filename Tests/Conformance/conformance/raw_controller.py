"""OpenFlow controllers of a few bytes, which can misbehave: they send what they are told to, and read when they are told to."""

import socket
import ssl
import struct
import time

VERSION = 5
HELLO, ERROR, ECHO, ECHO_REPLY, FEATURES, FEATURES_REPLY, FLOW_MOD = 0, 1, 2, 3, 5, 6, 14
MULTIPART, MULTIPART_REPLY, BARRIER, BARRIER_REPLY = 18, 19, 20, 21
BUNDLE_CONTROL, BUNDLE_ADD = 33, 34
OPEN, OPEN_REPLY, COMMIT, COMMIT_REPLY = 0, 1, 4, 5
AGGREGATE, TABLE_FEATURES = 2, 12
# What a slow machine may need for anything that takes no time by itself.
PATIENCE = 60


def message(kind, xid, body=b""):
    return struct.pack("!BBHI", VERSION, kind, 8 + len(body), xid) + body


def flow_mod(xid, priority, port=1, command=0):
    """Adds an entry that matches a port, or deletes all entries (command 3)."""
    table = 255 if command == 3 else 0
    match = b"\0\1\0\4\0\0\0\0" if command == 3 else struct.pack("!HHIII", 1, 12, 0x80000004, port, 0)
    head = struct.pack("!QQBBHHHIIIHH", 0, 0, table, command, 0, 0, priority, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0)
    return message(FLOW_MOD, xid, head + match)


def bundle_control(xid, bundle, kind):
    return message(BUNDLE_CONTROL, xid, struct.pack("!IHH", bundle, kind, 3))


def bundle_add(xid, bundle, inner):
    return message(BUNDLE_ADD, xid, struct.pack("!IHH", bundle, 0, 3) + inner)


def aggregate(xid):
    return message(MULTIPART, xid, struct.pack("!HHI", AGGREGATE, 0, 0) + struct.pack("!B3xII4xQQ", 255, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0) + b"\0\1\0\4\0\0\0\0")


class Gone(Exception):
    """The switch closed the connection."""


class RawController:
    """One connection. `address` is a path or (host, port)."""

    def __init__(self, address, context=None, greets=True, connection=None):
        if connection is None:
            connection = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
            connection.settimeout(PATIENCE)
            connection.connect(address)
        if connection.family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(connection) if context else connection
        self.socket.settimeout(PATIENCE)
        self.buffer = b""
        self.xid = 100
        if greets:
            self.send(message(HELLO, 1))
            self.read(HELLO)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def next_xid(self):
        self.xid += 1
        return self.xid

    def receive(self):
        """The next message: (type, xid, body)."""
        while len(self.buffer) < 8 or len(self.buffer) < struct.unpack_from("!H", self.buffer, 2)[0]:
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionError as error:
                raise Gone(str(error))
            if not data:
                raise Gone("closed")
            self.buffer += data
        size = struct.unpack_from("!H", self.buffer, 2)[0]
        one, self.buffer = self.buffer[:size], self.buffer[size:]
        return one[1], struct.unpack_from("!I", one, 4)[0], one[8:]

    def read(self, kind, xid=None):
        """The body of the next message of a type, and xid if given; answers echo requests, passes over the rest."""
        while True:
            got, got_xid, body = self.receive()
            if got == kind and xid in (None, got_xid):
                return body
            if got == ECHO:
                self.send(message(ECHO_REPLY, got_xid, body))

    def barrier(self):
        xid = self.next_xid()
        self.send(message(BARRIER, xid))
        self.read(BARRIER_REPLY, xid)

    def echo_seconds(self):
        """How long the switch takes to answer."""
        xid, begun = self.next_xid(), time.monotonic()
        self.send(message(ECHO, xid, b"alive"))
        assert self.read(ECHO_REPLY, xid) == b"alive"
        return time.monotonic() - begun

    def entry_count(self):
        xid = self.next_xid()
        self.send(aggregate(xid))
        return struct.unpack_from("!I", self.read(MULTIPART_REPLY, xid), 8 + 16)[0]

    def delete_all(self):
        self.send(flow_mod(self.next_xid(), 0, command=3))
        self.barrier()


def server_context(key, certificate, authorities):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(key, certificate, authorities):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(certificate, key)
    context.load_verify_locations(authorities)
    return context
