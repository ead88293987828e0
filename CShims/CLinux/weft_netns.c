#define _GNU_SOURCE
#include "weft_netns.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

int weft_netns_open(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int weft_netns_identity(const char *path, uint64_t *device, uint64_t *inode) {
    struct stat s;
    if (stat(path, &s) != 0) return -errno;
    *device = s.st_dev;
    *inode = s.st_ino;
    return 0;
}

struct visit {
    int fd, result;
    void (*body)(void *);
    void *context;
};

static void *visit(void *argument) {
    struct visit *v = argument;
    if (setns(v->fd, CLONE_NEWNET) != 0) v->result = -errno;
    else v->body(v->context);
    return 0;
}

int weft_netns_run(int fd, void (*body)(void *), void *context) {
    struct visit v = {fd, 0, body, context};
    pthread_t thread;
    int error = pthread_create(&thread, 0, visit, &v);
    if (error != 0) return -error;
    pthread_join(thread, 0);
    return v.result;
}
