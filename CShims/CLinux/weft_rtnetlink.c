#define _GNU_SOURCE
#include "weft_rtnetlink.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

int weft_rtnetlink_open(uint32_t groups) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -errno;
    struct sockaddr_nl a;
    memset(&a, 0, sizeof a);
    a.nl_family = AF_NETLINK;
    a.nl_groups = groups;
    if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

int weft_rtnetlink_send(int fd, const void *message, size_t size) {
    struct sockaddr_nl a;
    memset(&a, 0, sizeof a);
    a.nl_family = AF_NETLINK;
    return sendto(fd, message, size, 0, (struct sockaddr *)&a, sizeof a) < 0 ? -errno : 0;
}

long weft_rtnetlink_receive(int fd, void *buffer, size_t size, int timeout) {
    for (;;) {
        ssize_t n = recv(fd, buffer, size, MSG_DONTWAIT);
        if (n >= 0) return n;
        if (errno == EINTR) continue;
        if (errno != EAGAIN || timeout == 0) return -errno;
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, timeout) == 0) return -EAGAIN;
    }
}
