#define _GNU_SOURCE
#include "weft_capabilities.h"
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int get(struct __user_cap_data_struct data[2]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    return syscall(SYS_capget, &header, data) == 0 ? 0 : errno;
}

int weft_keep_capabilities(uint64_t keep) {
    struct __user_cap_data_struct data[2];
    int error = get(data);
    if (error) return error;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    // Needs CAP_SETPCAP; who does not have it has nothing that exec could bring back.
    for (int c = 0; c < 64; c++)
        if (!(keep >> c & 1) && prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1) prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    for (int i = 0; i < 2; i++) {
        uint32_t mask = (uint32_t)(keep >> (32 * i));
        data[i].effective &= mask;
        data[i].permitted &= mask;
        data[i].inheritable &= mask;
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    return syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

uint64_t weft_effective_capabilities(void) {
    struct __user_cap_data_struct data[2] = {{0}};
    return get(data) == 0 ? (uint64_t)data[1].effective << 32 | data[0].effective : 0;
}
