// AMX: Intel's server processors from 2023 on. Eight registers, here of 16 rows by 64 bytes each.
//
// A product of registers is C[16 outputs][16 rows] += A[16 outputs][16 pairs] B[16 pairs][16 rows].
// B is a square of the activations' tile as it lies; A is a square of weights that pack transposes,
// 1 KB in one piece, square after square along the depth. Two squares of outputs by two of rows are
// summed at once, so each register loaded serves two products. Backward, A is a square of weights
// or of a tile of pairs of rows as it lies, B one of dL/dz or of its panels.
#include "headers.h"
#include "mbpo/bf16.h"

#if MBPO_BF16
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma")
#define MBPO_ISA amx_bf16
#define MBPO_BYTES 64
#define MBPO_ROWS 12
#include "simd.h"

#include "product.h"
// product.h before layers.h, which calls it.
#include "layers.h"
#include "tiles.h"
// tiles.h before norm.h, which trades lanes.
#include "norm.h"

#include "bf16_lanes.h"

namespace mbpo::amx_bf16 {
namespace {

// In assembly: the compiler's macros take no template argument, and in GCC 12 its loads do not say
// that they read memory. Between configure and release nothing can throw.
MBPO_INLINE void configure() {
  static constexpr struct {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } kAllWhole;
  static_assert(sizeof kAllWhole == 64);
  asm volatile("ldtilecfg %0" ::"m"(kAllWhole));
}

MBPO_INLINE void release() { asm volatile("tilerelease"); }

template <int T>
MBPO_INLINE void zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(T));
}

template <int T>
MBPO_INLINE void load_tile(const void* from, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(T) : "memory");
}

template <int T>
MBPO_INLINE void store_tile(void* to, int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(T) : "memory");
}

template <int C, int A, int B>
MBPO_INLINE void multiply() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
}

constexpr int64_t kSquare = 16;
constexpr int64_t kTilePairs = kSquare * kSquare;

int64_t squares(int64_t width) { return (width + kSquare - 1) / kSquare; }

void pack(const Bf16Weights& weights, int64_t first, int64_t last, Pair* packed) {
  const int64_t inputs = weights.inputs, outputs = weights.outputs;
  const int64_t depth = squares((inputs + 1) / 2);
  for (int64_t j = 0; j < outputs; j += kSquare) {
    const int64_t wide = std::min(kSquare, outputs - j);
    const __mmask16 there = static_cast<__mmask16>((1u << wide) - 1);
    const auto row = [&](int64_t i) -> Vec<float> {
      if (i >= inputs) return Vec<float>{};
      return _mm512_maskz_loadu_ps(there, weights.data + i * outputs + j);
    };
    for (int64_t i = first; i < last; i += 2 * kSquare) {
      Vec<float> square[kSquare];
      for (int64_t p = 0; p < kSquare; ++p) {
        square[p] = reinterpret_cast<Vec<float>>(combine(row(i + 2 * p), row(i + 2 * p + 1)));
      }
      trade_all<float, 1>(square);
      Pair* out = packed + (j / kSquare * depth + i / (2 * kSquare)) * kTilePairs;
      for (int64_t p = 0; p < kSquare; ++p) {
        store_pairs(out + p * kSquare, reinterpret_cast<Pairs>(square[p]));
      }
    }
  }
}

void pack_transposed(const Bf16Weights& weights, int64_t first, int64_t last, Pair* packed) {
  const int64_t inputs = weights.inputs, outputs = weights.outputs;
  const int64_t depth = squares((outputs + 1) / 2) * kSquare;
  if (last == inputs) last = squares(inputs) * kSquare;
  for (int64_t i = first; i < last; ++i) {
    Pair* out = packed + i * depth;
    for (int64_t j = 0; j < 2 * depth; j += kLane, out += kLane / 2) {
      const int64_t wide = i < inputs ? std::clamp<int64_t>(outputs - j, 0, kLane) : 0;
      const __mmask16 there = static_cast<__mmask16>((1u << wide) - 1);
      const Halves rounded =
          round_all(_mm512_maskz_loadu_ps(there, weights.data + i * outputs + j));
      *reinterpret_cast<UnalignedHalves*>(out) = rounded;
    }
  }
}

