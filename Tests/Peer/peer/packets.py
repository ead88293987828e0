"""Builds frames byte by byte. Every field that a header has can be given a wrong value; by default lengths and checksums are right."""

import ipaddress
import struct

MAC_A = bytes.fromhex("020000000001")
MAC_B = bytes.fromhex("020000000002")
TCP, UDP, SCTP, ICMP, IGMP, ICMPV6, GRE, ESP, AH = 6, 17, 132, 1, 2, 58, 47, 50, 51
IPV4, IPV6, ARP, RARP, MPLS, MPLS_MULTICAST, VLAN, QINQ = 0x0800, 0x86DD, 0x0806, 0x8035, 0x8847, 0x8848, 0x8100, 0x88A8


def address(text):
    return ipaddress.ip_address(text).packed


def checksum(data):
    """The Internet checksum (RFC 1071) of `data`, ready to be stored."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _crc32c_table()


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _CRC32C[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def ethernet(ether_type, payload, tags=(), source=MAC_A, destination=MAC_B):
    """`tags` are (TPID, TCI) pairs, outermost first."""
    tagged = b"".join(struct.pack(">HH", tpid, tci) for tpid, tci in tags)
    return destination + source + tagged + struct.pack(">H", ether_type) + payload


def padded(frame, size=60, byte=b"\0"):
    return frame + byte * max(0, size - len(frame))


def ipv4(source, destination, protocol, payload, tos=0, ttl=64, identification=0x1234, flags=0, fragment_offset=0, options=b"",
         version=4, header_words=None, total_length=None, header_checksum=None):
    """`flags` is DF 2, MF 1; `fragment_offset` counts 8-byte units."""
    words = 5 + len(options) // 4 if header_words is None else header_words
    length = 20 + len(options) + len(payload) if total_length is None else total_length
    header = struct.pack(
        ">BBHHHBBH4s4s", version << 4 | words, tos, length & 0xFFFF, identification, flags << 13 | fragment_offset, ttl, protocol, 0,
        address(source), address(destination)) + options
    value = checksum(header) if header_checksum is None else header_checksum
    return header[:10] + struct.pack(">H", value) + header[12:] + payload


def ipv6(source, destination, next_header, payload, traffic_class=0, label=0, hop_limit=64, version=6, payload_length=None):
    length = len(payload) if payload_length is None else payload_length
    return struct.pack(
        ">IHBB16s16s", version << 28 | traffic_class << 20 | label, length & 0xFFFF, next_header, hop_limit, address(source),
        address(destination)) + payload


def pseudo_header(source, destination, protocol, length):
    a, b = address(source), address(destination)
    return a + b + (struct.pack(">BBH", 0, protocol, length) if len(a) == 4 else struct.pack(">IHBB", length, 0, 0, protocol))


def tcp(source, destination, source_port, destination_port, payload=b"", flags=0x10, options=b"", header_words=None, bad_by=0):
    """`bad_by` is added to the right checksum. `flags` has 12 bits."""
    words = 5 + len(options) // 4 if header_words is None else header_words
    segment = struct.pack(
        ">HHIIHHHH", source_port, destination_port, 0x01020304, 0x05060708, words << 12 | flags, 8192, 0, 0) + options + payload
    value = checksum(pseudo_header(source, destination, TCP, len(segment)) + segment)
    return segment[:16] + struct.pack(">H", value + bad_by & 0xFFFF) + segment[18:]


def udp(source, destination, source_port, destination_port, payload=b"", length=None, value=None, bad_by=0):
    """`value` replaces the checksum; without it a computed 0 is sent as 0xffff (RFC 768)."""
    datagram = struct.pack(">HHHH", source_port, destination_port, 8 + len(payload) if length is None else length, 0) + payload
    if value is None:
        value = checksum(pseudo_header(source, destination, UDP, len(datagram)) + datagram) or 0xFFFF
        value = value + bad_by & 0xFFFF
    return datagram[:6] + struct.pack(">H", value) + datagram[8:]


def sctp(source_port, destination_port, payload=b"\0\3\0\x10abcdefghijkl", bad_by=0):
    packet = struct.pack(">HHII", source_port, destination_port, 0xCAFEF00D, 0) + payload
    return packet[:8] + struct.pack("<I", crc32c(packet) + bad_by & 0xFFFFFFFF) + packet[12:]


def icmp(kind, code, rest=b"\0\1\0\2", payload=b"ping", bad_by=0):
    message = struct.pack(">BBH", kind, code, 0) + rest + payload
    return message[:2] + struct.pack(">H", checksum(message) + bad_by & 0xFFFF) + message[4:]


def icmpv6(source, destination, kind, code, body, bad_by=0):
    message = struct.pack(">BBH", kind, code, 0) + body
    value = checksum(pseudo_header(source, destination, ICMPV6, len(message)) + message)
    return message[:2] + struct.pack(">H", value + bad_by & 0xFFFF) + message[4:]


def neighbor_option(kind, mac=MAC_A, length=1, size=None):
    """A source (1) or target (2) link-layer address option; `length` counts 8-byte units."""
    body = struct.pack(">BB", kind, length) + mac
    return body + bytes(max(0, (8 * length if size is None else size) - len(body)))


def neighbor(source, destination, kind, target, options=b"", code=0, reserved=0, hop_limit=255, bad_by=0):
    """A neighbour solicitation (135) or advertisement (136) as an IPv6 packet."""
    message = icmpv6(source, destination, kind, code, struct.pack(">I", reserved) + address(target) + options, bad_by)
    return ipv6(source, destination, ICMPV6, message, hop_limit=hop_limit)


def arp(operation, sender="10.0.0.1", target="10.0.1.1", sender_mac=MAC_A, target_mac=bytes(6), hardware=1, protocol=IPV4, hardware_size=6,
        protocol_size=4):
    return struct.pack(">HHBBH", hardware, protocol, hardware_size, protocol_size, operation) + sender_mac + address(sender) + target_mac + address(target)


def extension(next_header, size=8, fill=b"\1\4\0\0\0\0", length=None):
    """A hop-by-hop, destination or routing header of `size` bytes."""
    body = (fill * size)[:size - 2]
    return struct.pack(">BB", next_header, size // 8 - 1 if length is None else length) + body


def fragment(next_header, offset=0, more=False, identification=0xABCD1234):
    """`offset` counts 8-byte units."""
    return struct.pack(">BBHI", next_header, 0, offset << 3 | more, identification)


def authentication(next_header, size=24, length=None):
    return struct.pack(">BBHII", next_header, size // 4 - 2 if length is None else length, 0, 0x1111, 7) + bytes(range(size - 12))


def mpls(label, traffic_class=0, bottom=True, ttl=64):
    return struct.pack(">I", label << 12 | traffic_class << 9 | bottom << 8 | ttl)


def labels(*values, ttl=64):
    return b"".join(mpls(value, traffic_class=index % 8, bottom=index == len(values) - 1, ttl=ttl) for index, value in enumerate(values))


def llc(payload, dsap=0x42, ssap=0x42, control=3):
    return struct.pack(">BBB", dsap, ssap, control) + payload


def snap(protocol, payload, organization=b"\0\0\0"):
    return llc(organization + struct.pack(">H", protocol) + payload, 0xAA, 0xAA)


def without_type(payload, length=None, tags=(), source=MAC_A, destination=MAC_B):
    """An 802.3 frame: a length where the EtherType would be."""
    return ethernet(len(payload) if length is None else length, payload, tags, source, destination)
