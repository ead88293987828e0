// Packet sockets (packet(7)) with virtio headers, in bursts. Functions return 0, a count or a descriptor, or the negative errno.
#pragma once
#include <stdint.h>
#include <stddef.h>
/// A raw packet socket that is not yet bound and receives nothing: nonblocking, virtio header, auxiliary data, no outgoing frames.
int weft_packet_open(void);
/// Receives what arrives at the device from now on, whatever its protocol.
int weft_packet_bind(int fd, int index);
/// Sends by the device, and receives nothing.
int weft_packet_bind_sender(int fd, int index);
int weft_packet_set_promiscuous(int fd, int index);
/// Sets both buffers, beyond the system's limit when allowed; returns 0 or the negative errno.
int weft_packet_set_buffers(int fd, int receive, int send);
int weft_packet_set_qdisc_bypass(int fd, int on);
/// Joins sockets by flow hash: id 0 begins a group; returns the group's id.
int weft_packet_join_fanout(int fd, int id);
/// Frames that the socket could not hold since the last call.
int weft_packet_drops(int fd, uint32_t *_Nonnull drops);

/// Makes a ring of `count` slots of `slot` bytes (a power of two) that arriving frames are copied into; frames that are longer than a slot are received
/// as messages besides, in the order in which their slots say so. Before the socket is bound. Returns 0 or the negative errno.
int weft_packet_make_ring(int fd, uint32_t slot, uint32_t count, void *_Nullable *_Nonnull memory);
void weft_packet_free_ring(void *_Nonnull memory, size_t size);
/// Takes an error that waits at a socket, which would keep it readable.
int weft_packet_take_error(int fd);

// A slot of a ring (struct tpacket2_hdr).
enum {
    weft_slot_filled = 1,
    /// The frame is longer than the slot and waits as a message.
    weft_slot_message = 2,
    weft_slot_tagged = 0x10,
    weft_slot_tag_kind = 0x40,
};
static inline uint32_t weft_slot_status(const void *_Nonnull slot) { return __atomic_load_n((const uint32_t *)slot, __ATOMIC_ACQUIRE); }
static inline void weft_slot_release(void *_Nonnull slot) { __atomic_store_n((uint32_t *)slot, 0, __ATOMIC_RELEASE); }
/// Bytes of the frame, and how many of them are in the slot.
static inline uint32_t weft_slot_length(const void *_Nonnull slot) { return ((const uint32_t *)slot)[1]; }
static inline uint32_t weft_slot_stored(const void *_Nonnull slot) { return ((const uint32_t *)slot)[2]; }
/// Where the frame begins; its virtio header is right before.
static inline uint32_t weft_slot_start(const void *_Nonnull slot) { return ((const uint16_t *)slot)[6]; }
/// The VLAN tag that the kernel took out, as `weft_burst_tag`.
static inline uint32_t weft_slot_tag(const void *_Nonnull slot, uint32_t status) {
    if (!(status & weft_slot_tagged)) return 0;
    uint32_t kind = status & weft_slot_tag_kind ? ((const uint16_t *)slot)[13] : 0x8100;
    return kind << 16 | ((const uint16_t *)slot)[12];
}

/// Room for the headers of a burst of messages.
struct weft_burst;
struct weft_burst *_Nullable weft_burst_create(int count);
void weft_burst_free(struct weft_burst *_Nonnull burst);
void weft_burst_set(struct weft_burst *_Nonnull burst, int i, void *_Nonnull data, size_t length);
/// Room for message `i`'s auxiliary data, before a receive.
void weft_burst_expect(struct weft_burst *_Nonnull burst, int i);
/// Receives up to `count` messages from the first on; their number.
int weft_burst_receive(struct weft_burst *_Nonnull burst, int fd, int count);
/// Sends messages `first` up to `end`; their number.
int weft_burst_send(struct weft_burst *_Nonnull burst, int fd, int first, int end);
/// Bytes received by message `i`; -1 when it did not fit.
long weft_burst_length(const struct weft_burst *_Nonnull burst, int i);
/// The VLAN tag that the kernel took out of message `i`: TPID in the high half, TCI in the low; 0 when there was none.
uint32_t weft_burst_tag(const struct weft_burst *_Nonnull burst, int i);
