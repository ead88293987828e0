#define _GNU_SOURCE
#include "weft_stream.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

int weft_stream_cookie_option(void) { return SO_COOKIE; }

static int has_cookie(int fd, uint64_t cookie) {
    uint64_t found = 0;
    socklen_t size = sizeof found;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &found, &size) == 0 && found == cookie;
}

int weft_stream_duplicate(uint64_t cookie) {
    DIR *all = opendir("/proc/self/fd");
    if (!all) return -errno;
    int copy = -ENOENT;
    struct dirent *entry;
    while (copy < 0 && (entry = readdir(all))) {
        if (entry->d_name[0] == '.') continue;
        int fd = atoi(entry->d_name);
        if (!has_cookie(fd, cookie)) continue;
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            copy = -errno;
            break;
        }
        // The number may have been given to another file in between.
        if (!has_cookie(copy, cookie)) {
            close(copy);
            copy = -ENOENT;
        }
    }
    closedir(all);
    return copy;
}

long weft_stream_send_now(int fd, const void *bytes, size_t count) {
    ssize_t n = send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}
