"""The traffic of the differential test, by kind: each function returns frames, always the same ones.

Addresses, ports, tags and labels come from small pools, so that the flow entries of the cases match a good part of them.
"""

import random
import struct

from .packets import *

V4 = [("10.0.0.1", "10.0.1.1"), ("10.0.0.2", "10.0.1.2"), ("10.0.0.3", "10.128.1.3"), ("192.168.7.9", "10.0.1.1"), ("10.0.0.1", "224.0.0.5")]
V6 = [("fe80::1", "fe80::2"), ("2001:db8::1", "2001:db8:1::2"), ("2001:db8::1", "2001:db8:ffff::3"), ("2001:db8::9", "ff02::1")]
PORTS = [(1000, 80), (80, 1000), (5353, 53), (40000, 443), (0, 65535)]
A4, B4 = V4[0]
A6, B6 = V6[1]


def v4(protocol, payload, source=A4, destination=B4, tags=(), **fields):
    return ethernet(IPV4, ipv4(source, destination, protocol, payload, **fields), tags)


def v6(next_header, payload, source=A6, destination=B6, tags=(), **fields):
    return ethernet(IPV6, ipv6(source, destination, next_header, payload, **fields), tags)


def tcp4(payload=b"hello tcp", **fields):
    return v4(TCP, tcp(A4, B4, 1000, 80, payload), **fields)


def udp4(payload=b"hello udp", **fields):
    return v4(UDP, udp(A4, B4, 1000, 80, payload), **fields)


def tcp6(payload=b"hello tcp", **fields):
    return v6(TCP, tcp(A6, B6, 1000, 80, payload), **fields)


def udp6(payload=b"hello udp", **fields):
    return v6(UDP, udp(A6, B6, 1000, 80, payload), **fields)


def plain():
    frames = []
    for (a, b), (p, q) in [(pair, ports) for pair in V4 for ports in PORTS]:
        frames += [v4(TCP, tcp(a, b, p, q, b"GET /"), a, b), v4(UDP, udp(a, b, p, q, b"query"), a, b), v4(SCTP, sctp(p, q), a, b)]
    for (a, b), (p, q) in [(pair, ports) for pair in V6 for ports in PORTS]:
        frames += [v6(TCP, tcp(a, b, p, q, b"GET /"), a, b), v6(UDP, udp(a, b, p, q, b"query"), a, b), v6(SCTP, sctp(p, q), a, b)]
    for flags in (0x000, 0x001, 0x002, 0x004, 0x011, 0x012, 0x018, 0x014, 0x029, 0x0C2, 0x100, 0x1FF, 0xFFF):
        frames += [v4(TCP, tcp(A4, B4, 1000, 80, b"", flags)), v6(TCP, tcp(A6, B6, 1000, 80, b"x", flags))]
    for ttl in (0, 1, 2, 64, 128, 255):
        for tos in (0, 0xB8, 0x03, 0xFF):
            frames += [udp4(ttl=ttl, tos=tos), tcp6(hop_limit=ttl, traffic_class=tos), v4(ICMP, icmp(8, 0), ttl=ttl, tos=tos)]
    for label in (0, 1, 0x12345, 0xFFFFF):
        frames += [udp6(label=label), tcp6(label=label, traffic_class=0xFF)]
    for kind, code in ((0, 0), (8, 0), (3, 1), (3, 4), (11, 0), (5, 1), (13, 0), (255, 255)):
        frames += [v4(ICMP, icmp(kind, code)), v4(ICMP, icmp(kind, code, payload=b"odd"))]
    for kind, code in ((128, 0), (129, 0), (1, 4), (2, 0), (3, 0), (4, 1), (143, 0), (255, 9)):
        frames.append(v6(ICMPV6, icmpv6(A6, B6, kind, code, b"\0\1\0\2abcdefgh")))
    for protocol in (0, 4, 41, 46, ESP, AH, 58, 88, 89, 103, 112, 136, 137, 253, 255):
        frames += [v4(protocol, bytes(range(24))), v6(protocol, bytes(range(24)))]
    frames += [v4(IGMP, icmp(kind, 0, address("239.1.2.3"), b"")) for kind in (0x11, 0x12, 0x16, 0x17, 0x22)]
    frames += [v4(UDP, udp(A4, B4, 1000, 80, bytes(range(size)))) for size in range(0, 24)]
    frames += [v4(TCP, tcp(A4, B4, 1000, 80, bytes(range(size)))) for size in range(0, 10)]
    # Both MAC addresses varied; broadcast, multicast and reserved destinations.
    for n, mac in enumerate(("ffffffffffff", "01005e000005", "333300000001", "0180c2000000", "0180c200000e", "0180c2000010", "000000000000")):
        frames.append(ethernet(IPV4, ipv4(A4, B4, UDP, udp(A4, B4, 1000, 80, b"m")), destination=bytes.fromhex(mac), source=bytes([2, 0, 0, 0, 9, n])))
    return frames


