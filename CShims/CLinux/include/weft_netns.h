// Network namespaces (setns is per thread: a thread is made for each visit).
#pragma once
#include <stdint.h>
/// Opens a namespace file; a descriptor, or the negative errno.
int weft_netns_open(const char *_Nonnull path);
/// The device and inode of a namespace file; returns 0 or the negative errno.
int weft_netns_identity(const char *_Nonnull path, uint64_t *_Nonnull device, uint64_t *_Nonnull inode);
/// Runs `body(context)` on a thread of its own in the namespace `fd` and waits for its end. 0, or the negative errno when the namespace cannot be
/// entered and `body` was not run.
int weft_netns_run(int fd, void (*_Nonnull body)(void *_Nullable), void *_Nullable context);
