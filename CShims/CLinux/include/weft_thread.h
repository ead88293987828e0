// Pinning of worker threads.
#pragma once
/// Pins the calling thread to one processor. Returns 0, or an errno value.
int weft_pin_to_processor(int processor);
/// The number of processors this process may run on.
int weft_processor_count(void);
/// The i-th processor that this process may run on, counting round; negative from the last.
int weft_allowed_processor(int i);
