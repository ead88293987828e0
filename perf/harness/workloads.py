"""Generates the flow files and captures of the speed table. Seeds are fixed: the same files every time, on every machine.

All frames are 60 bytes: Ethernet, IPv4 with a right checksum, a TCP, UDP or ICMP header with a right checksum.
"""

import os
import random
import struct

TCP, UDP, ICMP = 6, 17, 1
# Packets in a capture that is looped, at least: one flow is the same packet this many times.
FEWEST_PACKETS = 1024


class CaptureWriter:
    """Writes 60-byte IPv4 frames as microsecond pcap, fast enough for millions of them."""

    def __init__(self, path):
        self.file = open(path, "wb", buffering=1 << 20)
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        self.count = 0
        ethernet = bytes.fromhex("02000000000202000000000108 00".replace(" ", ""))
        self.before = {protocol: ethernet + struct.pack(">BBHHHBB", 0x45, 0, 46, 0, 0, 64, protocol) for protocol in (TCP, UDP, ICMP)}
        self.ip_sum = {protocol: sum(struct.unpack(">5H", self.before[protocol][14:24])) for protocol in self.before}
        self.record, self.addresses = struct.Struct("<IIII"), struct.Struct(">HII")
        self.udp, self.tcp, self.icmp = struct.Struct(">HHHH18x"), struct.Struct(">HHIIHHHH6x"), struct.Struct(">BBHHH18x")

    def add(self, source, destination, protocol, source_port, destination_port):
        address_sum = (source >> 16) + (source & 0xFFFF) + (destination >> 16) + (destination & 0xFFFF)
        ip = self.ip_sum[protocol] + address_sum
        ip = (ip & 0xFFFF) + (ip >> 16)
        ip = ~((ip & 0xFFFF) + (ip >> 16)) & 0xFFFF
        if protocol == UDP:
            total = address_sum + UDP + 26 + source_port + destination_port + 26
            transport = self.udp.pack(source_port, destination_port, 26, _folded(total) or 0xFFFF)
        elif protocol == TCP:
            total = address_sum + TCP + 26 + source_port + destination_port + 1 + 0x5010 + 8192
            transport = self.tcp.pack(source_port, destination_port, 1, 0, 0x5010, 8192, _folded(total), 0)
        else:
            # Ports have no place in ICMP: they make the identifier and the sequence number, which tables do not see.
            transport = self.icmp.pack(8, 0, _folded(0x0800 + source_port + destination_port), source_port, destination_port)
        at = self.count
        self.count = at + 1
        self.file.write(self.record.pack(1_700_000_000 + at // 1_000_000, at % 1_000_000, 60, 60))
        self.file.write(self.before[protocol])
        self.file.write(self.addresses.pack(ip, source, destination))
        self.file.write(transport)

    def close(self):
        self.file.close()


def _folded(total):
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def pipeline_capture(path, flows):
    """`flows` five-tuples in random order, all of which take the six tables to the end."""
    order = list(range(flows))
    random.Random(6).shuffle(order)
    writer = CaptureWriter(path)
    for _ in range(max(1, -(-FEWEST_PACKETS // flows))):
        for n in order:
            writer.add(0x0A000001 + (n * 7919 & 0x7FFFFF), 0x0A800001 + (n * 104729 & 0x3FFFFF), UDP, 1024 + n % 50000, 80)
    writer.close()


class AccessList:
    """Rules on source and destination prefixes of four lengths each (sources also any), protocols and services (a destination port or any).

    The networks that rules name lie densely, as in an addressing plan, and the traffic comes from them: so a switch that learns masked flows gets
    by with some 16 masks, but a flow for nearly every packet. Priorities follow how much a rule asks, and many rules share one.
    """

    # (prefix length, first network, networks for each 1,000 rules)
    SOURCES = [(16, 0x0A000000, 16), (20, 0x0A400000, 32), (24, 0x0A800000, 32), (32, 0x0AC00000, 64)]
    DESTINATIONS = [(16, 0xAC100000, 16), (24, 0xAC400000, 32), (28, 0xAC500000, 64), (32, 0xAC600000, 64)]
    SERVICES = [20 + 7 * n for n in range(64)]

    def __init__(self, rules, seed=16):
        scale = 1 if rules < 4_000 else 4
        self.sources = [(bits, first, count * scale) for bits, first, count in self.SOURCES]
        self.destinations = [(bits, first, count * scale) for bits, first, count in self.DESTINATIONS]
        self.seed, self.rules, seen = seed, [], set()
        generator = random.Random(seed)
        # Every service is open or closed to somebody, in each class of destination, and every destination has a service.
        first_rules = [
            (None, destination, protocol, self.SERVICES[(at + turn) % len(self.SERVICES)]) for destination in self.destinations
            for protocol in (TCP, UDP) for turn in range(scale) for at in range(len(self.SERVICES))]
        while len(self.rules) < rules:
            n = len(self.rules)
            if n < len(first_rules):
                source, destination, protocol, port = first_rules[n]
            else:
                source, destination = generator.choice([None, *self.sources]), generator.choice(self.destinations)
                protocol = generator.choice((TCP, TCP, UDP, UDP, None))
                port = generator.choice(self.SERVICES + [None] * 16) if protocol and source else None
                if source is None:
                    continue
            source_bits, source_value = _network(source, n, n % 2 == 0, generator)
            destination_bits, destination_value = _network(destination, n, n < len(first_rules), generator)
            key = (source_value, source_bits, destination_value, destination_bits, protocol, port)
            if key not in seen:
                seen.add(key)
                priority = 1000 + 10 * (source_bits + destination_bits) + (5 if port else 0) + generator.randrange(4)
                self.rules.append((priority, *key, generator.random() < 0.3))

    def write_flows(self, path):
        with open(path, "w") as file:
            file.write("# An access list in a small pipeline: ingress, list, rewriting and output.\n")
            file.write("table=0,priority=100,in_port=1,ip,actions=load:1->NXM_NX_REG0[],resubmit(,1)\n")
            for priority, source, source_bits, destination, destination_bits, protocol, port, denies in self.rules:
                match = {TCP: "tcp", UDP: "udp", None: "ip"}[protocol]
                match += f",nw_src={_dotted(source)}/{source_bits}" if source_bits else ""
                match += f",nw_dst={_dotted(destination)}/{destination_bits}"
                match += f",tp_dst={port}" if port else ""
                file.write(f"table=1,priority={priority},{match},actions={'drop' if denies else 'resubmit(,2)'}\n")
            file.write("table=1,priority=1,ip,actions=resubmit(,2)\n")
            file.write("table=2,priority=100,ip,reg0=1,actions=mod_dl_src:02:00:00:00:00:aa,mod_dl_dst:02:00:00:00:00:bb,dec_ttl,output:2\n")

    def write_capture(self, path, count, seed):
        """`count` packets with distinct five-tuples, random ones from the networks of the list."""
        generator = random.Random(self.seed * 1000 + seed)
        bits, seen, writer = generator.getrandbits, set(), CaptureWriter(path)
        sources, destinations, services = self.sources, self.destinations, self.SERVICES
        while writer.count < count:
            length, first, networks = sources[bits(2)]
            source = first + (bits(16) % networks << 32 - length) + (bits(32 - length) if length < 32 else 0)
            length, first, networks = destinations[bits(2)]
            destination = first + (bits(16) % networks << 32 - length) + (bits(32 - length) if length < 32 else 0)
            protocol, source_port, port = TCP if bits(1) else UDP, 1024 + bits(15), services[bits(6)]
            flow = source << 72 | destination << 40 | protocol << 32 | source_port << 16 | port
            if flow not in seen:
                seen.add(flow)
                writer.add(source, destination, protocol, source_port, port)
        writer.close()


def _network(pool, n, in_turn, generator):
    """(prefix length, address) of one of the pool's networks: the next one, so that none is left out, or any."""
    if pool is None:
        return 0, 0
    length, first, count = pool
    return length, first + (n % count if in_turn else generator.randrange(count)) * (1 << 32 - length)


def _dotted(value):
    return ".".join(str(value >> shift & 0xFF) for shift in (24, 16, 8, 0))


def write_five_tuple_flows(path, count=200_000):
    """One entry for each of `count` connections, as a load balancer or a firewall installs them."""
    with open(path, "w") as file:
        for n in range(count):
            kind = "tcp" if n % 3 else "udp"
            file.write(
                f"table=0,priority=100,in_port=1,{kind},nw_src=10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255},nw_dst=172.16.{n * 7 >> 8 & 255}.{n * 7 & 255},"
                f"tp_src={1024 + n % 60000},tp_dst={(80, 443, 53, 8080)[n % 4]},actions=dec_ttl,output:2\n")


# Every file by name; each is made at its first use.
COLD_PACKETS = 4_000_000
_LISTS = {"acl1k": 1_000, "acl10k": 10_000}
_PIPELINES = {"pipe6-1.pcap": 1, "pipe6-1k.pcap": 1_000, "pipe6-100k.pcap": 100_000, "pipe6-1m.pcap": 1_000_000}


class Workloads:
    """Makes the files in `directory` when they are asked for and keeps them; captures for cold tables are hundreds of megabytes."""

    def __init__(self, directory, cold_packets=COLD_PACKETS, say=lambda text: None):
        self.directory, self.cold_packets, self.say = directory, cold_packets, say
        os.makedirs(directory, exist_ok=True)

    def path(self, name):
        if name == "pipe6.flows":
            return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), name)
        stem, _, kind = name.rpartition(".")
        path = os.path.join(self.directory, f"{stem}-{self.cold_packets}.{kind}" if stem.endswith("-cold") else name)
        if not os.path.exists(path):
            self.say(f"making {os.path.basename(path)}")
            self._make(name, path + ".part")
            os.rename(path + ".part", path)
        return path

    def _make(self, name, path):
        stem, _, kind = name.rpartition(".")
        if name in _PIPELINES:
            pipeline_capture(path, _PIPELINES[name])
        elif name == "load200k.flows":
            write_five_tuple_flows(path)
        elif kind == "flows" and stem in _LISTS:
            AccessList(_LISTS[stem]).write_flows(path)
        elif stem.endswith("-warm"):
            AccessList(_LISTS[stem[:-5]]).write_capture(path, 100_000, 1)
        elif stem.endswith("-cold"):
            AccessList(_LISTS[stem[:-5]]).write_capture(path, self.cold_packets, 2)
        else:
            raise ValueError(f"no workload {name}")


NAMES = ["pipe6.flows", *_PIPELINES, "load200k.flows"] + [f"{stem}{end}" for stem in _LISTS for end in (".flows", "-warm.pcap", "-cold.pcap")]
