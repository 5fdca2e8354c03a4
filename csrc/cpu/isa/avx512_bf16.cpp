// AVX-512 with BF16 dot products: server processors from 2020 (Intel) and 2022 (AMD) on.
//
// Weights are packed [depth(inputs)][padded(J)].
#include "headers.h"
#include "mbpo/bf16.h"

#if MBPO_BF16
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma")
#define MBPO_ISA avx512_bf16
#define MBPO_BYTES 64
#include "simd.h"

#include "bf16_lanes.h"

namespace mbpo::avx512_bf16 {
namespace {

constexpr int kRowsAtOnce = 12;  // even: two features make a pair
constexpr int64_t kDepthStep = 1, kOutputStep = 2;

int64_t even(int64_t width) { return (width + 1) / 2 * 2; }

Pair combine_one(float low, float high) { return combine(broadcast(low), broadcast(high))[0]; }

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

template <Activation A, int NR, int MV>
MBPO_INLINE void block(const Bf16Layer& job, int64_t first) {
  __m512 sums[NR][MV];
#pragma GCC unroll 16
  for (int j = 0; j < NR; ++j) {
#pragma GCC unroll 4
    for (int m = 0; m < MV; ++m) sums[j][m] = broadcast(job.bias[first + j]);
  }
  const int64_t width = even(job.outputs), depth = (job.inputs + 1) / 2;
  const Pair* weight = job.weight + first;
  const Pair* in = job.in;
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
      finish_pair<A>(job, first + j, m * kLane, Vec<float>(sums[j][m]), Vec<float>(sums[j + 1][m]));
    }
  }
}

template <Activation A, int MV>
MBPO_INLINE void columns(const Bf16Layer& job) {
  const int64_t width = even(job.outputs);
  int64_t j = 0;
  for (; j + kRowsAtOnce <= width; j += kRowsAtOnce) block<A, kRowsAtOnce, MV>(job, j);
  for (; j + 4 <= width; j += 4) block<A, 4, MV>(job, j);
  for (; j < width; j += 2) block<A, 2, MV>(job, j);
}

template <Activation A>
void forward_as(const Bf16Layer& job) {
  if (job.count > kLane) return columns<A, 2>(job);
  columns<A, 1>(job);
}

void forward(const Bf16Layer& job) {
  with_activation(job.activation, [&](auto a) { forward_as<decltype(a)::value>(job); });
}

}  // namespace

extern const Bf16Kernels kKernels = {
    "avx512_bf16", kDepthStep, kOutputStep, pack, gather_pairs<kDepthStep>, forward};

}  // namespace mbpo::avx512_bf16
#endif