def fragments():
    frames = []
    datagram = udp(A4, B4, 1000, 80, bytes(range(64)))
    segment = tcp(A4, B4, 1000, 80, bytes(range(64)))
    for protocol, whole in ((UDP, datagram), (TCP, segment), (ICMP, icmp(8, 0, payload=bytes(64))), (SCTP, sctp(1000, 80, bytes(64)))):
        for size in (8, 16, 24, 40):
            frames.append(v4(protocol, whole[:size], flags=1))
        frames += [
            v4(protocol, whole[16:40], flags=1, fragment_offset=2), v4(protocol, whole[40:], fragment_offset=5), v4(protocol, whole, flags=2),
            v4(protocol, whole, flags=3), v4(protocol, whole, flags=4), v4(protocol, whole[:4], flags=1), v4(protocol, b"", flags=1),
            v4(protocol, b"", fragment_offset=1), v4(protocol, whole, fragment_offset=8191), v4(protocol, whole, flags=7, fragment_offset=100)]
        frames += [v4(protocol, whole[:24], flags=1, tags=[(VLAN, 5)]), v4(protocol, whole[24:], fragment_offset=3, tags=[(VLAN, 5)])]
        frames.append(v4(protocol, whole[:24], flags=1, options=b"\1\1\1\0"))
    for protocol, whole in ((UDP, udp(A6, B6, 1000, 80, bytes(64))), (TCP, tcp(A6, B6, 1000, 80, bytes(64))),
                            (ICMPV6, icmpv6(A6, B6, 128, 0, bytes(68))), (SCTP, sctp(1000, 80, bytes(64)))):
        for size in (0, 4, 8, 16, 40):
            frames.append(v6(44, fragment(protocol, 0, True) + whole[:size]))
        frames += [
            v6(44, fragment(protocol, 2, True) + whole[16:40]), v6(44, fragment(protocol, 5) + whole[40:]), v6(44, fragment(protocol) + whole),
            v6(44, fragment(60, 0, True) + extension(protocol) + whole[:24]), v6(60, extension(44) + fragment(protocol, 0, True) + whole[:24]),
            v6(60, extension(44) + fragment(protocol, 3) + whole[24:]), v6(44, fragment(60, 3) + whole[24:]),
            v6(44, fragment(44, 0, True) + fragment(protocol, 0, True) + whole), v6(44, fragment(44) + fragment(protocol, 9) + whole),
            v6(0, extension(44) + fragment(protocol, 8191) + whole)]
    # Fragments of neighbour discovery and with address options in the later part.
    ns = neighbor(A6, B6, 135, B6, neighbor_option(1))[40:]
    frames += [v6(44, fragment(ICMPV6, 0, True) + ns, hop_limit=255), v6(44, fragment(ICMPV6) + ns, hop_limit=255)]
    return frames


def _one_of_each():
    """One good frame of each shape, whose every truncation is worth a try."""
    inner = ipv4(A4, B4, UDP, udp(A4, B4, 1000, 80, b"xyz"))
    return [
        tcp4(), udp4(), v4(SCTP, sctp(1000, 80)), v4(ICMP, icmp(8, 0)), tcp6(), udp6(), v6(SCTP, sctp(1000, 80)),
        v6(ICMPV6, icmpv6(A6, B6, 128, 0, b"\0\1\0\2abcd")),
        ethernet(IPV6, neighbor(A6, B6, 135, B6, neighbor_option(1))), ethernet(IPV6, neighbor(A6, B6, 136, B6, neighbor_option(2))),
        ethernet(ARP, arp(1)), ethernet(RARP, arp(3)), v4(TCP, tcp(A4, B4, 1000, 80, b"opt", options=b"\1\1\1\1\1\1\1\0"), options=b"\1\1\1\0"),
        tcp4(tags=[(VLAN, 0x2005)]), udp6(tags=[(QINQ, 7), (VLAN, 0x6009)]), ethernet(MPLS, labels(16, 17, 18) + inner),
        v6(0, extension(43) + extension(60) + extension(UDP) + udp(A6, B6, 1000, 80, b"ext")), v6(44, fragment(UDP, 0, True) + udp(A6, B6, 1000, 80, b"")),
        v6(AH, authentication(TCP) + tcp(A6, B6, 1000, 80)), without_type(snap(IPV4, inner)), without_type(llc(b"bpdu")),
        v4(IGMP, icmp(0x16, 0, address("239.1.2.3"), b"")), ethernet(0x894F, struct.pack(">HBBII", 0x0FC6, 1, 1, 0x123456, 0) + bytes(16) + inner),
    ]


