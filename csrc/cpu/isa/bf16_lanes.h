// What all kernels of bfloat16 share: vectors of pairs, tiles of them, activations of few bits.
//
// Included like simd.h and after product.h and tiles.h, where AVX-512 with bfloat16 is on.
#pragma once

namespace mbpo::MBPO_ISA {

constexpr int64_t kLane = 16;

typedef uint16_t Halves __attribute__((vector_size(32)));
typedef Halves UnalignedHalves __attribute__((aligned(2), may_alias));
typedef Pair Pairs __attribute__((vector_size(64), may_alias));
typedef Pair UnalignedPairs __attribute__((vector_size(64), aligned(4), may_alias));

// Written with the compiler's own vectors: g++ 12 warns inside its header for the intrinsics.
MBPO_INLINE Halves round_all(Vec<float> x) { return (Halves)_mm512_cvtneps_pbh(x); }
MBPO_INLINE Pairs combine(Halves low, Halves high) {
  return __builtin_convertvector(low, Pairs) | __builtin_convertvector(high, Pairs) << 16;
}
MBPO_INLINE Pairs combine(Vec<float> low, Vec<float> high) {
  return combine(round_all(low), round_all(high));
}

template <>
struct Multiply<Pair> {
  using Sum = Vec<float>;
  static constexpr Pair kOne = 0x3f803f80;  // twice
  static MBPO_INLINE void add(Sum& sum, Pairs factor, Pairs columns) {
    sum = (Sum)_mm512_dpbf16_ps((__m512)sum, (__m512bh)factor, (__m512bh)columns);
  }
};

MBPO_INLINE void store_pairs(Pair* p, Pairs v) { *reinterpret_cast<UnalignedPairs*>(p) = v; }
MBPO_INLINE Pairs load_pairs(const Pair* p) { return *reinterpret_cast<const Pairs*>(p); }

// Features `first`, which is even, and `first + 1` of a tile, for 16 rows from `row` on.
MBPO_INLINE void store_rounded(const Bf16Tile& tile, int64_t first, int64_t row, Vec<float> low,
                               Vec<float> high) {
  const Halves a = round_all(low), b = round_all(high);
  if (tile.features) store_pairs(tile.features + first / 2 * kTileRows + row, combine(a, b));
  if (!tile.rows) return;
  Pair* at = tile.rows + first * kTileDepth<Pair> + row / 2;
  *reinterpret_cast<UnalignedHalves*>(at) = a;
  *reinterpret_cast<UnalignedHalves*>(at + kTileDepth<Pair>) = b;
}

// Step pairs of depth at a time.
template <int64_t Step>
void round_tile(const float* tile, int64_t width, const Bf16Tile& out) {
  for (int64_t f = 0; f < (width + 2 * Step - 1) / (2 * Step) * (2 * Step); f += 2) {
    for (int64_t r = 0; r < kTileRows; r += kLane) {
      const auto there = [&](int64_t feature) {
        return feature < width ? load(tile + feature * kTileRows + r) : Vec<float>{};
      };
      store_rounded(out, f, r, there(f), there(f + 1));
    }
  }
}

// What `get` gives for each of `width` features, for 16 rows from `row` on, rounded.
template <int64_t Step, typename F>
MBPO_INLINE void round_features(int64_t width, int64_t row, const Bf16Tile& out, const F& get) {
  int64_t f = 0;
  for (; f + 2 <= width; f += 2) {
    const Vec<float> low = get(f);
    store_rounded(out, f, row, low, get(f + 1));
  }
  for (; f < (width + 2 * Step - 1) / (2 * Step) * (2 * Step); f += 2) {
    store_rounded(out, f, row, f < width ? get(f) : Vec<float>{}, Vec<float>{});
  }
}

template <int64_t Step>
void normalise_half(const NormLayer<float>& layer, const Bf16Tile& tile) {
  with_activation(layer.activation, [&](auto a) {
    const NormLayer<float> job = layer;
    const Bf16Tile out = tile;
    for (int64_t row = 0; row < job.count; row += kLane) {
      const NormalisedRows<decltype(a)::value, float> rows(job, row);
      round_features<Step>(job.width, row, out, [&](int64_t j) { return rows(j); });
    }
  });
}

template <int64_t Step>
void normalise_half_backward(const NormBackward<float>& layer, const Bf16Tile& tile) {
  with_activation(layer.activation, [&](auto a) {
    const NormBackward<float> job = layer;
    const Bf16Tile out = tile;
    const NormGradient<decltype(a)::value, float> gradient(job);
#pragma GCC unroll 2
    for (int64_t c = 0; c < kTileRows / kLane; ++c) {
      round_features<Step>(job.width, c * kLane, out, [&](int64_t j) { return gradient(j, c); });
    }
  });
}

inline void transpose_pairs(const Pair* rows, int64_t width, Pair* panels) {
  constexpr int64_t kDepth = kTileDepth<Pair>;
  static_assert(kDepth == kLane);
  for (int64_t f = 0; f < mbpo::padded(width); f += kLane) {
    Vec<float> square[kLane];
#pragma GCC unroll 16
    for (int64_t i = 0; i < kLane; ++i) {
      const Pair* from = rows + (f + i) * kDepth;
      square[i] = f + i < width ? reinterpret_cast<Vec<float>>(load_pairs(from)) : Vec<float>{};
    }
    trade_all<float, 1>(square);
    Pair* to = panels + f / kPanel * kPanel * kDepth + f % kPanel;
#pragma GCC unroll 16
    for (int64_t i = 0; i < kLane; ++i) {
      store_pairs(to + i * kPanel, reinterpret_cast<Pairs>(square[i]));
    }
  }
}

// act(z), to be rounded to bfloat16's 8 bits, and its slope. SiLU's logistic is good to 13: 2^t by
// a cubic on [0, 1), minimax in relative error, and the processor's estimate of the reciprocal.
template <Activation A>
MBPO_INLINE Vec<float> activate_short(Vec<float> z, Vec<float>& slope) {
  if constexpr (A == Activation::silu) {
    constexpr __mmask16 all = 0xffff;
    const Vec<float> t = z * -1.44269504f;
    const Vec<float> r = _mm512_maskz_reduce_ps(all, t, _MM_FROUND_TO_NEG_INF);
    Vec<float> p = r * 0.0780248f + 0.2260667f;
    p = p * r + 0.6958337f;
    p = p * r + 0.9999252f;
    const Vec<float> s = _mm512_maskz_rcp14_ps(all, _mm512_maskz_scalef_ps(all, p, t) + 1.0f);
    const Vec<float> h = z * s;
    slope = s + h * (1.0f - s);
    return h;
  } else if constexpr (A == Activation::tanh) {
    const Vec<float> h = tanh_of(z);
    slope = 1.0f - h * h;
    return h;
  } else {
    Vec<float> unused;
    return activate<A>(z, unused);
  }
}

// Finish outputs `first`, which is even, and `first + 1` for the rows from `row`.
template <Activation A>
MBPO_INLINE void finish_pair(const Bf16Layer& job, int64_t first, int64_t row, Vec<float> low,
                             Vec<float> high) {
  Vec<float> slopes[2];
  low = activate_short<A>(low + job.bias[first], slopes[0]);
  high = activate_short<A>(high + job.bias[first + 1], slopes[1]);
  const int64_t at = first * kTileRows + row;
  if (job.out) {
    store(job.out + at, low);
    return store(job.out + at + kTileRows, high);
  }
  store_rounded(job.kept, first, row, low, high);
  if constexpr (A == Activation::silu || A == Activation::tanh) {
    if (!job.slope) return;
    store(job.slope + at, slopes[0]);
    store(job.slope + at + kTileRows, slopes[1]);
  }
}

// act'(z) of feature i of the layer below, for 16 rows from `row` on.
template <Activation A>
MBPO_INLINE Vec<float> slope_of(const Bf16Backward& job, int64_t i, int64_t row) {
  if constexpr (A == Activation::relu) {
    const Pair* at = job.rows + i * kTileDepth<Pair> + row / 2;
    const Halves h = *reinterpret_cast<const UnalignedHalves*>(at);  // never below 0
    const Vec<float> kept = reinterpret_cast<Vec<float>>(__builtin_convertvector(h, Pairs) << 16);
    return derivative<A>(kept);
  }
  if constexpr (A == Activation::identity) return Vec<float>{} + 1.0f;
  return load(job.slope + i * kTileRows + row);
}

// Finish features `first`, which is even, and `first + 1` of the gradient of a layer's input.
template <Activation A>
MBPO_INLINE void finish_backward(const Bf16Backward& job, int64_t first, int64_t row,
                                 Vec<float> low, Vec<float> high) {
  low *= slope_of<A>(job, first, row);
  high *= slope_of<A>(job, first + 1, row);
  store_rounded(job.kept, first, row, low, high);
}

}  // namespace mbpo::MBPO_ISA
