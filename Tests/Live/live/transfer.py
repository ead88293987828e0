#!/usr/bin/env python3
"""transfer.py receive | send ADDRESS PORT MEGABYTES: random bytes by TCP. The receiver prints its port, and answers with the digest of what came."""

import hashlib
import os
import socket
import sys


def receive():
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    digest = hashlib.sha256()
    while data := connection.recv(1 << 18):
        digest.update(data)
    connection.sendall(digest.digest())
    connection.close()


def send(address, port, megabytes):
    connection = socket.create_connection((address, int(port)), 20)
    connection.settimeout(20)
    piece, digest = os.urandom(1 << 20), hashlib.sha256()
    for i in range(int(megabytes)):
        data = piece[i:] + piece[:i]
        digest.update(data)
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
    answer = b""
    while data := connection.recv(64):
        answer += data
    if answer != digest.digest():
        sys.exit("what arrived is not what was sent")


receive() if sys.argv[1] == "receive" else send(*sys.argv[2:])
