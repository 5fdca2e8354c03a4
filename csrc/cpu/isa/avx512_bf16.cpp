// AVX-512 with BF16 dot products: server processors from 2020 (Intel) and 2022 (AMD) on.
#include "headers.h"
#include "mbpo/bf16.h"

#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma")
#define MBPO_ISA avx512_bf16
#define MBPO_BYTES 64
#include "simd.h"

namespace mbpo::avx512_bf16 {
namespace {

constexpr int kRowsAtOnce = 12;  // even: two features make a pair
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

MBPO_INLINE Pair combine_one(float low, float high) {
  return combine(broadcast(low), broadcast(high))[0];
}

void pack(const float* weight, int64_t inputs, int64_t outputs, Pair* packed) {
  const int64_t width = even(outputs);
  for (int64_t i = 0; i < inputs; i += 2) {
    const float* low = weight + i * outputs;
    const bool alone = i + 1 == inputs;
    const float* high = alone ? low : low + outputs;
    Pair* out = packed + i / 2 * width;
    int64_t j = 0;
    for (; j + kLane <= outputs; j += kLane) {
      const Vec<float> second = alone ? Vec<float>{} : load_unaligned(high + j);
      store_pairs(out + j, combine(load_unaligned(low + j), second));
    }
    for (; j < outputs; ++j) out[j] = combine_one(low[j], alone ? 0.0f : high[j]);
    if (width > outputs) out[outputs] = 0;
  }
}

void gather(const Rows<const float>& rows, int64_t width, Pair* tile) {
  for (int64_t f = 0; f < width; f += 2) {
    float low[kTileRows] = {}, high[kTileRows] = {};
    for (int64_t r = 0; r < rows.count; ++r) {
      const float* row = rows.data + (rows.index ? rows.index[r] : r) * rows.row_stride;
      low[r] = row[f * rows.column_stride];
      if (f + 1 < width) high[r] = row[(f + 1) * rows.column_stride];
    }
    for (int64_t r = 0; r < kTileRows; r += kLane) {
      store_pairs(tile + f / 2 * kTileRows + r,
                  combine(load_unaligned(low + r), load_unaligned(high + r)));
    }
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

template <Activation A, int NR, int MV>
MBPO_INLINE void block(const Bf16Layer& job, int64_t column, int64_t first) {
  __m512 sums[NR][MV];
#pragma GCC unroll 16
  for (int j = 0; j < NR; ++j) {
#pragma GCC unroll 4
    for (int m = 0; m < MV; ++m) sums[j][m] = broadcast(job.bias[first + j]);
  }
  const int64_t width = even(job.outputs), depth = pairs(job.inputs);
  const Pair* weight = job.weight + first;
  const Pair* in = job.in + column;
  for (int64_t k = 0; k < depth; ++k) {
    Pairs columns[MV];
#pragma GCC unroll 4
    for (int m = 0; m < MV; ++m) columns[m] = load_pairs(in + m * kLane);
#pragma GCC unroll 16
    for (int j = 0; j < NR; ++j) {
      const Pairs factor = weight[j] - Pairs{};
#pragma GCC unroll 4
      for (int m = 0; m < MV; ++m) {
        sums[j][m] = _mm512_dpbf16_ps(sums[j][m], (__m512bh)factor, (__m512bh)columns[m]);
      }
    }
    weight += width;
    in += kTileRows;
  }
#pragma GCC unroll 16
  for (int j = 0; j < NR; j += 2) {
#pragma GCC unroll 4
    for (int m = 0; m < MV; ++m) {
      const int64_t at = column + m * kLane;
      const Vec<float> low = activate_short<A>(Vec<float>(sums[j][m]));
      const Vec<float> high = activate_short<A>(Vec<float>(sums[j + 1][m]));
      if (job.out_pairs) {
        store_pairs(job.out_pairs + (first + j) / 2 * kTileRows + at, combine(low, high));
      } else {
        store(job.out + (first + j) * kTileRows + at, low);
        store(job.out + (first + j + 1) * kTileRows + at, high);
      }
    }
  }
}

template <Activation A, int MV>
MBPO_INLINE void columns(const Bf16Layer& job, int64_t column) {
  const int64_t width = even(job.outputs);
  int64_t j = 0;
  for (; j + kRowsAtOnce <= width; j += kRowsAtOnce) block<A, kRowsAtOnce, MV>(job, column, j);
  for (; j + 4 <= width; j += 4) block<A, 4, MV>(job, column, j);
  for (; j < width; j += 2) block<A, 2, MV>(job, column, j);
}

template <Activation A>
void forward_as(const Bf16Layer& job) {
  if (job.count > kLane) return columns<A, 2>(job, 0);
  columns<A, 1>(job, 0);
}

void forward(const Bf16Layer& job) {
  switch (job.activation) {
    case Activation::identity: return forward_as<Activation::identity>(job);
    case Activation::relu: return forward_as<Activation::relu>(job);
    case Activation::tanh: return forward_as<Activation::tanh>(job);
    case Activation::silu: return forward_as<Activation::silu>(job);
  }
}

}  // namespace

extern const Bf16Kernels kKernels = {"avx512_bf16", pack, gather, forward};

}  // namespace mbpo::avx512_bf16
#endif
