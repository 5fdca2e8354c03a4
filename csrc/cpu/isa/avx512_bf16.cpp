// AVX-512 with BF16 dot products: server processors from 2020 (Intel) and 2022 (AMD) on.
//
// Weights are packed [depth(inputs)][padded(J)], transposed [padded(inputs)][depth(J)].
#include "headers.h"
#include "mbpo/bf16.h"

#if MBPO_BF16
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma")
#define MBPO_ISA avx512_bf16
#define MBPO_BYTES 64
#define MBPO_ROWS 12  // even: two features make a pair
#include "simd.h"

#include "product.h"
// product.h before layers.h, which calls it.
#include "layers.h"
#include "tiles.h"
// tiles.h before norm.h, which trades lanes.
#include "norm.h"

#include "bf16_lanes.h"

namespace mbpo::avx512_bf16 {

namespace {

constexpr int64_t kDepthStep = 1, kOutputStep = 2;

int64_t even(int64_t width) { return (width + 1) / 2 * 2; }

Pair combine_one(float low, float high) { return combine(broadcast(low), broadcast(high))[0]; }

void pack(const Bf16Weights& weights, int64_t first, int64_t last, Pair* packed) {
  const int64_t outputs = weights.outputs, width = even(outputs);
  for (int64_t i = first; i < last; i += 2) {
    const float* low = weights.data + i * outputs;
    const bool alone = i + 1 == weights.inputs;
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

void pack_transposed(const Bf16Weights& weights, int64_t first, int64_t last, Pair* packed) {
  const int64_t outputs = weights.outputs, depth = even(outputs) / 2;
  for (int64_t i = first; i < last; ++i) {
    const float* row = weights.data + i * outputs;
    Pair* out = packed + i * depth;
    int64_t j = 0;
    for (; j + kLane <= outputs; j += kLane) {
      const Halves rounded = round_all(load_unaligned(row + j));
      *reinterpret_cast<UnalignedHalves*>(out + j / 2) = rounded;
    }
    for (; j < outputs; j += 2) {
      out[j / 2] = combine_one(row[j], j + 1 < outputs ? row[j + 1] : 0.0f);
    }
  }
  if (last == weights.inputs && last % 2) std::fill_n(packed + last * depth, depth, Pair{0});
}

template <Activation A>
struct HalfForwardSink {
  static constexpr bool kStreams = false;
  static constexpr int kTakes = 2;
  const Bf16Layer& job;
  int64_t column;

  MBPO_INLINE void operator()(int64_t j, int64_t c, Vec<float> low, Vec<float> high) const {
    finish_pair<A>(job, j, column + c, low, high);
  }
};

template <Activation A>
struct HalfForwardColumns {
  const Bf16Layer& job;

  template <int MV>
  MBPO_INLINE void run(int64_t column) const {
    const int64_t width = even(job.outputs);
    const Operands<Pair> in{job.weight, width, job.in + column, kTileRows, (job.inputs + 1) / 2};
    product_rows<MV>(in, Constant<1>{}, 0, width, HalfForwardSink<A>{job, column});
  }
};

void forward_half(const Bf16Layer& job) {
  with_activation(job.activation, [&](auto a) {
    over_columns<float>(job.count, HalfForwardColumns<decltype(a)::value>{job});
  });
}

template <Activation A>
struct HalfBackwardSink {
  static constexpr bool kStreams = false;
  static constexpr int kTakes = 2;
  const Bf16Backward& job;

  MBPO_INLINE void operator()(int64_t i, int64_t c, Vec<float> low, Vec<float> high) const {
    finish_backward<A>(job, i, c, low, high);
  }
};

struct InputSink {
  static constexpr bool kStreams = false;
  static constexpr int kTakes = 1;
  const Bf16Backward& job;

  MBPO_INLINE void operator()(int64_t i, int64_t c, Vec<float> sum) const {
    store(job.out + (i - job.first) * kTileRows + c, sum);
  }
};

void backward_half(const Bf16Backward& job) {
  const int64_t depth = even(job.outputs) / 2;
  const Operands<Pair> in{job.weight, 1, job.in, kTileRows, depth};
  if (job.out) return product_rows<2>(in, depth, job.first, job.last, InputSink{job});
  with_activation(job.activation, [&](auto a) {
    product_rows<2>(in, depth, 0, even(job.inputs), HalfBackwardSink<decltype(a)::value>{job});
  });
}

}  // namespace

extern const Bf16Kernels kKernels = {"avx512_bf16",
                                     kDepthStep,
                                     kOutputStep,
                                     pack,
                                     pack_transposed,
                                     round_tile<kDepthStep>,
                                     transpose_pairs,
                                     forward_half,
                                     backward_half,
                                     weight_gradient<Pair, float>,
                                     normalise_half<kDepthStep>,
                                     normalise_half_backward<kDepthStep>};

}  // namespace mbpo::avx512_bf16
#endif
