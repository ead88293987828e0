// A second way to a stream socket that somebody else reads and writes.
#pragma once
#include <stddef.h>
#include <stdint.h>
/// A new descriptor for the open socket with this cookie (SO_COOKIE, socket(7)). Returns it, or a negative errno value.
int weft_stream_duplicate(uint64_t cookie);
/// Writes what the socket takes at once, without waiting and without a signal. Returns the bytes written, or a negative errno value.
long weft_stream_send_now(int fd, const void *bytes, size_t count);
/// SO_COOKIE.
int weft_stream_cookie_option(void);
