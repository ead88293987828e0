#!/usr/bin/env python3
"""tagging.py INNER OUTER TYPE:ID…: a guest's VLAN device in user space, for kernels without one.

Makes a TAP called INNER; what the kernel sends by it leaves OUTER with the tags (outermost first), and what OUTER receives with just these tags arrives at
INNER without them. Says `ready` when it works. No offloads: the kernel finishes its frames, as it does for a device that has none.
"""

import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6


def main():
    inner, outer = sys.argv[1:3]
    tags = b"".join(struct.pack("!HH", int(kind, 0), int(number)) for kind, number in (word.split(":") for word in sys.argv[3:]))
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", inner.encode(), IFF_TAP | IFF_NO_PI))
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.bind((outer, 3))
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([tap, wire], [], [])
        if tap in ready:
            frame = os.read(tap, 65536)
            try:
                wire.send(frame[:12] + tags + frame[12:])
            except OSError:
                pass  # The device's queue is full, or the device is down: lost, as on a wire.
        if wire in ready:
            frame, extra, _, address = wire.recvmsg(65536, 256)
            if address[2] == PACKET_OUTGOING:
                continue
            for level, kind, data in extra:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
                    if status & TP_STATUS_VLAN_VALID:
                        tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                        frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
            if frame[12:12 + len(tags)] == tags:
                os.write(tap, frame[:12] + frame[12 + len(tags):])


main()
