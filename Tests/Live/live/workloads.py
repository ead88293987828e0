"""Workloads: namespaces with one device `eth0` each, attached to a switch by a veth and a packet socket, or by a TAP."""

from .lab import Space


class Workload:
    """Number N has 10.9.0.N and fd09::N. `port` is its entry in a configuration. The device of a TAP appears when the switch starts: call `address` then."""

    def __init__(self, lab, middle, number, kind="packet", mtu=1500, persist=False):
        self.number, self.kind, self.mtu = number, kind, mtu
        self.name = f"vm{number}"
        self.space: Space = lab.space(f"{middle.role}v{number}")
        self.v4, self.v6 = f"10.9.0.{number}", f"fd09::{number:x}"
        self.port = {"name": self.name, "number": number, "kind": kind}
        if kind == "packet":
            lab.veth((middle, self.name), (self.space, "eth0"), mtu=mtu)
            self.set_address()
        elif kind == "tap":
            self.port |= {"device": "eth0", "netns": self.space.name, "mtu": mtu, "mac": f"02:00:09:00:00:{number:02x}"}
            if persist:
                self.port["persist"] = True
        else:
            raise ValueError(kind)

    def set_address(self):
        # The same hardware address for a device that is made again, so that nobody's neighbour entry is stale.
        self.space.ip("link", "set", "eth0", "address", f"02:00:09:00:00:{self.number:02x}")
        self.space.ip("link", "set", "eth0", "up", "mtu", self.mtu)
        self.space.address("eth0", f"{self.v4}/24", f"{self.v6}/64")

    def address(self):
        """Brings up the device that a switch has made."""
        if self.kind == "tap":
            self.set_address()

    def to(self, other, is_v6):
        return other.v6 if is_v6 else other.v4


def pair(lab, kinds=("packet", "packet"), mtu=1500, count=None):
    """A namespace for a switch, and workloads 1, 2, … of the given kinds."""
    middle = lab.space("m")
    return middle, [Workload(lab, middle, i + 1, kind, mtu=mtu) for i, kind in enumerate(kinds)]