// A square in memory and the way to the next one along the depth; strides in bytes.
struct Squares {
  const Pair* at;
  int64_t stride, next;  // between rows, in bytes; between squares, in pairs
};

template <int Outs, int Cols>
using Sums = float[Outs][Cols][kSquare * kSquare];

// Sums of Outs by Cols squares over `depth` squares, b2 and a2 being the second ones. Registers:
// sums in 0 to 3, A in 4 and 5, B in 6 and 7.
template <int Outs, int Cols>
MBPO_INLINE void multiply_squares(Squares a, int64_t a2, Squares b, int64_t b2, int64_t depth,
                                  Sums<Outs, Cols>& sums) {
  zero<0>();
  if constexpr (Cols == 2) zero<1>();
  if constexpr (Outs == 2) zero<2>();
  if constexpr (Outs == 2 && Cols == 2) zero<3>();
  for (int64_t k = 0; k < depth; ++k, a.at += a.next, b.at += b.next) {
    load_tile<6>(b.at, b.stride);
    load_tile<4>(a.at, a.stride);
    multiply<0, 4, 6>();
    if constexpr (Cols == 2) {
      load_tile<7>(b.at + b2, b.stride);
      multiply<1, 4, 7>();
    }
    if constexpr (Outs == 2) {
      load_tile<5>(a.at + a2, a.stride);
      multiply<2, 5, 6>();
      if constexpr (Cols == 2) multiply<3, 5, 7>();
    }
  }
  constexpr int64_t kSumStride = kSquare * sizeof(float);
  store_tile<0>(sums[0][0], kSumStride);
  if constexpr (Cols == 2) store_tile<1>(sums[0][1], kSumStride);
  if constexpr (Outs == 2) store_tile<2>(sums[1][0], kSumStride);
  if constexpr (Outs == 2 && Cols == 2) store_tile<3>(sums[1][1], kSumStride);
}

constexpr int64_t kPairBytes = sizeof(Pair);

// Call body<2>(first) for two squares at a time from `first` on, body<1> for one that is left.
template <typename Body>
MBPO_INLINE void over_squares(int64_t first, int64_t count, const Body& body) {
  for (; first + 2 <= count; first += 2) body.template run<2>(first);
  if (first < count) body.template run<1>(first);
}

template <Activation A, int Cols>
struct ForwardSquares {
  const Bf16Layer& job;

  template <int Outs>
  MBPO_INLINE void run(int64_t first) const {
    const int64_t depth = squares((job.inputs + 1) / 2);
    alignas(64) Sums<Outs, Cols> sums;
    multiply_squares<Outs, Cols>(
        {job.weight + first * depth * kTilePairs, kSquare * kPairBytes, kTilePairs},
        depth * kTilePairs, {job.in, kTileRows * kPairBytes, kSquare * kTileRows}, kSquare, depth,
        sums);
    for (int64_t o = 0; o < Outs; ++o) {
      for (int64_t j = 0; j < kSquare; j += 2) {
        for (int64_t c = 0; c < Cols; ++c) {
          const float* pair = sums[o][c] + j * kSquare;
          finish_pair<A>(job, (first + o) * kSquare + j, c * kSquare, load(pair),
                         load(pair + kSquare));
        }
      }
    }
  }
};

// Half a square of depth that the next layer reads and no feature fills.
MBPO_INLINE void clear_rest(Pair* features, int64_t count) {
  if (!features || count % 2 == 0) return;
  std::fill_n(features + count * kSquare / 2 * kTileRows, kSquare / 2 * kTileRows, Pair{0});
}

void forward_half(const Bf16Layer& job) {
  const int64_t count = squares(job.outputs);
  configure();
  with_activation(job.activation, [&](auto a) {
    constexpr Activation kActivation = decltype(a)::value;
    if (job.count > kSquare) {
      over_squares(0, count, ForwardSquares<kActivation, 2>{job});
    } else {
      over_squares(0, count, ForwardSquares<kActivation, 1>{job});
    }
  });
  release();
  if (!job.out) clear_rest(job.kept.features, count);
}

// The gradient of the input, by sink(feature, row, low, high) for two features at a time.
template <typename Sink>
struct BackwardSquares {
  const Bf16Backward& job;
  const Sink& sink;

