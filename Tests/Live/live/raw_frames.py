"""Raw frames in a namespace: raw_frames.py send DEVICE HEX… | watch | rogue SOURCE TARGET HEX…

`watch` prints the marker `weft-raw-N` of each frame that this namespace receives, wherever it is in the frame; `rogue` sends UDP datagrams from an address of this
namespace to a host's tunnel port.
"""

import re
import socket
import sys
import time

MARKER = re.compile(rb"weft-raw-\d+")


def main():
    kind, *arguments = sys.argv[1:]
    if kind == "send":
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind((arguments[0], 0))
            for frame in arguments[1:]:
                raw.send(bytes.fromhex(frame))
                time.sleep(0.005)
    elif kind == "rogue":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((arguments[0], 0))
            for datagram in arguments[2:]:
                client.sendto(bytes.fromhex(datagram), (arguments[1], 6081))
                time.sleep(0.005)
    else:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
            print("ready", flush=True)
            while True:
                frame, (_, _, direction, _, _) = raw.recvfrom(65535)
                if direction != socket.PACKET_OUTGOING and (found := MARKER.search(frame)):
                    print(found[0].decode(), flush=True)


if __name__ == "__main__":
    main()
