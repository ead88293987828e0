"""What a machine of a scenario says: conversation.py listen PORT | connect ADDRESS PORT | datagram ADDRESS MARKER DEVICE

`connect` says `works` when what it sent came back, `refused`, or `nothing`.
"""

import socket
import sys

SIZE = 100_000


def listen(port):
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("::", port))
        server.listen()
        print("ready", flush=True)
        while True:
            session, _ = server.accept()
            with session:
                session.settimeout(5)
                try:
                    data = b""
                    while len(data) < SIZE and (piece := session.recv(65536)):
                        data += piece
                    session.sendall(data)
                except OSError:
                    pass


def connect(address, port):
    try:
        with socket.create_connection((address, port), timeout=1.5) as session:
            session.settimeout(5)
            data = bytes(i % 251 for i in range(SIZE))
            session.sendall(data)
            received = b""
            while len(received) < SIZE and (piece := session.recv(65536)):
                received += piece
            print("works" if received == data else f"{len(received)} bytes came back")
    except ConnectionRefusedError:
        print("refused")
    except OSError as error:
        print("nothing" if isinstance(error, TimeoutError) else f"nothing: {error}")


def datagram(address, marker, device):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if address in ("255.255.255.255", "ff02::1"):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
        try:
            client.sendto(marker.encode(), (address, 9))
        except OSError as error:
            print(error)


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    if kind == "listen":
        listen(int(arguments[0]))
    elif kind == "connect":
        connect(arguments[0], int(arguments[1]))
    else:
        datagram(*arguments)
