/* Sixteen numbers at once, with AVX-512 and its products of bf16 pairs. */
#include "native_plan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define NAME(name) name##_avx512
#define TALL 12 /* tokens of a tile: 24 sums, 2 weights and a pair of inputs are 27 of 32 registers */

typedef __m512 V;
typedef __m512i Pairs;

INLINE V v_zero(void) { return _mm512_setzero_ps(); }
INLINE V v_all(float x) { return _mm512_set1_ps(x); }
INLINE V v_load(const float *at) { return _mm512_loadu_ps(at); }
INLINE void v_store(float *at, V x) { _mm512_storeu_ps(at, x); }
INLINE V v_add(V a, V b) { return _mm512_add_ps(a, b); }
INLINE V v_sub(V a, V b) { return _mm512_sub_ps(a, b); }
INLINE V v_mul(V a, V b) { return _mm512_mul_ps(a, b); }
INLINE V v_div(V a, V b) { return _mm512_div_ps(a, b); }
INLINE V v_fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
INLINE V v_max(V a, V b) { return _mm512_max_ps(a, b); } /* b where one is no number */
INLINE V v_min(V a, V b) { return _mm512_min_ps(a, b); }
INLINE float v_one(V x) { return _mm512_cvtss_f32(x); } /* the first */
INLINE float v_sum(V x) { return _mm512_reduce_add_ps(x); }
INLINE float v_most(V x) { return _mm512_reduce_max_ps(x); }
INLINE V v_round(V x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE V v_scale(V x, V power) { return _mm512_scalef_ps(x, power); }
/* x, and 0 where `of` is less than `least`. */
INLINE V v_unless_less(V x, V of, V least) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(of, least, _CMP_NLT_UQ), x);
}
/* The first `count` of x, y behind them. */
INLINE V v_first(V x, int64_t count, V y) {
    __mmask16 some = count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
    return _mm512_mask_mov_ps(y, some, x);
}
INLINE V v_widen(const uint16_t *at) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)at));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
INLINE void v_narrow(uint16_t *at, V x) { _mm256_storeu_si256((__m256i *)at, (__m256i)_mm512_cvtneps_pbh(x)); }

INLINE Pairs p_load(const uint16_t *at) { return _mm512_loadu_si512(at); }
INLINE Pairs p_all(const uint16_t *at) {
    int32_t pair;
    __builtin_memcpy(&pair, at, 4);
    return _mm512_set1_epi32(pair);
}
INLINE V p_dot(V sum, Pairs a, Pairs b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }

/* Sixteen rows' pairs `from` to `from + count` (at most 16) beside each other: row r's pair n goes to
 * to[n * PANEL * 2 + r * 2]. A row may be NULL: zeros. */
INLINE void p_turn(const uint16_t *const *row, int64_t from, int64_t count, uint16_t *to) {
    __mmask16 some = (__mmask16)((1u << count) - 1);
    __m512i a[16], b[16];
#pragma GCC unroll 16
    for (int n = 0; n < 16; n++)
        a[n] = row[n] ? _mm512_maskz_loadu_epi32(some, row[n] + 2 * from) : _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int n = 0; n < 16; n += 2) {
        b[n] = _mm512_unpacklo_epi32(a[n], a[n + 1]);
        b[n + 1] = _mm512_unpackhi_epi32(a[n], a[n + 1]);
    }
#pragma GCC unroll 4
    for (int n = 0; n < 16; n += 4)
#pragma GCC unroll 2
        for (int m = 0; m < 2; m++) {
            a[n + 2 * m] = _mm512_unpacklo_epi64(b[n + m], b[n + 2 + m]);
            a[n + 2 * m + 1] = _mm512_unpackhi_epi64(b[n + m], b[n + 2 + m]);
        }
    /* a[4 i + m] holds of rows 4 i to 4 i + 3 the pairs m, m + 4, m + 8, m + 12. */
#pragma GCC unroll 4
    for (int m = 0; m < 4; m++) {
        __m512i low = _mm512_shuffle_i32x4(a[m], a[4 + m], 0x88), high = _mm512_shuffle_i32x4(a[8 + m], a[12 + m], 0x88);
        __m512i lows = _mm512_shuffle_i32x4(a[m], a[4 + m], 0xdd), highs = _mm512_shuffle_i32x4(a[8 + m], a[12 + m], 0xdd);
        b[m] = _mm512_shuffle_i32x4(low, high, 0x88);
        b[8 + m] = _mm512_shuffle_i32x4(low, high, 0xdd);
        b[4 + m] = _mm512_shuffle_i32x4(lows, highs, 0x88);
        b[12 + m] = _mm512_shuffle_i32x4(lows, highs, 0xdd);
    }
#pragma GCC unroll 16
    for (int n = 0; n < 16; n++)
        if (n < count) _mm512_storeu_si512(to + n * PANEL * 2, b[n]);
}

/* Sixteen numbers of a row and of the next, as pairs. */
INLINE void p_zip(const uint16_t *one, const uint16_t *two, uint16_t *to) {
    __m512i low = one ? _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)one)) : _mm512_setzero_si512();
    __m512i high = two ? _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)two)) : _mm512_setzero_si512();
    _mm512_storeu_si512(to, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

#include "native_pass.h"
#endif