def truncated():
    """Every prefix of every shape, as it stands; and the same IP packets with lengths that agree with what is left."""
    frames = []
    for whole in _one_of_each():
        frames += [whole[:size] for size in range(1, len(whole))]
    for protocol, transport in ((TCP, tcp(A4, B4, 1000, 80, b"0123")), (UDP, udp(A4, B4, 1000, 80, b"0123")), (ICMP, icmp(8, 0)), (SCTP, sctp(1000, 80))):
        frames += [v4(protocol, transport[:size]) for size in range(len(transport))]
    for protocol, transport in ((TCP, tcp(A6, B6, 1000, 80, b"0123")), (UDP, udp(A6, B6, 1000, 80, b"0123")), (SCTP, sctp(1000, 80)),
                                (ICMPV6, neighbor(A6, B6, 135, B6, neighbor_option(1))[40:])):
        frames += [v6(protocol, transport[:size]) for size in range(len(transport))]
    return frames


def checksums():
    frames = []
    for bad in (1, 0x00FF, 0x0100, 0x7FFF, 0xFFFE, 0xFFFF):
        frames += [
            v4(TCP, tcp(A4, B4, 1000, 80, b"bad", bad_by=bad)), v4(UDP, udp(A4, B4, 1000, 80, b"bad", bad_by=bad)), v4(ICMP, icmp(8, 0, bad_by=bad)),
            v6(TCP, tcp(A6, B6, 1000, 80, b"bad", bad_by=bad)), v6(UDP, udp(A6, B6, 1000, 80, b"bad", bad_by=bad)),
            v6(ICMPV6, icmpv6(A6, B6, 128, 0, b"\0\1\0\2", bad_by=bad)), v4(SCTP, sctp(1000, 80, bad_by=bad)), v6(SCTP, sctp(1000, 80, bad_by=bad)),
            ethernet(IPV6, neighbor(A6, B6, 135, B6, neighbor_option(1), bad_by=bad)),
            ethernet(IPV6, neighbor(A6, B6, 136, B6, neighbor_option(2), bad_by=bad))]
    for value in (0, 1, 0x1234, 0xB1E6, 0xFFFE, 0xFFFF):
        frames += [tcp4(header_checksum=value), udp4(header_checksum=value), v4(ICMP, icmp(8, 0), header_checksum=value, ttl=1)]
        frames += [v4(UDP, udp(A4, B4, 1000, 80, b"given", value=value)), v6(UDP, udp(A6, B6, 1000, 80, b"given", value=value))]
        frames.append(v4(UDP, udp(A4, B4, 1000, 80, b"given", value=value), tags=[(VLAN, 5)]))
    # Payloads for which the right UDP checksum is 0, 1, 0xfffe and 0xffff: where repair is most easily got wrong.
    for a, b, wrap in ((A4, B4, v4), (A6, B6, v6)):
        for wanted in (0, 1, 2, 0xFFFE, 0xFFFF):
            base = checksum(pseudo_header(a, b, UDP, 10) + struct.pack(">HHHH", 1000, 80, 10, 0))
            word = next(w for w in range(0x10000) if _minus(base, w) == wanted or wanted in (0, 0xFFFF) and _minus(base, w) in (0, 0xFFFF))
            frames.append(wrap(UDP, udp(a, b, 1000, 80, struct.pack(">H", word))))
    for ttl in range(250, 256):
        for identification in (0, 0xFFFF, 0xFEFF, 0x00FF):
            frames.append(udp4(ttl=ttl, identification=identification))
    return frames


