#define _GNU_SOURCE
#include "weft_hot.h"
#include "weft_memory.h"
#include "weft_thread.h"
#include <malloc.h>
#include <time.h>
#include <sched.h>
#include <pthread.h>
#include <sys/mman.h>

uint64_t weft_monotonic_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

int weft_cpu_supported(const char **missing) {
    *missing = 0;
#if defined(__x86_64__) && defined(__AVX2__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) { *missing = "AVX2"; return 0; }
    if (!__builtin_cpu_supports("bmi2")) { *missing = "BMI2"; return 0; }
    if (!__builtin_cpu_supports("fma")) { *missing = "FMA"; return 0; }
    if (!__builtin_cpu_supports("sse4.2")) { *missing = "SSE4.2"; return 0; }
#endif
    return 1;
}

int weft_pin_to_processor(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

int weft_processor_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return CPU_COUNT(&set);
}

void *weft_allocate_large(size_t size) {
    const size_t huge = 2u << 20;
    if (size < huge) {
        void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return p == MAP_FAILED ? 0 : p;
    }
    // Over-allocate to align on a huge page, then give the rest back.
    char *raw = mmap(0, size + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) return 0;
    char *aligned = (char *)(((uintptr_t)raw + huge - 1) & ~(uintptr_t)(huge - 1));
    size_t page = 4096, end = ((size + page - 1) / page) * page;
    if (aligned > raw) munmap(raw, (size_t)(aligned - raw));
    char *tail = aligned + end;
    if (raw + size + huge > tail) munmap(tail, (size_t)(raw + size + huge - tail));
    madvise(aligned, end, MADV_HUGEPAGE);
    return aligned;
}

void weft_free_large(void *p, size_t size) { munmap(p, size); }

void weft_release_free_memory(void) { malloc_trim(0); }

void weft_return_freed_memory(int size) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, size);
    mallopt(M_TRIM_THRESHOLD, size);
}

int weft_allowed_processor(int i) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    int n = CPU_COUNT(&set);
    if (n == 0) return 0;
    i %= n;
    if (i < 0) i += n;
    for (int p = 0; p < CPU_SETSIZE; p++)
        if (CPU_ISSET(p, &set) && i-- == 0) return p;
    return 0;
}
