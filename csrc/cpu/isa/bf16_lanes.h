// What all kernels of bfloat16 share: vectors of pairs, rows to tiles, activations of few bits.
//
// Included like simd.h, where AVX-512 with its conversions to bfloat16 is switched on.
#pragma once

namespace mbpo::MBPO_ISA {

constexpr int64_t kLane = 16;

typedef uint16_t Halves __attribute__((vector_size(32)));
typedef Pair Pairs __attribute__((vector_size(64), may_alias));
typedef Pair UnalignedPairs __attribute__((vector_size(64), aligned(4), may_alias));

// Written with the compiler's own vectors: g++ 12 warns inside its header for the intrinsics.
MBPO_INLINE Pairs combine(Vec<float> low, Vec<float> high) {
  const Pairs a = __builtin_convertvector((Halves)_mm512_cvtneps_pbh(low), Pairs);
  const Pairs b = __builtin_convertvector((Halves)_mm512_cvtneps_pbh(high), Pairs);
  return a | b << 16;
}

MBPO_INLINE void store_pairs(Pair* p, Pairs v) { *reinterpret_cast<UnalignedPairs*>(p) = v; }
MBPO_INLINE Pairs load_pairs(const Pair* p) { return *reinterpret_cast<const Pairs*>(p); }

// Rows to a tile whose depth is a multiple of Step pairs.
template <int64_t Step>
void gather_pairs(const Rows<const float>& rows, int64_t width, Pair* tile) {
  for (int64_t f = 0; f < width; f += 2) {
    float low[kTileRows] = {}, high[kTileRows] = {};
    for (int64_t r = 0; r < rows.count; ++r) {
      const float* row = rows.data + (rows.index ? rows.index[r] : r) * rows.row_stride;
      low[r] = row[f * rows.column_stride];
      if (f + 1 < width) high[r] = row[(f + 1) * rows.column_stride];
    }
    for (int64_t r = 0; r < kTileRows; r += kLane, tile += kLane) {
      store_pairs(tile, combine(load_unaligned(low + r), load_unaligned(high + r)));
    }
  }
  for (int64_t p = (width + 1) / 2; p % Step; ++p, tile += kTileRows) {
    std::fill_n(tile, kTileRows, Pair{0});
  }
}

// act(z), to be rounded to bfloat16's 8 bits. SiLU's logistic is good to 13: 2^t by a cubic on
// [0, 1), minimax in relative error, and the processor's estimate of the reciprocal.
template <Activation A>
MBPO_INLINE Vec<float> activate_short(Vec<float> z) {
  if constexpr (A == Activation::silu) {
    constexpr __mmask16 all = 0xffff;
    const Vec<float> t = z * -1.44269504f;
    const Vec<float> r = _mm512_maskz_reduce_ps(all, t, _MM_FROUND_TO_NEG_INF);
    Vec<float> p = r * 0.0780248f + 0.2260667f;
    p = p * r + 0.6958337f;
    p = p * r + 0.9999252f;
    return z * _mm512_maskz_rcp14_ps(all, _mm512_maskz_scalef_ps(all, p, t) + 1.0f);
  } else {
    Vec<float> unused;
    return activate<A>(z, unused);
  }
}

// Finish outputs `first` and `first + 1` for the rows from `row`.
template <Activation A>
MBPO_INLINE void finish_pair(const Bf16Layer& job, int64_t first, int64_t row, Vec<float> low,
                             Vec<float> high) {
  low = activate_short<A>(low);
  high = activate_short<A>(high);
  if (job.out_pairs)
    return store_pairs(job.out_pairs + first / 2 * kTileRows + row, combine(low, high));
  store(job.out + first * kTileRows + row, low);
  store(job.out + (first + 1) * kTileRows + row, high);
}

}  // namespace mbpo::MBPO_ISA
