// Memory and descriptors that two processes share, handed over by a Unix socket.
#pragma once
#include <stddef.h>
#include <stdint.h>
/// Memory of a fixed size, as a descriptor; sealed, so that nobody can make it shorter under its users. Negative errno on failure.
int weft_shared_memory(size_t size);
/// Maps it; null on failure, with errno set.
void *_Nullable weft_shared_map(int memory, size_t size);
void weft_shared_unmap(void *_Nonnull address, size_t size);
/// Listens at a path for packets of descriptors, mode 0600; a descriptor that does not block, or a negative errno value.
int weft_service_listen(const char *_Nonnull path);
/// The next connection; a descriptor that does not block, or a negative errno value.
int weft_service_accept(int listener);
/// Connects; a descriptor, or a negative errno value.
int weft_service_connect(const char *_Nonnull path);
/// Whether the other end has gone.
int weft_service_has_hung_up(int connection);
/// Sends bytes with up to 129 descriptors; 0, or an errno value.
int weft_service_send(int connection, const void *_Nonnull bytes, size_t size, const int *_Nonnull descriptors, int count);
/// Receives what was sent, waiting for it: how many descriptors came, or a negative errno value; `size` is what there is room for, and then what came.
int weft_service_receive(int connection, void *_Nonnull bytes, size_t *_Nonnull size, int *_Nonnull descriptors, int limit);
