"""Two hosts on one wire: 192.0.2.1 and 192.0.2.2, fd02::1 and fd02::2, at device `up0` of each."""

from .switch import Switch
from .workloads import Workload

TUNNEL_KEY = 42
# Bytes between the frame inside and the outer IP packet: UDP and tunnel header, inner Ethernet. Metadata options of Geneve come on top.
DECODING = {"vxlan": "vxlan", "geneve": "geneve", "gre": "gre"}


def outer(host, is_v6):
    return f"fd02::{host}" if is_v6 else f"192.0.2.{host}"


class Hosts:
    """The two namespaces. On `up0` checksums are finished by the stack, so that captures and user-space peers see what a real wire has."""

    def __init__(self, lab, mtu=1500, has_offload=False):
        self.lab = lab
        self.one, self.two = lab.space("h1"), lab.space("h2")
        lab.veth((self.one, "up0"), (self.two, "up0"), mtu=mtu)
        for number, space in ((1, self.one), (2, self.two)):
            space.address("up0", f"192.0.2.{number}/24", f"fd02::{number}/64")
            if not has_offload:
                space.run("ethtool", "-K", "up0", "tx", "off", check=False)

    def space(self, host):
        return self.one if host == 1 else self.two

    def tunnel(self, host, kind, is_v6=False, number=100, **more):
        """The entry of a configuration for the tunnel from that host to the other."""
        return {"name": "tun", "number": number, "kind": kind, "remote": outer(3 - host, is_v6), "key": TUNNEL_KEY} | more

    def switch(self, host, workloads, tunnels, **more):
        switch = Switch(self.lab, self.space(host), {"ports": [w.port for w in workloads], "tunnels": tunnels} | more, name=f"switch{host}")
        for w in workloads:
            w.address()
        return switch

    def workload(self, host, number, kind="packet", mtu=1400):
        return Workload(self.lab, self.space(host), number, kind, mtu=mtu)
