"""Runs inside an environment: `python launch.py ARGUMENTS` is os-ken's `osken-manager ARGUMENTS` made to run on the Python of today.

os-ken 1.4 asks eventlet for a constant that it no longer has (a response that the application has sent itself is now told by the request's
environment), and Python 3.12 no longer has some aliases of `inspect` and `collections`. Two faults of os-ken's packets are mended, because no switch
could pass the cases they touch (unless `UNMENDED` is in the environment):

- The checksum of SCTP is computed over the text that Python 3 writes for the bytes (`bytearray(b'…')`). Here it is CRC32c (RFC 9260 §6.8). 12 cases.
- A frame that is sent is padded to 60 bytes before a header is taken off, and so is the frame to be received after: what a switch takes off would have
  to come back as padding. The cases were written before os-ken padded; here it does not. 6 cases.
"""

import collections
import collections.abc
import inspect
import os
import sys
import warnings

warnings.simplefilter("ignore")

import eventlet.wsgi  # noqa: E402

if not hasattr(eventlet.wsgi, "ALREADY_HANDLED"):
    class _AlreadyHandled:
        def __iter__(self):
            return self

        def __next__(self):
            raise StopIteration

    eventlet.wsgi.ALREADY_HANDLED = _AlreadyHandled()
if not hasattr(inspect, "getargspec"):
    inspect.getargspec = inspect.getfullargspec
for alias in ("Mapping", "MutableMapping", "Iterable", "Callable"):
    if not hasattr(collections, alias):
        setattr(collections, alias, getattr(collections.abc, alias))

from os_ken.cmd.manager import main  # noqa: E402
from os_ken.lib.packet import ethernet, sctp  # noqa: E402

CRC32C = 0x82F63B78


def _sctp_checksum(_, data):
    """As the number that stands in the header, most significant byte first; the header's own field counts as 0."""
    remainder = 0xFFFFFFFF
    for index, byte in enumerate(data):
        remainder ^= 0 if 8 <= index < 12 else byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (CRC32C if remainder & 1 else 0)
    return int.from_bytes((remainder ^ 0xFFFFFFFF).to_bytes(4, "little"), "big")


if "UNMENDED" not in os.environ:
    sctp.sctp._checksum = _sctp_checksum
    ethernet.ethernet._MIN_PAYLOAD_LEN = 0

if __name__ == "__main__":
    sys.exit(main())
