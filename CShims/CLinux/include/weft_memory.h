// The C library's allocator.
#pragma once
/// Returns freed memory to the system, so that what stays resident is in use.
void weft_release_free_memory(void);
