#define _GNU_SOURCE
#include "weft_poll.h"
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int weft_poll_create(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int weft_poll_add(int poll, int descriptor, uint64_t token) {
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = token};
    return epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &e) == 0 ? 0 : errno;
}

int weft_poll_remove(int poll, int descriptor) {
    struct epoll_event e = {0};
    return epoll_ctl(poll, EPOLL_CTL_DEL, descriptor, &e) == 0 ? 0 : errno;
}

int weft_poll_wait(int poll, uint64_t *tokens, int limit, int64_t timeout_us) {
    struct epoll_event events[64];
    struct timespec t = {.tv_sec = timeout_us / 1000000, .tv_nsec = timeout_us % 1000000 * 1000};
    int n = timeout_us == 0 ? epoll_wait(poll, events, limit < 64 ? limit : 64, 0)
                            : epoll_pwait2(poll, events, limit < 64 ? limit : 64, timeout_us < 0 ? 0 : &t, 0);
    if (n < 0) return 0;
    for (int i = 0; i < n; i++)
        tokens[i] = events[i].data.u64 | (events[i].events & (EPOLLERR | EPOLLHUP) ? 1ull << 63 : 0);
    return n;
}

int weft_is_readable(int descriptor) {
    struct pollfd p = {.fd = descriptor, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

int weft_event_create(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void weft_event_signal(int event) {
    uint64_t one = 1;
    ssize_t ignored = write(event, &one, sizeof one);
    (void)ignored;
}

void weft_event_clear(int event) {
    uint64_t value;
    ssize_t ignored = read(event, &value, sizeof value);
    (void)ignored;
}
