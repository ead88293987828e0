"""Tunnels: between two switches, to the kernel's VXLAN device, and to Open vSwitch's userspace datapath."""

from live.case import Skip, case, expect
from live.lab import until
from live.openvswitch import TOOLS, OpenVSwitch
from live.switch import Switch
from live.traffic import iperf, ping, reaches, tcp_both_ways, transfer
from live.underlay import TUNNEL_KEY, Hosts, outer
from live.wire import Capture
from live.workloads import Workload

TRAFFIC = ["iperf3", "tcpdump", "tshark"]
KINDS = ("geneve", "vxlan", "gre")


def family(word):
    return word == "ipv6"


def expect_decoded(capture, kind, expected_inner="icmp"):
    """tshark reads the tunnel's frames as such: header, key and what is inside."""
    key = {"vxlan": "vxlan.vni", "geneve": "geneve.vni", "gre": "gre.key"}[kind]
    rows = capture.fields(key, "frame.protocols", filter=f"{kind} and {expected_inner}")
    expect(rows, lambda: f"no {kind} frame with {expected_inner} inside: {capture.fields('frame.protocols')[:5]}")
    keys = {int(row[0], 0) for row in rows}
    expect(keys == {TUNNEL_KEY}, f"keys on the wire: {keys}")
    if kind == "geneve":
        expect(not capture.fields("frame.number", filter="geneve.version != 0"), "a Geneve version other than 0")


@case(*[(kind, word) for kind in KINDS for word in ("ipv4", "ipv6")], tools=TRAFFIC, quick=[("geneve", "ipv6"), ("gre", "ipv4")])
def two_switches(lab, kind, word):
    """Two switches joined by a tunnel: ping, TCP and UDP, v4 and v6 inside; tshark reads the wire, with right checksums and no frame above the MTU."""
    is_v6 = family(word)
    hosts = Hosts(lab)
    a, b = hosts.workload(1, 1, "tap"), hosts.workload(2, 2)
    hosts.switch(1, [a], [hosts.tunnel(1, kind, is_v6)])
    hosts.switch(2, [b], [hosts.tunnel(2, kind, is_v6)])
    reaches(a.space, b.v4)
    capture = Capture(hosts.two, "up0", direction="in")
    for inner in (False, True):
        ping(a.space, a.to(b, inner), size=1300)
        tcp_both_ways(a.space, b.space, b.to(a, inner), a.to(b, inner), 1)
        iperf(a.space, b.space, a.to(b, inner), udp=True, reverse=inner)
    capture.stop().expect_clean(1500, at_least=100)
    expect_decoded(capture, kind)
    expect_decoded(capture, kind, "icmpv6.type == 128")


@case()
def outer_namespace(lab):
    """A switch whose own namespace has no network at all: its tunnel's outer packets live in another one."""
    hosts = Hosts(lab)
    core = lab.space("core")
    a, b = Workload(lab, core, 1, "tap", mtu=1400), hosts.workload(2, 2)
    Switch(lab, core, {"ports": [a.port], "tunnels": [hosts.tunnel(1, "geneve", netns=hosts.one.name)]}, name="switch1")
    a.address()
    hosts.switch(2, [b], [hosts.tunnel(2, "geneve")])
    reaches(a.space, b.v4)
    ping(a.space, b.v6, size=1300)
    transfer(a.space, b.space, b.v4)


@case(("ipv4",), ("ipv6",), tools=["iperf3"], quick=[("ipv4",)])
def kernel_vxlan(lab, word):
    """The kernel's VXLAN device at the other end: ping, TCP and UDP in both directions, v4 and v6 inside, with all offloads on."""
    is_v6 = family(word)
    hosts = Hosts(lab, has_offload=True)
    made = hosts.two.ip("link", "add", "vx", "type", "vxlan", "id", TUNNEL_KEY, "dstport", "4789", "local", outer(2, is_v6), "remote", outer(1, is_v6),
                        *(["udp6zerocsumrx"] if is_v6 else []), check=False)
    if made.returncode:
        raise Skip(f"the kernel makes no VXLAN device: {made.stderr.strip()}")
    hosts.two.address("vx", "10.9.0.2/24", "fd09::2/64")
    hosts.two.ip("link", "set", "vx", "mtu", "1400", "up")
    a = hosts.workload(1, 1, "tap")
    switch = hosts.switch(1, [a], [hosts.tunnel(1, "vxlan", is_v6)])
    reaches(a.space, "10.9.0.2")
    for own, address in ((a.v4, "10.9.0.2"), (a.v6, "fd09::2")):
        ping(a.space, address, size=1300)
        tcp_both_ways(a.space, hosts.two, own, address, 2)
        iperf(a.space, hosts.two, address)
        for reverse in (False, True):
            iperf(a.space, hosts.two, address, udp=True, reverse=reverse)
    drops = switch.drops()
    expect(not switch.stats()["arrivalDrops"] and "exceedsMTU" not in drops, f"drops: {drops}, at arrival {switch.stats()['arrivalDrops']}")


