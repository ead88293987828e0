#define _GNU_SOURCE
#include "weft_datagram.h"
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <linux/filter.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif

static int set(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : errno;
}

int weft_datagram_open(int family, int is_gre) {
    int fd = socket(family, (is_gre ? SOCK_RAW : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, is_gre ? IPPROTO_GRE : IPPROTO_UDP);
    if (fd < 0) return -errno;
    if (family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return fd;
}

int weft_datagram_bind(int fd, int family, uint16_t port, int reuse) {
    if (reuse) {
        int error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        if (error) return error;
    }
    struct sockaddr_storage any = {0};
    any.ss_family = (sa_family_t)family;
    // The port is at the same place in both families.
    ((struct sockaddr_in *)&any)->sin_port = htons(port);
    socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    return bind(fd, (struct sockaddr *)&any, size) == 0 ? 0 : errno;
}

uint16_t weft_datagram_port(int fd) {
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0) return 0;
    return ntohs(((struct sockaddr_in *)&name)->sin_port);
}

int weft_datagram_prepare_receive(int fd, int family, int is_gre, int buffer) {
    int error = 0;
    if (family == AF_INET) {
        error = set(fd, IPPROTO_IP, IP_PKTINFO, 1);
        if (!error) error = set(fd, IPPROTO_IP, IP_RECVTTL, 1);
        if (!error) error = set(fd, IPPROTO_IP, IP_RECVTOS, 1);
    } else {
        error = set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        if (!error) error = set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
        if (!error) error = set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        // Tunnels may leave the checksum out (RFC 6935, RFC 6936).
        if (!error && !is_gre) error = set(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1);
    }
    if (error) return error;
    if (!is_gre) set(fd, IPPROTO_UDP, UDP_GRO, 1); // Without it datagrams come one by one.
    if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer)) set(fd, SOL_SOCKET, SO_RCVBUF, buffer);
    return 0;
}

int weft_datagram_prepare_send(int fd, int family, int is_gre, int dont_fragment, int checksum, uint32_t mark, int buffer) {
    int error;
    if (family == AF_INET) {
        error = set(fd, IPPROTO_IP, IP_MTU_DISCOVER, dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
        if (!error && !is_gre) error = set(fd, SOL_SOCKET, SO_NO_CHECK, checksum ? 0 : 1);
    } else {
        error = set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, dont_fragment ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT);
        // DO alone lets the kernel fragment what exceeds the path; refusing is this one's work.
        if (!error) error = set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, dont_fragment ? 1 : 0);
        if (!error && !is_gre) error = set(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, checksum ? 0 : 1);
    }
    if (!error && mark) error = set(fd, SOL_SOCKET, SO_MARK, (int)mark);
    if (!error && is_gre) {
        // A raw socket gets a copy of every GRE packet; this one only sends.
        struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
        struct sock_fprog program = {.len = 1, .filter = &none};
        if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) error = errno;
    }
    if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, buffer)) set(fd, SOL_SOCKET, SO_SNDBUF, buffer);
    return error;
}

static void map_ipv4(void *mapped, const void *address) {
    uint8_t *to = mapped;
    memset(to, 0, 10);
    to[10] = to[11] = 0xff;
    memcpy(to + 12, address, 4);
}

