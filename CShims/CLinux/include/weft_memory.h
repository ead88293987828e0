// The C library's allocator.
#pragma once
/// Returns freed memory to the system, so that what stays resident is in use.
void weft_release_free_memory(void);
/// Has freed memory go back by itself from now on: one heap for all threads, pieces from `size` bytes mapped by themselves, and never more than that kept
/// free at the heap's end. Call before there are threads.
void weft_return_freed_memory(int size);
