#define _GNU_SOURCE
#include "weft_service.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { descriptor_limit = 129 };

int weft_shared_memory(size_t size) {
    int fd = memfd_create("weft-service", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -errno;
    if (ftruncate(fd, (off_t)size) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

void *weft_shared_map(int memory, size_t size) {
    struct stat s;
    // Without the seal the other end could take the pages away.
    int seals = fcntl(memory, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(memory, &s) != 0 || (size_t)s.st_size != size) {
        errno = EINVAL;
        return 0;
    }
    void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    return p == MAP_FAILED ? 0 : p;
}

void weft_shared_unmap(void *address, size_t size) { munmap(address, size); }

static int address_of(const char *path, struct sockaddr_un *a) {
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof a->sun_path) return ENAMETOOLONG;
    strcpy(a->sun_path, path);
    return 0;
}

int weft_service_listen(const char *path) {
    struct sockaddr_un a;
    int error = address_of(path, &a);
    if (error) return -error;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    // Before bind: the file gets the socket's mode.
    if (fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || chmod(path, 0600) != 0 || listen(fd, 4) != 0) {
        error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int weft_service_accept(int listener) {
    int fd = accept4(listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int weft_service_connect(const char *path) {
    struct sockaddr_un a;
    int error = address_of(path, &a);
    if (error) return -error;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int weft_service_has_hung_up(int connection) {
    struct pollfd p = {.fd = connection, .events = POLLIN | POLLRDHUP};
    if (poll(&p, 1, 0) <= 0) return 0;
    if (p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)) return 1;
    // Nothing is said on the connection; what comes is thrown away.
    char byte;
    return recv(connection, &byte, 1, MSG_DONTWAIT) == 0;
}

int weft_service_send(int connection, const void *bytes, size_t size, const int *descriptors, int count) {
    union {
        char room[CMSG_SPACE(descriptor_limit * sizeof(int))];
        struct cmsghdr align;
    } control;
    if (count > descriptor_limit) return E2BIG;
    struct iovec v = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), descriptors, count * sizeof(int));
    return sendmsg(connection, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

int weft_service_receive(int connection, void *bytes, size_t *size, int *descriptors, int limit) {
    union {
        char room[CMSG_SPACE(descriptor_limit * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec v = {.iov_base = bytes, .iov_len = *size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t n = recvmsg(connection, &m, MSG_CMSG_CLOEXEC);
    if (n < 0) return -errno;
    *size = (size_t)n;
    int count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        int came = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < came; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (count < limit) descriptors[count++] = fd; else close(fd);
        }
    }
    return count;
}
