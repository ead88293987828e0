#define _GNU_SOURCE
#include "weft_packet.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

static int set(int fd, int option, int value) { return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) != 0 ? -errno : 0; }

int weft_packet_open(void) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int error = set(fd, PACKET_VNET_HDR, 1);
    if (error == 0) error = set(fd, PACKET_AUXDATA, 1);
    if (error == 0) error = set(fd, PACKET_IGNORE_OUTGOING, 1);
    if (error == 0) return fd;
    close(fd);
    return error;
}

static int bind_to(int fd, int index, int protocol) {
    struct sockaddr_ll a;
    memset(&a, 0, sizeof a);
    a.sll_family = AF_PACKET;
    a.sll_protocol = htons((uint16_t)protocol);
    a.sll_ifindex = index;
    return bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ? -errno : 0;
}

int weft_packet_bind(int fd, int index) { return bind_to(fd, index, ETH_P_ALL); }
int weft_packet_bind_sender(int fd, int index) { return bind_to(fd, index, 0); }

int weft_packet_set_promiscuous(int fd, int index) {
    struct packet_mreq m;
    memset(&m, 0, sizeof m);
    m.mr_ifindex = index;
    m.mr_type = PACKET_MR_PROMISC;
    return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m) != 0 ? -errno : 0;
}

int weft_packet_set_buffers(int fd, int receive, int send) {
    int error = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive) != 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive) != 0) error = -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof send) != 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send) != 0) error = -errno;
    return error;
}

int weft_packet_set_qdisc_bypass(int fd, int on) { return set(fd, PACKET_QDISC_BYPASS, on); }

int weft_packet_join_fanout(int fd, int id) {
    int type = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_IGNORE_OUTGOING | (id == 0 ? PACKET_FANOUT_FLAG_UNIQUEID : 0);
    int error = set(fd, PACKET_FANOUT, id | type << 16);
    if (error != 0) return error;
    int value = 0;
    socklen_t size = sizeof value;
    if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &value, &size) != 0) return -errno;
    return value & 0xffff;
}

int weft_packet_drops(int fd, uint32_t *drops) {
    struct tpacket_stats s;
    socklen_t size = sizeof s;
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &s, &size) != 0) return -errno;
    *drops = s.tp_drops;
    return 0;
}

int weft_packet_make_ring(int fd, uint32_t slot, uint32_t count, void **memory) {
    enum { block = 1 << 16 };
    struct tpacket_req r = {.tp_block_size = block, .tp_block_nr = slot * count / block, .tp_frame_size = slot, .tp_frame_nr = count};
    int error = set(fd, PACKET_VERSION, TPACKET_V2);
    if (error == 0) error = set(fd, PACKET_COPY_THRESH, 1);
    if (error == 0 && setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof r) != 0) error = -errno;
    if (error != 0) return error;
    void *m = mmap(0, (size_t)slot * count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (m == MAP_FAILED) {
        error = -errno;
        memset(&r, 0, sizeof r);
        setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof r);
        return error;
    }
    *memory = m;
    return 0;
}

void weft_packet_free_ring(void *memory, size_t size) { munmap(memory, size); }

int weft_packet_take_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 ? errno : error;
}

struct message {
    struct iovec vector;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
};

struct weft_burst {
    struct mmsghdr *headers;
    struct message *messages;
};

struct weft_burst *weft_burst_create(int count) {
    struct weft_burst *b = malloc(sizeof *b);
    if (!b) return 0;
    b->headers = calloc((size_t)count, sizeof *b->headers);
    b->messages = calloc((size_t)count, sizeof *b->messages);
    if (!b->headers || !b->messages) {
        weft_burst_free(b);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        b->headers[i].msg_hdr.msg_iov = &b->messages[i].vector;
        b->headers[i].msg_hdr.msg_iovlen = 1;
    }
    return b;
}

void weft_burst_free(struct weft_burst *b) {
    free(b->headers);
    free(b->messages);
    free(b);
}

void weft_burst_set(struct weft_burst *b, int i, void *data, size_t length) {
    b->messages[i].vector.iov_base = data;
    b->messages[i].vector.iov_len = length;
}

void weft_burst_expect(struct weft_burst *b, int i) {
    b->headers[i].msg_hdr.msg_control = b->messages[i].control.bytes;
    b->headers[i].msg_hdr.msg_controllen = sizeof b->messages[i].control;
    b->headers[i].msg_hdr.msg_flags = 0;
}

int weft_burst_receive(struct weft_burst *b, int fd, int count) {
    int n = recvmmsg(fd, b->headers, (unsigned)count, MSG_DONTWAIT, 0);
    return n < 0 ? -errno : n;
}

int weft_burst_send(struct weft_burst *b, int fd, int first, int end) {
    int n = sendmmsg(fd, b->headers + first, (unsigned)(end - first), MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

long weft_burst_length(const struct weft_burst *b, int i) {
    return b->headers[i].msg_hdr.msg_flags & MSG_TRUNC ? -1 : (long)b->headers[i].msg_len;
}

uint32_t weft_burst_tag(const struct weft_burst *b, int i) {
    struct msghdr *m = &((struct weft_burst *)b)->headers[i].msg_hdr;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
        struct tpacket_auxdata a;
        memcpy(&a, CMSG_DATA(c), sizeof a);
        if (!(a.tp_status & TP_STATUS_VLAN_VALID)) return 0;
        uint32_t tpid = a.tp_status & TP_STATUS_VLAN_TPID_VALID ? a.tp_vlan_tpid : ETH_P_8021Q;
        return tpid << 16 | a.tp_vlan_tci;
    }
    return 0;
}
