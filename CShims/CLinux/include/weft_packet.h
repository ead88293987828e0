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