@case(*[(kind, "ipv4") for kind in KINDS], *[(kind, "ipv6") for kind in KINDS], tools=TRAFFIC + TOOLS, quick=[("geneve", "ipv4")])
def open_vswitch(lab, kind, word):
    """Open vSwitch's userspace datapath at the other end: ping and TCP in both directions, v4 and v6 inside."""
    is_v6 = family(word)
    hosts = Hosts(lab)
    a = hosts.workload(1, 1)
    OpenVSwitch(lab, hosts.two, kind, outer(1, is_v6), is_v6, TUNNEL_KEY)
    hosts.switch(1, [a], [hosts.tunnel(1, kind, is_v6)])
    reaches(a.space, "10.9.0.2")
    capture = Capture(hosts.one, "up0")
    for own, address in ((a.v4, "10.9.0.2"), (a.v6, "fd09::2")):
        ping(a.space, address, size=1300)
        tcp_both_ways(a.space, hosts.two, own, address, 1)
    capture.stop().expect_clean(1500, at_least=100)
    expect_decoded(capture, kind)


@case(*[(kind,) for kind in KINDS], tools=["iperf3"], quick=[("geneve",)])
def tunnel_of_9000_bytes(lab, kind):
    """Over an underlay of 9,000 bytes frames of 8,900 bytes pass whole."""
    hosts = Hosts(lab, mtu=9000, has_offload=True)
    a, b = hosts.workload(1, 1, mtu=8900), hosts.workload(2, 2, "tap", mtu=8900)
    hosts.switch(1, [a], [hosts.tunnel(1, kind)])
    hosts.switch(2, [b], [hosts.tunnel(2, kind)])
    reaches(a.space, b.v4)
    ping(a.space, b.v4, size=8900 - 28, whole=True)
    ping(a.space, b.v6, size=8900 - 48, whole=True)
    tcp_both_ways(a.space, b.space, a.v4, b.v4, 16)


@case(())
def a_narrow_underlay(lab):
    """TCP gets through a tunnel whose workloads have an MTU too large for it; what cannot be cut is a counted drop with a name."""
    hosts = Hosts(lab, has_offload=True)
    a, b = hosts.workload(1, 1, mtu=1500), hosts.workload(2, 2, mtu=1500)
    switch = hosts.switch(1, [a], [hosts.tunnel(1, "geneve")])
    hosts.switch(2, [b], [hosts.tunnel(2, "geneve")])
    reaches(a.space, b.v4)
    tcp_both_ways(a.space, b.space, a.v4, b.v4)
    answered = ping(a.space, b.v4, size=1472, whole=True, count=3, wait=1, check=False)
    expect(answered == 0, "a datagram of 1,500 bytes got through an underlay of 1,500")
    expect(switch.drops().get("exceedsMTU", 0) >= 3, f"drops: {switch.drops()}")


@case(tools=["tcpdump", "tshark"])
def metadata_survives(lab):
    """Context and marks set as tunnel metadata arrive at the other switch as set, and are options of Geneve on the wire."""
    hosts = Hosts(lab)
    a, b = hosts.workload(1, 1), hosts.workload(2, 2)
    context, mark = 0x1122334455667788, 0xCAFE0001
    hosts.switch(1, [a], [hosts.tunnel(1, "geneve")], flows=[
        f"table=0,priority=10,in_port=1,actions=set_field:{context:#x}->tun_metadata0,set_field:{mark:#x}->tun_metadata1,output:100",
        "table=0,priority=5,in_port=100,actions=output:1"])
    far = hosts.switch(2, [b], [hosts.tunnel(2, "geneve")], flows=[
        f"table=0,priority=10,in_port=100,tun_metadata0={context:#x},tun_metadata1={mark:#x},actions=output:2",
        "table=0,priority=5,in_port=2,actions=output:100",
        "table=0,priority=1,actions=drop"])
    capture = Capture(hosts.two, "up0", direction="in")
    reaches(a.space, b.v4)
    ping(a.space, b.v4)
    capture.stop()
    options = capture.fields("geneve.option.class", "geneve.option.type", filter="geneve and icmp")
    expect(options and all("0xff57" in row[0].lower() for row in options), f"options on the wire: {options[:3]}")
    expect(far.drops().get("actionDrop", 0) == 0, f"some frames arrived without their context: {far.drops()}")