  template <int Outs>
  MBPO_INLINE void run(int64_t first) const {
    const int64_t depth = squares((job.outputs + 1) / 2), row = depth * kSquare;
    alignas(64) Sums<Outs, 2> sums;
    multiply_squares<Outs, 2>({job.weight + first * kSquare * row, row * kPairBytes, kSquare},
                              kSquare * row, {job.in, kTileRows * kPairBytes, kSquare * kTileRows},
                              kSquare, depth, sums);
    for (int64_t o = 0; o < Outs; ++o) {
      for (int64_t i = 0; i < kSquare; i += 2) {
        for (int64_t c = 0; c < 2; ++c) {
          const float* pair = sums[o][c] + i * kSquare;
          sink((first + o) * kSquare + i, c * kSquare, load(pair), load(pair + kSquare));
        }
      }
    }
  }
};

template <typename Sink>
MBPO_INLINE void backward_squares(const Bf16Backward& job, int64_t first, int64_t count,
                                  const Sink& sink) {
  over_squares(first, count, BackwardSquares<Sink>{job, sink});
}

void backward_half(const Bf16Backward& job) {
  configure();
  if (job.out) {
    const auto one = [&](int64_t i, int64_t row, Vec<float> sum) {
      if (i < job.first || i >= job.last) return;
      store(job.out + (i - job.first) * kTileRows + row, sum);
    };
    backward_squares(job, job.first / kSquare, squares(job.last),
                     [&](int64_t i, int64_t row, Vec<float> low, Vec<float> high) {
                       one(i, row, low);
                       one(i + 1, row, high);
                     });
  } else {
    with_activation(job.activation, [&](auto a) {
      backward_squares(job, 0, squares(job.inputs),
                       [&](int64_t i, int64_t row, Vec<float> low, Vec<float> high) {
                         finish_backward<decltype(a)::value>(job, i, row, low, high);
                       });
    });
  }
  release();
  if (!job.out) clear_rest(job.kept.features, squares(job.inputs));
}

// Squares of features by the 32 columns of one panel, summed over tiles.
struct GradientSquares {
  const WeightGradient<Pair, float>& job;
  int64_t tile, column;

  template <int Outs>
  MBPO_INLINE void run(int64_t first) const {
    constexpr int64_t kDepth = kTileDepth<Pair>;
    static_assert(kDepth == kSquare && kPanel == 2 * kSquare);
    const int64_t tiles = std::min(kTilesPerSum, job.tiles - tile), row = first * kSquare;
    alignas(64) Sums<Outs, 2> sums;
    multiply_squares<Outs, 2>(
        {job.activations + tile * job.activations_tile + row * kDepth, kDepth * kPairBytes,
         job.activations_tile},
        kSquare * kDepth,
        {panel_of(job, tile, column), kPanel * kPairBytes, mbpo::padded(job.outputs) * kDepth},
        kSquare, tiles, sums);
    for (int64_t i = row; i < std::min(row + Outs * kSquare, job.last); ++i) {
      const int64_t o = (i - row) / kSquare, at = (i - row) % kSquare * kSquare;
      const GradientSink<Pair, float> sink{job, column, tile > 0};
      for (int64_t c = 0; c < 2; ++c) {
        if (column + c * kSquare < job.outputs) sink(i, c * kSquare, load(sums[o][c] + at));
      }
    }
  }
};

void weight_gradient_half(const WeightGradient<Pair, float>& job) {
  if (job.tiles == 0) return weight_gradient(job);
  configure();
  for (int64_t tile = 0; tile < job.tiles; tile += kTilesPerSum) {
    for (int64_t column = 0; column < job.outputs; column += kPanel) {
      over_squares(job.first / kSquare, squares(job.last), GradientSquares{job, tile, column});
      if (!job.dbias) continue;
      for (int64_t c = column; c < std::min(column + kPanel, job.outputs); c += kLane) {
        bias_panel(job, tile, c);
      }
    }
  }
  release();
}

}  // namespace

extern const Bf16Kernels kKernels = {"amx_bf16",
                                     kSquare,
                                     kSquare,
                                     pack,
                                     pack_transposed,
                                     round_tile<kSquare>,
                                     transpose_pairs,
                                     forward_half,
                                     backward_half,
                                     weight_gradient_half,
                                     normalise_half<kSquare>,
                                     normalise_half_backward<kSquare>};

}  // namespace mbpo::amx_bf16
#endif