def _minus(value, word):
    """The checksum `value` after `word` was added to what it sums."""
    total = (~value & 0xFFFF) + word
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def lengths():
    frames = []
    datagram, segment = udp(A4, B4, 1000, 80, bytes(20)), tcp(A4, B4, 1000, 80, bytes(20))
    for protocol, whole in ((UDP, datagram), (TCP, segment), (ICMP, icmp(8, 0, payload=bytes(12)))):
        right = 20 + len(whole)
        for total in (0, 1, 19, 20, 21, 24, 27, 28, 32, 39, 40, right - 1, right + 1, right + 4, 1500, 65535):
            frames.append(v4(protocol, whole, total_length=total))
            frames.append(padded(v4(protocol, whole, total_length=total), 90, b"\xAA"))
        for words in range(16):
            frames.append(v4(protocol, whole, header_words=words))
        for size in (4, 8, 20, 40):
            frames += [v4(protocol, whole, options=(b"\1" * size)[:-1] + b"\0"), v4(protocol, whole, options=b"\x07\x07\x04" + bytes(size - 3))]
        for version in (0, 3, 5, 6, 15):
            frames.append(v4(protocol, whole, version=version))
        # Padding as Ethernet adds it, and a trailer of other sizes, one beyond what fits a byte.
        for size in (1, 2, 3, 18, 46, 254, 255, 256, 300):
            frames.append(v4(protocol, whole) + b"\xEE" * size)
    frames += [padded(v4(UDP, udp(A4, B4, 1000, 80, bytes(n)))) for n in range(6)] + [padded(v4(TCP, tcp(A4, B4, 1000, 80)), 60, b"\xFF")]
    for words in range(16):
        frames += [v4(TCP, tcp(A4, B4, 1000, 80, bytes(12), header_words=words)), v6(TCP, tcp(A6, B6, 1000, 80, bytes(12), header_words=words))]
    for length in (0, 1, 7, 8, 9, 20, 27, 29, 65535):
        frames += [v4(UDP, udp(A4, B4, 1000, 80, bytes(20), length=length)), v6(UDP, udp(A6, B6, 1000, 80, bytes(20), length=length))]
    for protocol, whole in ((UDP, udp(A6, B6, 1000, 80, bytes(20))), (TCP, tcp(A6, B6, 1000, 80, bytes(20))),
                            (ICMPV6, neighbor(A6, B6, 135, B6, neighbor_option(1))[40:])):
        for length in (0, 1, 7, 8, 12, 19, 20, 23, 24, len(whole) - 1, len(whole) + 1, 1500, 65535):
            frames += [v6(protocol, whole, payload_length=length), v6(protocol, whole, payload_length=length) + b"\xBB" * 40]
        for version in (0, 4, 5, 7, 15):
            frames.append(v6(protocol, whole, version=version))
        frames += [v6(protocol, whole) + b"\xEE" * size for size in (1, 2, 40, 255, 256, 300)]
    # The other family's header behind each EtherType.
    frames += [ethernet(IPV4, ipv6(A6, B6, UDP, udp(A6, B6, 1000, 80, b"x"))), ethernet(IPV6, ipv4(A4, B4, UDP, udp(A4, B4, 1000, 80, b"x" * 20)))]
    return frames


def vlan():
    frames = []
    insides = [
        (IPV4, ipv4(A4, B4, TCP, tcp(A4, B4, 1000, 80, b"v"))), (IPV6, ipv6(A6, B6, UDP, udp(A6, B6, 1000, 80, b"v"))), (ARP, arp(1)),
        (MPLS, labels(16) + ipv4(A4, B4, UDP, udp(A4, B4, 1000, 80, b"v"))), (0x1234, bytes(20)), (20, llc(bytes(17))),
        (0x0600, bytes(10)), (0x05FF, bytes(10)), (30, snap(IPV4, ipv4(A4, B4, UDP, udp(A4, B4, 1000, 80, b"v"))))]
    stacks = [
        [(VLAN, 5)], [(VLAN, 0)], [(VLAN, 0xE000)], [(VLAN, 0xA005)], [(VLAN, 0x1005)], [(VLAN, 0xFFFF)], [(VLAN, 0x0FFF)], [(VLAN, 100)], [(QINQ, 5)],
        [(QINQ, 0)], [(0x9100, 5)], [(QINQ, 5), (VLAN, 6)], [(QINQ, 0x2005), (VLAN, 0x4006)], [(VLAN, 5), (VLAN, 6)], [(VLAN, 0), (VLAN, 6)],
        [(QINQ, 5), (QINQ, 6)], [(VLAN, 5), (QINQ, 6)], [(QINQ, 5), (VLAN, 6), (VLAN, 7)], [(VLAN, 1), (VLAN, 2), (VLAN, 3), (VLAN, 4)],
        [(VLAN, 5), (0x9100, 6)], [(QINQ, 0), (VLAN, 0)]]
    for tags in stacks:
        for ether_type, payload in insides:
            frames.append(ethernet(ether_type, payload, tags))
    frames += [udp4(tags=[(VLAN, pcp << 13 | 5)]) for pcp in range(8)]
    frames += [ethernet(VLAN, b""), ethernet(VLAN, b"\0\5"), ethernet(VLAN, b"\0\5\x08"), ethernet(VLAN, b"\0\5\x08\0"), ethernet(QINQ, b"\0\5\x81\0\0\6"),
               ethernet(QINQ, b"\0\5\x81\0\0\6\x08\0"), ethernet(VLAN, bytes(46))]
    return frames


