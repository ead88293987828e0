#define _GNU_SOURCE
#include "weft_tap.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <net/if.h>
#include <linux/if_tun.h>

int weft_tap_open(const char *name, int multi_queue) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return -errno;
    struct ifreq r;
    memset(&r, 0, sizeof r);
    strncpy(r.ifr_name, name, IFNAMSIZ - 1);
    r.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0));
    if (ioctl(fd, TUNSETIFF, &r) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int weft_tap_name(int fd, char *name) {
    struct ifreq r;
    memset(&r, 0, sizeof r);
    if (ioctl(fd, TUNGETIFF, &r) != 0) return -errno;
    memcpy(name, r.ifr_name, IFNAMSIZ);
    return 0;
}

int weft_tap_set_offload(int fd, unsigned mask) { return ioctl(fd, TUNSETOFFLOAD, (unsigned long)mask) != 0 ? -errno : 0; }
int weft_tap_set_header_size(int fd, int size) { return ioctl(fd, TUNSETVNETHDRSZ, &size) != 0 ? -errno : 0; }
int weft_tap_set_persistent(int fd, int persistent) { return ioctl(fd, TUNSETPERSIST, (unsigned long)persistent) != 0 ? -errno : 0; }
