/* Sixteen numbers at once, with AVX2 and FMA: two halves. Pairs of bf16 are widened by a shift. */
#include "native_plan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define NAME(name) name##_avx2
#define TALL 2 /* tokens of a tile: 8 of 16 registers for sums */

typedef struct { __m256 a, b; } V;
typedef struct { __m256i a, b; } Pairs;

INLINE V v_of(__m256 a, __m256 b) { return (V){a, b}; }
INLINE V v_all(float x) { return v_of(_mm256_set1_ps(x), _mm256_set1_ps(x)); }
INLINE V v_zero(void) { return v_of(_mm256_setzero_ps(), _mm256_setzero_ps()); }
INLINE V v_load(const float *at) { return v_of(_mm256_loadu_ps(at), _mm256_loadu_ps(at + 8)); }
INLINE void v_store(float *at, V x) { _mm256_storeu_ps(at, x.a), _mm256_storeu_ps(at + 8, x.b); }
INLINE V v_add(V x, V y) { return v_of(_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)); }
INLINE V v_sub(V x, V y) { return v_of(_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)); }
INLINE V v_mul(V x, V y) { return v_of(_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)); }
INLINE V v_div(V x, V y) { return v_of(_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)); }
INLINE V v_fma(V x, V y, V z) { return v_of(_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)); }
INLINE V v_max(V x, V y) { return v_of(_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)); }
INLINE V v_min(V x, V y) { return v_of(_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)); }
INLINE float v_one(V x) { return _mm256_cvtss_f32(x.a); }
INLINE float v_sum(V x) {
    __m256 eight = _mm256_add_ps(x.a, x.b);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
INLINE float v_most(V x) {
    __m256 eight = _mm256_max_ps(x.a, x.b);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
INLINE V v_round(V x) {
    return v_of(_mm256_round_ps(x.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                _mm256_round_ps(x.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
INLINE __m256 v_power(__m256 power) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(power), _mm256_set1_epi32(127)), 23));
}
/* For powers of a normal number. */
INLINE V v_scale(V x, V power) { return v_mul(x, v_of(v_power(power.a), v_power(power.b))); }
INLINE V v_unless_less(V x, V of, V least) {
    return v_of(_mm256_and_ps(x.a, _mm256_cmp_ps(of.a, least.a, _CMP_NLT_UQ)),
                _mm256_and_ps(x.b, _mm256_cmp_ps(of.b, least.b, _CMP_NLT_UQ)));
}
INLINE V v_first(V x, int64_t count, V y) {
    __m256i n = _mm256_set1_epi32((int)(count < 0 ? 0 : count > 16 ? 16 : count)), at = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i low = _mm256_cmpgt_epi32(n, at), high = _mm256_cmpgt_epi32(n, _mm256_add_epi32(at, _mm256_set1_epi32(8)));
    return v_of(_mm256_blendv_ps(y.a, x.a, _mm256_castsi256_ps(low)), _mm256_blendv_ps(y.b, x.b, _mm256_castsi256_ps(high)));
}
INLINE __m256 v_wide(__m128i eight) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(eight), 16));
}
INLINE V v_widen(const uint16_t *at) {
    return v_of(v_wide(_mm_loadu_si128((const __m128i *)at)), v_wide(_mm_loadu_si128((const __m128i *)(at + 8))));
}
/* Rounded to the nearest, to even between two; what is no number stays none. */
INLINE __m256i v_rounded(__m256 x) {
    __m256i bits = _mm256_castps_si256(x), high = _mm256_srli_epi32(bits, 16);
    __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    __m256i near = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    __m256i none = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(near, _mm256_or_si256(high, _mm256_set1_epi32(0x40)), none);
}
INLINE void v_narrow(uint16_t *at, V x) {
    __m256i both = _mm256_packus_epi32(v_rounded(x.a), v_rounded(x.b));
    _mm256_storeu_si256((__m256i *)at, _mm256_permute4x64_epi64(both, 0xd8));
}

INLINE Pairs p_load(const uint16_t *at) {
    return (Pairs){_mm256_loadu_si256((const __m256i *)at), _mm256_loadu_si256((const __m256i *)(at + 16))};
}
INLINE Pairs p_all(const uint16_t *at) {
    int32_t pair;
    __builtin_memcpy(&pair, at, 4);
    return (Pairs){_mm256_set1_epi32(pair), _mm256_set1_epi32(pair)};
}
INLINE __m256 p_even(__m256i x) { return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16)); }
INLINE __m256 p_odd(__m256i x) { return _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32((int)0xffff0000))); }
INLINE V p_dot(V sum, Pairs x, Pairs y) {
    V even = v_of(_mm256_fmadd_ps(p_even(x.a), p_even(y.a), sum.a), _mm256_fmadd_ps(p_even(x.b), p_even(y.b), sum.b));
    return v_of(_mm256_fmadd_ps(p_odd(x.a), p_odd(y.a), even.a), _mm256_fmadd_ps(p_odd(x.b), p_odd(y.b), even.b));
}

/* See native_avx512.c. */
INLINE void p_turn(const uint16_t *const *row, int64_t from, int64_t count, uint16_t *to) {
    for (int n = 0; n < 16; n++)
        for (int64_t m = 0; m < count; m++) {
            uint16_t *at = to + m * PANEL * 2 + n * 2;
            if (row[n]) __builtin_memcpy(at, row[n] + 2 * (from + m), 4);
            else __builtin_memset(at, 0, 4);
        }
}
INLINE void p_zip(const uint16_t *one, const uint16_t *two, uint16_t *to) {
    __m256i none = _mm256_setzero_si256();
    __m256i x = one ? _mm256_loadu_si256((const __m256i *)one) : none, y = two ? _mm256_loadu_si256((const __m256i *)two) : none;
    __m256i low = _mm256_unpacklo_epi16(x, y), high = _mm256_unpackhi_epi16(x, y);
    _mm256_storeu_si256((__m256i *)to, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((__m256i *)(to + 16), _mm256_permute2x128_si256(low, high, 0x31));
}

#include "native_pass.h"
#endif