def mpls_labels():
    frames = []
    insides = [ipv4(A4, B4, TCP, tcp(A4, B4, 1000, 80, b"m")), ipv6(A6, B6, UDP, udp(A6, B6, 1000, 80, b"m")), bytes(20), b"", ethernet(IPV4, b"pseudowire")]
    for ether_type in (MPLS, MPLS_MULTICAST):
        for payload in insides:
            for stack in ((16,), (16, 17), (16, 17, 18), (16, 17, 18, 19), tuple(range(20, 29)), (0,), (2,), (3,), (0xFFFFF, 0)):
                frames.append(ethernet(ether_type, labels(*stack) + payload))
            frames += [ethernet(ether_type, labels(16, 17) + payload, [(VLAN, 5)]), ethernet(ether_type, labels(16) + payload, [(QINQ, 5), (VLAN, 6)])]
    inner = ipv4(A4, B4, UDP, udp(A4, B4, 1000, 80, b"ttl"), ttl=9)
    for ttl in (0, 1, 2, 64, 255):
        for traffic_class in (0, 5):
            frames += [ethernet(MPLS, mpls(16, traffic_class, True, ttl) + inner), ethernet(MPLS, mpls(16, 0, False, ttl) + mpls(17, traffic_class, True, 3) + inner)]
    # No bottom of stack at all, a bottom too early, and stacks that end in the middle of an entry.
    endless = b"".join(mpls(n, bottom=False) for n in range(30, 36))
    frames += [ethernet(MPLS, endless), ethernet(MPLS, mpls(16) + mpls(17) + inner), ethernet(MPLS, endless + inner)]
    frames += [ethernet(MPLS, endless[:size]) for size in range(len(endless))]
    return frames


def ipv6_extensions():
    frames = []
    transport = udp(A6, B6, 1000, 80, b"behind extensions")
    segment = tcp(A6, B6, 1000, 80, b"behind")
    for header in (0, 43, 60, 135, 139, 140):
        for size in (8, 16, 24, 64, 264):
            frames += [v6(header, extension(UDP, size) + transport), v6(header, extension(TCP, size) + segment)]
        for length in (0, 1, 2, 3, 10, 255):
            frames.append(v6(header, extension(UDP, 8, length=length) + transport))
        frames += [v6(header, extension(59) + b"nothing"), v6(header, extension(header) + extension(header) + extension(UDP) + transport)]
    for size in (12, 16, 24, 28, 32):
        frames += [v6(AH, authentication(UDP, size) + transport), v6(AH, authentication(TCP, size) + segment)]
        frames.append(v4(AH, authentication(UDP, size) + udp(A4, B4, 1000, 80, b"ah")))
    for length in (0, 1, 2, 100, 255):
        frames.append(v6(AH, authentication(UDP, 24, length=length) + transport))
    # Segment routing and type 0 routing headers with segments left.
    for kind, left in ((0, 0), (0, 1), (2, 1), (3, 0), (4, 0), (4, 1), (4, 2)):
        routing = struct.pack(">BBBBI", UDP, 2, kind, left, 0) + address("2001:db8::55")
        frames += [v6(43, routing + transport), v6(43, b"\x06" + routing[1:] + segment)]
    chain = extension(60) + extension(43) + extension(44) + fragment(AH) + authentication(60) + extension(UDP) + transport
    frames.append(v6(0, chain))
    frames += [v6(0, chain[:size]) for size in range(0, len(chain), 3)]
    frames += [v6(59, b"payload after no next header"), v6(59, b""), v6(ESP, bytes(range(30))), v6(253, bytes(8)), v6(41, ipv6(A6, B6, UDP, transport)), v6(4, ipv4(A4, B4, UDP, udp(A4, B4, 1, 2)))]
    frames += [v6(44, fragment(UDP)[:size]) for size in range(9)] + [v6(44, fragment(UDP, 0, True) + transport[:size]) for size in range(9)]
    # Right order and odd orders, and many headers.
    frames += [v6(60, extension(0) + extension(UDP) + transport), v6(0, b"".join(extension(60) for _ in range(20)) + extension(UDP) + transport)]
    return frames


