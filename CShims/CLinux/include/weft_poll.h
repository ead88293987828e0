// epoll and eventfd: waiting for any of many descriptors, and being woken by another thread.
#pragma once
#include <stdint.h>
/// A new epoll instance; negative errno on failure.
int weft_poll_create(void);
/// Adds a descriptor, level-triggered for input, under a token. 0 or an errno value.
int weft_poll_add(int poll, int descriptor, uint64_t token);
int weft_poll_remove(int poll, int descriptor);
/// Waits for at most `timeout_us` microseconds (negative: for ever, 0: not at all) and writes the tokens of what is ready, with bit 63 set when there is
/// an error or a hang-up. Returns how many; 0 also when interrupted.
int weft_poll_wait(int poll, uint64_t *_Nonnull tokens, int limit, int64_t timeout_us);
/// Whether a descriptor is readable, in error or hung up, without waiting.
int weft_is_readable(int descriptor);
/// A descriptor that another thread can make readable; negative errno on failure.
int weft_event_create(void);
void weft_event_signal(int event);
void weft_event_clear(int event);