@case(tools=TOOLS + ["ovs-ofctl"], quick=False)
def mapped_options(lab):
    """Geneve options that `ovs-ofctl add-tlv-map` maps on both switches: what Open vSwitch sets arrives here in the field of that number, and the other way."""
    hosts = Hosts(lab)
    a = hosts.workload(1, 1)
    peer = OpenVSwitch(lab, hosts.two, "geneve", outer(1, False), False, TUNNEL_KEY)
    control = f"unix:{lab.path('control.mgmt')}"
    switch = hosts.switch(1, [a], [hosts.tunnel(1, "geneve")], controllers=["punix:" + control[5:]], flows=["table=0,priority=0,actions=drop"])
    options = ["{class=0x102,type=0x80,len=4}->tun_metadata3", "{class=0x102,type=1,len=8}->tun_metadata5"]

    def ofctl(command, target, *arguments):
        return hosts.one.run("ovs-ofctl", "-O", "OpenFlow13", command, target, *arguments)

    theirs = f"unix:{peer.path('br0.mgmt')}"
    for target in (control, theirs):
        for option in options:
            ofctl("add-tlv-map", target, option)
    peer_port = peer.number("t0")
    # Each side sets both options and lets in only what has the other's.
    for target, tunnel, inside, own, other in ((control, 100, 1, "0x11", "0x2200000022"), (theirs, peer_port, "LOCAL", "0x33", "0x4400000044")):
        expected = ("0x33", "0x4400000044") if own == "0x11" else ("0x11", "0x2200000022")
        ofctl("del-flows", target)
        ofctl("add-flow", target, f"priority=10,in_port={inside},actions=set_field:{own}->tun_metadata3,set_field:{other}->tun_metadata5,output:{tunnel}")
        ofctl("add-flow", target, f"priority=10,in_port={tunnel},tun_metadata3={expected[0]},tun_metadata5={expected[1]},actions=output:{inside}")
    reaches(a.space, "10.9.0.2")
    ping(a.space, "10.9.0.2")
    mapped = ofctl("dump-tlv-map", control)
    expect("0x102" in mapped and "tun_metadata5" in mapped, f"dump-tlv-map: {mapped}")
    # A field in use stays mapped.
    refused = hosts.one.run("ovs-ofctl", "-O", "OpenFlow13", "del-tlv-map", control, check=False)
    expect("OFPT_ERROR" in refused.stdout + refused.stderr, f"a mapping in use was deleted: {refused.stdout}{refused.stderr}")
    # Without a mapping the option of type 0x80 is a critical one that nobody knows: such a packet is dropped and counted.
    ofctl("del-flows", control)
    ofctl("del-tlv-map", control)
    ofctl("add-flow", control, "priority=1,actions=normal")
    expect(ping(hosts.two, a.v4, wait=1, check=False) == 0, "frames with an unknown critical option got through")
    until(lambda: switch.stats()["arrivalDrops"].get("tunnelMalformed", 0) >= 3, lambda: f"drops: {switch.stats()['arrivalDrops']}")


