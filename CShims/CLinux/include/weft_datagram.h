// Datagram and raw IP sockets with what goes beside the bytes: addresses, TTL, TOS, segment size (udp(7), ip(7), ipv6(7)).
#pragma once
#include <stdint.h>
#include <stddef.h>
#include <sys/uio.h>

/// One datagram received, with what the kernel tells of it. Addresses are 16 bytes in network order, IPv4 ones mapped (::ffff:0:0/96).
struct weft_datagram_in {
    void *_Nullable data;
    uint32_t capacity;
    uint32_t length;
    /// Bytes of each part but the last when the kernel joined several datagrams (UDP_GRO), else 0.
    uint32_t segment_size;
    uint64_t source[2];
    uint64_t destination[2];
    uint16_t source_port;
    uint8_t ttl;
    uint8_t tos;
    /// 1 when the datagram was longer than `capacity`.
    uint8_t is_truncated;
};

/// One datagram to send.
struct weft_datagram_out {
    struct iovec *_Nullable parts;
    uint32_t part_count;
    /// Bytes of each datagram but the last (UDP_SEGMENT), 0 for a single one.
    uint16_t segment_size;
    uint8_t ttl;
    uint8_t tos;
    uint64_t destination[2];
    uint16_t port;
    /// Whether `source` is to be used instead of the kernel's choice.
    uint8_t has_source;
    uint64_t source[2];
};

enum { weft_datagram_batch = 64 };

/// A non-blocking UDP socket for `family` (AF_INET or AF_INET6, then IPv6 only), or a raw GRE socket with `is_gre`. Negative errno on failure.
int weft_datagram_open(int family, int is_gre);
/// Binds to any address; `reuse` lets several workers share the port. 0 or an errno.
int weft_datagram_bind(int fd, int family, uint16_t port, int reuse);
/// The port a bound socket got, or 0.
uint16_t weft_datagram_port(int fd);
/// Asks for addresses, TTL and TOS beside each datagram, for joined datagrams on UDP, and for a large buffer. 0 or an errno.
int weft_datagram_prepare_receive(int fd, int family, int is_gre, int buffer);
/// Path-MTU discovery (DF), UDP checksums, packet mark, send buffer. 0 or an errno.
int weft_datagram_prepare_send(int fd, int family, int is_gre, int dont_fragment, int checksum, uint32_t mark, int buffer);
/// Up to `weft_datagram_batch` datagrams. Returns how many, or a negative errno. An IPv4 raw socket's header is part of the data.
int weft_datagram_receive(int fd, struct weft_datagram_in *_Nonnull in, int count);
/// Sends in order. Returns how many, or a negative errno for the first.
int weft_datagram_send(int fd, int family, const struct weft_datagram_out *_Nonnull out, int count);

/// Enters the network namespace of an open descriptor; returns 0 or an errno.
int weft_enter_namespace(int fd);
/// An epoll descriptor, negative errno on failure.
int weft_epoll_open(void);
/// Adds `fd` for reading. 0 or an errno.
int weft_epoll_add(int epoll, int fd);
