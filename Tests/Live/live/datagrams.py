"""Counted datagrams: `receive PORT` until one says that it was the last, `send ADDRESS PORT MBIT/S SECONDS`; each prints what it saw as JSON.

The receiver's rate is that of what came while the sender sent, from the first datagram to the last that is not above `SECONDS` later: what waited in a queue
comes after that.
"""

import json
import socket
import sys
import time

PAYLOAD = 1300


def receive(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        # Room for all of it, also above the limit of the machine (SO_RCVBUFFORCE): what this process is too slow for is not lost.
        server.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
        server.bind(("", port))
        server.settimeout(30)
        print("listening", flush=True)
        times = []
        while True:
            data = server.recv(65536)
            if data.startswith(b"end"):
                seconds = float(data[3:])
                break
            times.append(time.monotonic())
            server.settimeout(5)
    within = [t for t in times if t <= times[0] + seconds]
    print(json.dumps({"packets": len(times), "packetsInTime": len(within), "seconds": within[-1] - within[0]}), flush=True)


def send(address, port, rate, seconds):
    gap = PAYLOAD * 8 / (rate * 1e6)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((address, port))
        began, sent, payload = time.monotonic(), 0, bytes(PAYLOAD)
        while (now := time.monotonic() - began) < seconds:
            while sent * gap <= now:
                client.send(payload)
                sent += 1
            time.sleep(min(gap, 0.002))
        # Behind all that waits, and more than once: the queue may be full.
        for _ in range(20):
            time.sleep(0.1)
            try:
                client.send(f"end{seconds}".encode())
            except ConnectionRefusedError:
                break
    print(json.dumps({"packets": sent}), flush=True)


if sys.argv[1] == "receive":
    receive(int(sys.argv[2]))
else:
    send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