def arp_messages():
    frames = []
    for operation in (0, 1, 2, 3, 4, 8, 9, 255, 256, 257, 0xFFFF):
        frames += [ethernet(ARP, arp(operation)), ethernet(RARP, arp(operation))]
    for a, b in V4[:4]:
        frames += [padded(ethernet(ARP, arp(1, a, b), destination=b"\xFF" * 6)), ethernet(ARP, arp(2, b, a, MAC_B, MAC_A), destination=MAC_A, source=MAC_B)]
        frames += [ethernet(ARP, arp(1, a, a, target_mac=b"\xFF" * 6)), ethernet(RARP, arp(3, "0.0.0.0", "0.0.0.0", MAC_A, MAC_A)), ethernet(ARP, arp(1, a, b), [(VLAN, 5)])]
    frames += [
        ethernet(ARP, arp(1, hardware=6)), ethernet(ARP, arp(1, protocol=IPV6)), ethernet(ARP, arp(1, hardware_size=8)), ethernet(ARP, arp(1, protocol_size=16)),
        ethernet(ARP, arp(2, hardware=0)), ethernet(ARP, arp(1, protocol_size=0)), ethernet(ARP, arp(1) + bytes(200)), ethernet(ARP, bytes(28)),
        ethernet(ARP, b"\xFF" * 28)]
    frames += [ethernet(ARP, arp(2)[:size]) for size in range(28)]
    return frames


def neighbor_discovery():
    frames = []
    sll, tll, unknown = neighbor_option(1, MAC_A), neighbor_option(2, MAC_B), neighbor_option(14, b"nonce!")
    for kind in (135, 136):
        for options in (
                b"", sll, tll, sll + tll, tll + sll, sll + sll, tll + tll, unknown, unknown + sll, sll + unknown, unknown + tll + unknown,
                neighbor_option(1, MAC_A, 2), neighbor_option(2, MAC_B, 2), neighbor_option(1, MAC_A, 0, 8), neighbor_option(2, MAC_B, 0, 8),
                neighbor_option(1, MAC_A, 3, 8), sll[:4], sll + b"\1", tll + b"\2\1", neighbor_option(1, bytes(6)), neighbor_option(2, bytes(6)), b"\0" * 8,
                neighbor_option(5, b"mtumtu"), neighbor_option(3, bytes(30), 4)):
            for source, destination in ((A6, B6), ("fe80::1", "ff02::1:ff00:2")):
                frames.append(ethernet(IPV6, neighbor(source, destination, kind, B6, options)))
        for reserved in (0x20000000, 0x60000000, 0xE0000000, 0xFFFFFFFF, 1):
            frames.append(ethernet(IPV6, neighbor(A6, B6, kind, B6, sll + tll, reserved=reserved)))
        frames += [
            ethernet(IPV6, neighbor(A6, B6, kind, B6, sll + tll, code=1)), ethernet(IPV6, neighbor(A6, B6, kind, B6, sll + tll, hop_limit=64)),
            ethernet(IPV6, neighbor("::", "ff02::1:ff00:2", kind, "fe80::2")), ethernet(IPV6, neighbor(A6, B6, kind, "ff02::1", sll)),
            ethernet(IPV6, neighbor(A6, B6, kind, B6, sll + tll), [(VLAN, 5)]), ethernet(IPV6, neighbor(A6, B6, kind, "::", sll)),
            ethernet(IPV6, neighbor(A6, B6, kind, B6, sll)) + b"\xDD" * 16]
        message = icmpv6(A6, B6, kind, 0, bytes(4) + address(B6) + sll + tll)
        frames += [v6(60, extension(ICMPV6) + message, hop_limit=255)]
        frames += [v6(ICMPV6, message[:size], hop_limit=255) for size in range(len(message))]
    prefix = struct.pack(">BBBBIII16s", 3, 4, 64, 0xC0, 3600, 3600, 0, address("2001:db8::"))
    for options in (b"", sll, sll + neighbor_option(5, struct.pack(">HI", 0, 1500)) + prefix):
        frames += [
            v6(ICMPV6, icmpv6("fe80::1", "ff02::2", 133, 0, bytes(4) + options), "fe80::1", "ff02::2", hop_limit=255),
            v6(ICMPV6, icmpv6("fe80::1", "ff02::1", 134, 0, struct.pack(">BBHII", 64, 0, 1800, 0, 0) + options), "fe80::1", "ff02::1", hop_limit=255),
            v6(ICMPV6, icmpv6("fe80::1", "fe80::2", 137, 0, bytes(4) + address(B6) + address(A6) + options), "fe80::1", "fe80::2", hop_limit=255)]
    frames += [v6(ICMPV6, icmpv6("fe80::1", "ff02::16", 143, 0, b"\0\0\0\1\4\0\0\0" + address("ff02::fb")), "fe80::1", "ff02::16", hop_limit=1)]
    return frames


