"""A device of another namespace as a raw socket of this process."""

import ctypes
import os
import socket

CLONE_NEWNET = 0x40000000


class RawPort:
    """Sends and receives whole frames. A socket belongs to the namespace that it was made in, so that the thread is there only for a moment."""

    def __init__(self, namespace, device, protocol=0x0003):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            _enter(there)
            try:
                self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
                self.socket.bind((device, protocol))
            finally:
                _enter(home)
        finally:
            os.close(home)
            os.close(there)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, frame):
        self.socket.send(frame)


def _enter(descriptor):
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