int weft_datagram_receive(int fd, struct weft_datagram_in *in, int count) {
    if (count > weft_datagram_batch) count = weft_datagram_batch;
    struct mmsghdr messages[weft_datagram_batch];
    struct iovec parts[weft_datagram_batch];
    struct sockaddr_in6 names[weft_datagram_batch];
    _Alignas(struct cmsghdr) char control[weft_datagram_batch][160];
    for (int i = 0; i < count; i++) {
        parts[i].iov_base = in[i].data;
        parts[i].iov_len = in[i].capacity;
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &parts[i], .msg_iovlen = 1,
            .msg_control = control[i], .msg_controllen = sizeof control[i]};
    }
    int n = recvmmsg(fd, messages, (unsigned)count, MSG_DONTWAIT, 0);
    if (n < 0) return -errno;
    for (int i = 0; i < n; i++) {
        struct weft_datagram_in *d = &in[i];
        struct msghdr *m = &messages[i].msg_hdr;
        d->length = messages[i].msg_len;
        d->segment_size = 0;
        d->ttl = 0;
        d->tos = 0;
        d->is_truncated = (m->msg_flags & MSG_TRUNC) != 0;
        memset(d->destination, 0, sizeof d->destination);
        if (names[i].sin6_family == AF_INET) {
            struct sockaddr_in *name = (struct sockaddr_in *)&names[i];
            map_ipv4(d->source, &name->sin_addr);
            d->source_port = ntohs(name->sin_port);
        } else {
            memcpy(d->source, &names[i].sin6_addr, 16);
            d->source_port = ntohs(names[i].sin6_port);
        }
        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
            int value = 0;
            if (c->cmsg_len >= CMSG_LEN(sizeof value)) memcpy(&value, CMSG_DATA(c), sizeof value);
            if (c->cmsg_level == IPPROTO_IP) {
                if (c->cmsg_type == IP_PKTINFO) {
                    struct in_pktinfo info;
                    memcpy(&info, CMSG_DATA(c), sizeof info);
                    map_ipv4(d->destination, &info.ipi_addr);
                } else if (c->cmsg_type == IP_TTL) d->ttl = (uint8_t)value;
                else if (c->cmsg_type == IP_TOS) d->tos = *CMSG_DATA(c);
            } else if (c->cmsg_level == IPPROTO_IPV6) {
                if (c->cmsg_type == IPV6_PKTINFO) {
                    struct in6_pktinfo info;
                    memcpy(&info, CMSG_DATA(c), sizeof info);
                    memcpy(d->destination, &info.ipi6_addr, 16);
                } else if (c->cmsg_type == IPV6_HOPLIMIT) d->ttl = (uint8_t)value;
                else if (c->cmsg_type == IPV6_TCLASS) d->tos = (uint8_t)value;
            } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
                d->segment_size = (uint32_t)value;
            }
        }
    }
    return n;
}

static void add(struct msghdr *m, char *control, int level, int type, const void *value, size_t size) {
    struct cmsghdr *c = (struct cmsghdr *)(control + m->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), value, size);
    m->msg_controllen += CMSG_SPACE(size);
}

int weft_datagram_send(int fd, int family, const struct weft_datagram_out *out, int count) {
    if (count > weft_datagram_batch) count = weft_datagram_batch;
    struct mmsghdr messages[weft_datagram_batch];
    struct sockaddr_in6 names[weft_datagram_batch];
    _Alignas(struct cmsghdr) char control[weft_datagram_batch][160];
    for (int i = 0; i < count; i++) {
        const struct weft_datagram_out *d = &out[i];
        struct msghdr *m = &messages[i].msg_hdr;
        *m = (struct msghdr){.msg_name = &names[i], .msg_iov = d->parts, .msg_iovlen = d->part_count};
        memset(control[i], 0, sizeof control[i]);
        memset(&names[i], 0, sizeof names[i]);
        int ttl = d->ttl, tos = d->tos;
        if (family == AF_INET) {
            struct sockaddr_in *name = (struct sockaddr_in *)&names[i];
            name->sin_family = AF_INET;
            name->sin_port = htons(d->port);
            memcpy(&name->sin_addr, (const uint8_t *)d->destination + 12, 4);
            m->msg_namelen = sizeof *name;
            add(m, control[i], IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
            add(m, control[i], IPPROTO_IP, IP_TOS, &tos, sizeof tos);
            if (d->has_source) {
                struct in_pktinfo info = {0};
                memcpy(&info.ipi_spec_dst, (const uint8_t *)d->source + 12, 4);
                add(m, control[i], IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
            }
        } else {
            names[i].sin6_family = AF_INET6;
            names[i].sin6_port = htons(d->port);
            memcpy(&names[i].sin6_addr, d->destination, 16);
            m->msg_namelen = sizeof names[i];
            add(m, control[i], IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof ttl);
            add(m, control[i], IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
            if (d->has_source) {
                struct in6_pktinfo info = {0};
                memcpy(&info.ipi6_addr, d->source, 16);
                add(m, control[i], IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
            }
        }
        if (d->segment_size) add(m, control[i], IPPROTO_UDP, UDP_SEGMENT, &d->segment_size, sizeof d->segment_size);
        m->msg_control = control[i];
    }
    int n = sendmmsg(fd, messages, (unsigned)count, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

int weft_enter_namespace(int fd) { return setns(fd, CLONE_NEWNET) == 0 ? 0 : errno; }

int weft_epoll_open(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int weft_epoll_add(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}
