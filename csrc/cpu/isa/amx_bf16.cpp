// AMX: Intel's server processors from 2023 on. Eight registers, here of 16 rows by 64 bytes each.
//
// A product of registers is C[16 outputs][16 rows] += A[16 outputs][16 pairs] B[16 pairs][16 rows].
// B is a square of the activations' tile as it lies; A is a square of weights that pack transposes,
// 1 KB in one piece, square after square along the depth. Two squares of outputs by two of rows are
// summed at once, so each register loaded serves two products.
#include "headers.h"
#include "mbpo/bf16.h"

#if MBPO_BF16
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma")
#define MBPO_ISA amx_bf16
#define MBPO_BYTES 64
#include "simd.h"

#include "bf16_lanes.h"

#include "tiles.h"

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

void pack(const float* weight, int64_t inputs, int64_t outputs, Pair* packed) {
  for (int64_t j = 0; j < outputs; j += kSquare) {
    const int64_t wide = std::min(kSquare, outputs - j);
    const __mmask16 there = static_cast<__mmask16>((1u << wide) - 1);
    const auto row = [&](int64_t i) -> Vec<float> {
      if (i >= inputs) return Vec<float>{};
      return _mm512_maskz_loadu_ps(there, weight + i * outputs + j);
    };
    for (int64_t i = 0; i < inputs; i += 2 * kSquare) {
      Vec<float> square[kSquare];
      for (int64_t p = 0; p < kSquare; ++p) {
        square[p] = reinterpret_cast<Vec<float>>(combine(row(i + 2 * p), row(i + 2 * p + 1)));
      }
      trade_all<float, 1>(square);
      for (int64_t p = 0; p < kSquare; ++p, packed += kSquare) {
        store_pairs(packed, reinterpret_cast<Pairs>(square[p]));
      }
    }
  }
}

// Outputs of `Outs` squares from number `first`, rows of `Cols` squares. Registers: sums in 0 to 3,
// A in 4 and 5, B in 6 and 7.
template <Activation A, int Outs, int Cols>
MBPO_INLINE void block(const Bf16Layer& job, int64_t first) {
  const int64_t depth = squares((job.inputs + 1) / 2);
  const Pair* weight = job.weight + first * depth * kTilePairs;
  const Pair* in = job.in;
  constexpr int64_t kWeightStride = kSquare * sizeof(Pair), kInStride = kTileRows * sizeof(Pair);
  zero<0>();
  if constexpr (Cols == 2) zero<1>();
  if constexpr (Outs == 2) zero<2>();
  if constexpr (Outs == 2 && Cols == 2) zero<3>();
  for (int64_t k = 0; k < depth; ++k) {
    load_tile<6>(in, kInStride);
    load_tile<4>(weight, kWeightStride);
    multiply<0, 4, 6>();
    if constexpr (Cols == 2) {
      load_tile<7>(in + kSquare, kInStride);
      multiply<1, 4, 7>();
    }
    if constexpr (Outs == 2) {
      load_tile<5>(weight + depth * kTilePairs, kWeightStride);
      multiply<2, 5, 6>();
      if constexpr (Cols == 2) multiply<3, 5, 7>();
    }
    weight += kTilePairs;
    in += kSquare * kTileRows;
  }
  alignas(64) float sums[Outs][Cols][kSquare * kSquare];
  constexpr int64_t kSumStride = kSquare * sizeof(float);
  store_tile<0>(sums[0][0], kSumStride);
  if constexpr (Cols == 2) store_tile<1>(sums[0][1], kSumStride);
  if constexpr (Outs == 2) store_tile<2>(sums[1][0], kSumStride);
  if constexpr (Outs == 2 && Cols == 2) store_tile<3>(sums[1][1], kSumStride);
  for (int64_t o = 0; o < Outs; ++o) {
    for (int64_t j = 0; j < kSquare; j += 2) {
      const int64_t output = (first + o) * kSquare + j;
      for (int64_t c = 0; c < Cols; ++c) {
        const float* pair = sums[o][c] + j * kSquare;
        finish_pair<A>(job, output, c * kSquare, load(pair) + job.bias[output],
                       load(pair + kSquare) + job.bias[output + 1]);
      }
    }
  }
}

template <Activation A, int Cols>
MBPO_INLINE void columns(const Bf16Layer& job) {
  configure();
  const int64_t count = squares(job.outputs);
  int64_t first = 0;
  for (; first + 2 <= count; first += 2) block<A, 2, Cols>(job, first);
  if (first < count) block<A, 1, Cols>(job, first);
  release();
  if (!job.out_pairs || count % 2 == 0) return;
  // Half a square of depth that the next layer reads and no output fills.
  std::fill_n(job.out_pairs + count * kSquare / 2 * kTileRows, kSquare / 2 * kTileRows, Pair{0});
}

template <Activation A>
void forward_as(const Bf16Layer& job) {
  if (job.count > kSquare) return columns<A, 2>(job);
  columns<A, 1>(job);
}

void forward(const Bf16Layer& job) {
  with_activation(job.activation, [&](auto a) { forward_as<decltype(a)::value>(job); });
}

}  // namespace

extern const Bf16Kernels kKernels = {"amx_bf16", kSquare, kSquare, pack, gather_pairs<kSquare>,
                                     forward};

}  // namespace mbpo::amx_bf16
#endif
