// Inline helpers for the packet path: prefetch, hashing, atomics on raw memory, block copy. No logic.
#pragma once
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

static inline void weft_prefetch(const void *_Nonnull p) { __builtin_prefetch(p, 0, 3); }
static inline void weft_prefetch_write(const void *_Nonnull p) { __builtin_prefetch(p, 1, 3); }

/// One step of the flow hash: crc32c where the instruction set has it, a multiply-fold otherwise.
static inline uint64_t weft_hash_step(uint64_t h, uint64_t v) {
#if defined(__SSE4_2__)
    return _mm_crc32_u64(h, v);
#else
    __uint128_t m = (__uint128_t)(h ^ v ^ 0x9E3779B97F4A7C15ull) * 0xD6E8FEB86659FD93ull;
    return (uint64_t)(m >> 64) ^ (uint64_t)m;
#endif
}

/// Spreads a step hash over all 32 bits; crc is linear, so equal-difference keys would otherwise land in equal-difference slots.
static inline uint32_t weft_hash_finish(uint64_t h) {
    h = (uint32_t)h ^ (h >> 32);
    h *= 0x9E3779B97F4A7C15ull;
    return (uint32_t)(h >> 32);
}

static inline uint64_t weft_load_acquire_u64(const uint64_t *_Nonnull p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void weft_store_release_u64(uint64_t *_Nonnull p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline uint64_t weft_load_relaxed_u64(const uint64_t *_Nonnull p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void weft_store_relaxed_u64(uint64_t *_Nonnull p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void weft_add_relaxed_u64(uint64_t *_Nonnull p, uint64_t v) { __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
static inline uint32_t weft_load_acquire_u32(const uint32_t *_Nonnull p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void weft_store_release_u32(uint32_t *_Nonnull p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void weft_full_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/// Copies `n` bytes rounded up to 64; both sides must have that much room.
static inline void weft_copy_blocks(void *_Nonnull dst, const void *_Nonnull src, size_t n) {
    uint8_t *d = (uint8_t *)dst; const uint8_t *s = (const uint8_t *)src;
    size_t i = 0;
    do { memcpy(d + i, s + i, 64); i += 64; } while (i < n);
}

/// Nanoseconds of the monotonic clock.
uint64_t weft_monotonic_ns(void);
/// 1 when this processor has what the program was compiled for; otherwise 0 and `*missing` names a feature.
int weft_cpu_supported(const char *_Nullable *_Nonnull missing);

/// Bit set of the eight tags that equal `tag`; the tags start on a 32-byte boundary.
static inline uint32_t weft_match_tags8(const uint32_t *_Nonnull tags, uint32_t tag) {
#if defined(__AVX2__)
    __m256i t = _mm256_load_si256((const __m256i *)tags);
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(t, _mm256_set1_epi32((int)tag))));
#else
    uint32_t m = 0;
    for (int i = 0; i < 8; i++) m |= (uint32_t)(tags[i] == tag) << i;
    return m;
#endif
}

/// Zeroed memory on a 64-byte boundary or better, in huge pages when it is large. Freed by weft_free_large with the same size.
void *_Nullable weft_allocate_large(size_t size);
void weft_free_large(void *_Nonnull p, size_t size);
