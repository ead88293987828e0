"""sniff.py [out]: a line for each UDP datagram with a marker (`weft-scenario-N`) that this namespace receives on any device, or with `out` sends inside Geneve.

Packets that quote another, as ICMP errors do, do not count. Runs until it is ended.
"""

import re
import socket
import struct
import sys

MARKER = re.compile(rb"weft-scenario-\d+")


def datagram(frame):
    """The UDP payload of a frame without VLAN tags, or nothing; with its ports."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and len(frame) >= 34 and frame[23] == 17:
        at = 14 + (frame[14] & 15) * 4
    elif kind == b"\x86\xdd" and len(frame) >= 54 and frame[20] == 17:
        at = 54
    else:
        return None
    return struct.unpack("!HH", frame[at:at + 4]) + (frame[at + 8:],)


def inner(frame):
    """The frame within a Geneve datagram."""
    outer = datagram(frame)
    if not outer or outer[1] != 6081 or len(outer[2]) < 8:
        return None
    return outer[2][8 + (outer[2][0] & 0x3F) * 4:]


def main():
    outward = sys.argv[1:] == ["out"]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
        print("ready", flush=True)
        while True:
            frame, (_, _, direction, _, _) = raw.recvfrom(65535)
            if (direction == socket.PACKET_OUTGOING) != outward:
                continue
            if outward:
                frame = inner(frame)
            found = datagram(frame) if frame else None
            if found:
                # Several datagrams to one host may be one until the device cuts them: each has its marker.
                for marker in MARKER.findall(found[2]):
                    print(marker.decode(), flush=True)


if __name__ == "__main__":
    main()