def llc_frames():
    frames = []
    inner = ipv4(A4, B4, UDP, udp(A4, B4, 1000, 80, b"snap"))
    bpdu = bytes.fromhex("0000000000800002000000000100000000800002000000000180010000140002000f00")
    for destination in (MAC_B, bytes.fromhex("0180c2000000")):
        frames += [
            without_type(llc(bpdu), destination=destination), without_type(snap(IPV4, inner), destination=destination), without_type(snap(IPV6, inner), destination=destination),
            without_type(snap(0x2000, b"cdp", b"\0\0\x0C"), destination=destination), without_type(snap(ARP, arp(1)), destination=destination),
            without_type(snap(0x0100, bytes(20)), destination=destination), without_type(snap(VLAN, b"\0\5\x08\0" + inner), destination=destination),
            without_type(llc(inner, 0xAA, 0xAA, 0x13), destination=destination), without_type(llc(inner, 0xFF, 0xFF), destination=destination)]
    for length in (0, 1, 8, 46, 100, 1500, 0x05DC, 0x05FF, 0x0600, 0x0601):
        frames += [without_type(snap(IPV4, inner), length), without_type(llc(bytes(20)), length)]
    frames += [without_type(snap(IPV4, inner), tags=[(VLAN, 5)]), without_type(llc(bpdu), tags=[(VLAN, 5)]), without_type(b""), without_type(b"\xAA\xAA")]
    frames += [without_type(snap(0x05FF, inner)), without_type(snap(0x0600, inner)), without_type(snap(MPLS, labels(16) + inner))]
    for kind in (0x0842, 0x8863, 0x8864, 0x888E, 0x88CC, 0x88E5, 0x88E7, 0x88F7, 0x894F, 0x9000, 0xFFFF, 0x6558, 0x22F3):
        frames += [ethernet(kind, bytes(40)), ethernet(kind, b"\x11" * 40), ethernet(kind, b"")]
    # Network service headers of both metadata types.
    for base in ((0x0FC6, 1, 1), (0x0FC6, 1, 3), (0x0FC2, 2, 1), (0x0FC3, 2, 4), (0x0001, 1, 1), (0x0FFF, 1, 1), (0x2FC6, 1, 1)):
        frames.append(ethernet(0x894F, struct.pack(">HBBI", *base, 0x00012305) + bytes(16) + inner))
    return frames


def tunneled():
    inner4, inner6 = ipv4("172.16.0.1", "172.16.0.2", TCP, tcp("172.16.0.1", "172.16.0.2", 7, 8)), ipv6(A6, B6, UDP, udp(A6, B6, 1000, 80, b"in"))
    inside = ethernet(IPV4, inner4)
    vxlan = struct.pack(">II", 0x08000000, 77 << 8) + inside
    geneve = struct.pack(">BBHI", 0, 0, 0x6558, 77 << 8) + inside
    gtp = struct.pack(">BBHI", 0x30, 255, len(inner4), 9) + inner4
    frames = [
        v4(GRE, struct.pack(">HH", 0, IPV4) + inner4), v4(GRE, struct.pack(">HH", 0x2000, 0x6558) + b"\0\0\0\7" + inside), v6(GRE, struct.pack(">HH", 0, IPV6) + inner6),
        v4(UDP, udp(A4, B4, 40000, 4789, vxlan)), v6(UDP, udp(A6, B6, 40000, 4789, vxlan)), v4(UDP, udp(A4, B4, 40000, 6081, geneve)),
        v4(UDP, udp(A4, B4, 40000, 2152, gtp)), v4(UDP, udp(A4, B4, 40000, 6635, labels(16) + inner4)), v4(4, inner4), v4(41, inner6), v6(4, inner4), v6(41, inner6),
        v4(ICMP, icmp(3, 3, bytes(4), inner4[:28])), v4(ICMP, icmp(11, 0, bytes(4), inner4)), v6(ICMPV6, icmpv6(A6, B6, 1, 4, bytes(4) + inner6)),
        v4(UDP, udp(A4, B4, 67, 68, bytes(240))), v4(UDP, udp(A4, B4, 3784, 3784, bytes(24)))]
    return frames + [frame + b"\xEE" * 3 for frame in frames]


