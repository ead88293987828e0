// TAP devices: /dev/net/tun. Functions return 0 or a descriptor, or the negative errno.
#pragma once
#include <stdint.h>
/// Opens a queue of the TAP device `name`, making the device when there is none, with a virtio header and without packet information.
int weft_tap_open(const char *_Nonnull name, int multi_queue);
/// The device's name as the kernel has it now, at least 16 bytes; -EBADFD when the device is gone.
int weft_tap_name(int fd, char *_Nonnull name);
enum {
    WEFT_TAP_CSUM = 0x01, WEFT_TAP_TSO4 = 0x02, WEFT_TAP_TSO6 = 0x04, WEFT_TAP_TSO_ECN = 0x08, WEFT_TAP_USO4 = 0x20, WEFT_TAP_USO6 = 0x40,
};
/// What of a frame the reader finishes.
int weft_tap_set_offload(int fd, unsigned mask);
int weft_tap_set_header_size(int fd, int size);
int weft_tap_set_persistent(int fd, int persistent);