@case(())
def metadata_is_not_accepted_from_workloads(lab):
    """A workload cannot give itself a context: not by a Geneve packet of its own, whether to the switch's host or to the other one."""
    hosts = Hosts(lab)
    a, b = hosts.workload(1, 1), hosts.workload(2, 2)
    context = 0x77
    secret = [f"table=0,priority=20,tun_metadata0={context:#x},actions=set_field:{context:#x}->reg0"]
    near = hosts.switch(1, [a], [hosts.tunnel(1, "geneve")], flows=secret + ["table=0,priority=1,actions=normal"])
    far = hosts.switch(2, [b], [hosts.tunnel(2, "geneve")], flows=secret + ["table=0,priority=1,actions=normal"])
    reaches(a.space, b.v4)
    # What a switch would send, with the right key and the context's option, in a datagram of the workload to port 6081.
    program = (
        "import socket,struct,sys\n"
        "inner = bytes.fromhex('ffffffffffff0200000000ff0800') + bytes(46)\n"
        "option = struct.pack('!HBB', 0xff57, 0x81, 2) + struct.pack('!Q', %d)\n"
        "geneve = bytes([len(option) // 4, 0x40]) + struct.pack('!H', 0x6558) + struct.pack('!I', %d << 8) + option + inner\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for target in sys.argv[1:]:\n"
        "    for _ in range(5): s.sendto(geneve, (target, 6081))\n" % (context, TUNNEL_KEY))
    # The underlay's addresses as seen by a workload that pretends to be on it.
    a.space.ip("route", "add", "192.0.2.0/24", "dev", "eth0")
    for target in ("192.0.2.1", "192.0.2.2"):
        a.space.ip("neigh", "replace", target, "lladdr", "02:00:00:00:99:99", "dev", "eth0")
    before = near.stats()["received"]
    a.space.run("python3", "-c", program, b.v4, "192.0.2.1", "192.0.2.2")
    until(lambda: near.stats()["received"] >= before + 15, "the workload's packets reach its switch")
    until(lambda: far.stats()["received"] > 10, "and the other one")
    for switch in (near, far):
        text = switch.weft("flow", "dump", f"tun_metadata0={context:#x}")
        expect("n_packets=0" in text, f"{switch.name} took a workload's context: {text}")
    # From the other host itself the same option is believed: the test can fail.
    hosts.two.run("python3", "-c", program, "192.0.2.1")
    until(lambda: "n_packets=5" in near.weft("flow", "dump", f"tun_metadata0={context:#x}"),
          lambda: f"the option from the tunnel's far end: {near.weft('flow', 'dump')}{near.drops()}")
    # And from an address that is no tunnel's far end it is not.
    hosts.two.address("up0", "192.0.2.77/24")
    hosts.two.run("python3", "-c", program.replace("for target", "s.bind(('192.0.2.77', 0))\nfor target"), "192.0.2.1")
    until(lambda: near.stats()["arrivalDrops"].get("tunnelNoPort", 0) == 5, lambda: f"drops: {near.stats()['arrivalDrops']}")


@case(tools=["iperf3"])
def tunnels_set_by_flow(lab):
    """One port with `remote: flow` and `key: flow` reaches the far end that an entry names."""
    hosts = Hosts(lab)
    a, b = hosts.workload(1, 1), hosts.workload(2, 2)
    tunnel = {"name": "tun", "number": 100, "kind": "geneve", "remote": "flow", "key": "flow"}
    flows = ["table=0,priority=10,in_port={0},actions=set_field:192.0.2.{1}->tun_dst,set_field:7->tun_id,output:100",
             "table=0,priority=5,in_port=100,tun_id=7,actions=output:{0}"]
    hosts.switch(1, [a], [tunnel], flows=[line.format(1, 2) for line in flows])
    hosts.switch(2, [b], [tunnel], flows=[line.format(2, 1) for line in flows])
    reaches(a.space, b.v4)
    ping(a.space, b.v6)
    tcp_both_ways(a.space, b.space, a.v4, b.v4)


@case(())
def an_underlay_that_comes_and_goes(lab):
    """Without a route or a neighbour the drop has its name; when the underlay is back, so is the tunnel."""
    hosts = Hosts(lab)
    a, b = hosts.workload(1, 1), hosts.workload(2, 2)
    near = hosts.switch(1, [a], [hosts.tunnel(1, "vxlan")])
    hosts.switch(2, [b], [hosts.tunnel(2, "vxlan")])
    reaches(a.space, b.v4)
    hosts.one.ip("route", "del", "192.0.2.0/24", "dev", "up0")
    ping(a.space, b.v4, count=3, wait=1, check=False)
    expect(near.drops().get("tunnelNoRoute", 0) > 0, f"drops: {near.drops()}")
    hosts.one.ip("route", "add", "192.0.2.0/24", "dev", "up0", "src", "192.0.2.1")
    took = reaches(a.space, b.v4)
    for _ in range(3):
        hosts.two.ip("link", "set", "up0", "down")
        hosts.two.ip("link", "set", "up0", "up")
        took = max(took, reaches(a.space, b.v4))
    near.alive()
    return f"reached again within {took:.1f} s"