def jumbo():
    frames = []
    for size in (1400, 1472, 1473, 1500, 4000, 8972, 8973, 9000, 16000):
        body = bytes(n * 7 & 0xFF for n in range(size))
        frames += [v4(UDP, udp(A4, B4, 1000, 80, body)), v4(TCP, tcp(A4, B4, 1000, 80, body)), v6(UDP, udp(A6, B6, 1000, 80, body)), tcp4(body, tags=[(VLAN, 5)])]
    return frames


def mutated(count=1500, seed=7):
    """Good frames with one to four bytes of their headers changed."""
    generator = random.Random(seed)
    sources = _one_of_each() + [frame for frame in plain()[::9] + vlan()[::7] + neighbor_discovery()[::9] + ipv6_extensions()[::9]]
    frames = []
    for _ in range(count):
        frame = bytearray(generator.choice(sources))
        for _ in range(generator.randint(1, 4)):
            frame[generator.randrange(12, min(len(frame), 90))] = generator.choice((0, 1, 0xFF, 0x80, generator.randrange(256)))
        frames.append(bytes(frame))
    return frames


def hosts():
    """Stations that talk, answer, move and are silent: for NORMAL and `learn`. Ports are in `host_ports`."""
    generator = random.Random(11)
    frames = []
    for _ in range(400):
        a, b = generator.sample(range(1, 9), 2)
        source, destination = bytes([2, 0, 0, 0, 1, a]), generator.choice((bytes([2, 0, 0, 0, 1, b]), b"\xFF" * 6, bytes.fromhex("333300000001")))
        tags = generator.choice(([], [], [(VLAN, 5)], [(VLAN, 0)], [(QINQ, 5)]))
        frames.append(ethernet(IPV4, ipv4(f"10.0.0.{a}", f"10.0.0.{b}", UDP, udp(f"10.0.0.{a}", f"10.0.0.{b}", 1000 + a, 1000 + b, b"talk")), tags, source, destination))
    return frames


def paced():
    """Good frames of four kinds, for time-outs and meters: TCP always, UDP in bursts, ARP and SCTP rarely."""
    frames = []
    for n in range(120):
        if n % 17 == 3:
            frames.append(ethernet(ARP, arp(1)))
        elif n % 11 == 5:
            frames.append(v4(SCTP, sctp(1000, 80)))
        elif n // 10 % 2:
            frames.append(v4(UDP, udp(A4, B4, 1000 + n % 3, 53, bytes(n))))
        else:
            frames.append(v4(TCP, tcp(A4, B4, 1000, 80, bytes(4 * n))))
    return frames


KINDS = {
    "plain": plain, "fragments": fragments, "truncated": truncated, "checksums": checksums, "lengths": lengths, "vlan": vlan, "mpls": mpls_labels,
    "ipv6-extensions": ipv6_extensions, "arp": arp_messages, "nd": neighbor_discovery, "llc": llc_frames, "tunneled": tunneled, "jumbo": jumbo,
    "mutated": mutated,
}


def everything(seed=3):
    """All kinds, shuffled so that caches meet them in no helpful order."""
    frames = [frame for kind in KINDS.values() for frame in kind()]
    random.Random(seed).shuffle(frames)
    return frames


def sample(seed=5, count=1600):
    """A part of everything in which each kind is present: for cases that need many cases' worth of actions, not of packets."""
    frames = []
    for kind in KINDS.values():
        of_kind = kind()
        frames += random.Random(seed).sample(of_kind, min(len(of_kind), count // len(KINDS)))
    random.Random(seed).shuffle(frames)
    return frames


CAPTURES = dict(KINDS, hosts=hosts, paced=paced, everything=everything, sample=sample)

def timed(frames, start=1_700_000_000_000_000_000, step=1_000_000):
    """Frames with distinct times, one `step` (nanoseconds) apart."""
    return [(start + index * step, frame) for index, frame in enumerate(frames)]


def capture(name):
    """The packets of the capture of that name, with their times.

    Paced packets come six at a time every three seconds: Open vSwitch ends an entry up to a second after its time-out, so no packet may come then.
    """
    packets = timed(CAPTURES[name]())
    if name == "paced":
        packets = [(when + index // 6 * 3_000_000_000, frame) for index, (when, frame) in enumerate(packets)]
    return packets


def split_by_source(frames, ports=3):
    """Packets of `hosts` by port: a station sits on the port its number modulo `ports` gives, and every seventh packet comes from elsewhere."""
    result = {port: [] for port in range(1, ports + 1)}
    for index, packet in enumerate(timed(frames)):
        station = packet[1][11] + (index % 7 == 0)
        result[station % ports + 1].append(packet)
    return result
