// Capabilities of the process: giving up what a switch does not need.
#pragma once
#include <stdint.h>
/// Keeps of the calling thread's capabilities those in the bit set, in every set, and forbids to gain more (no_new_privs). Threads made later inherit
/// this; those that exist keep theirs. 0 or an errno value.
int weft_keep_capabilities(uint64_t keep);
/// The thread's effective capabilities.
uint64_t weft_effective_capabilities(void);
