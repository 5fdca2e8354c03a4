// A layer's norm on one tile, forward and backward. Rows run along the vectors, so a row's mean and
// variance over features are sums of vectors. Included after tiles.h, whose trade it uses.
#pragma once

namespace mbpo::MBPO_ISA {

// The sum of f(feature), four at once: each addition waits for the one before it.
template <typename T, typename F>
MBPO_INLINE Vec<T> sum_features(int64_t width, const F& f) {
  constexpr int64_t kAtOnce = 4;
  Vec<T> sums[kAtOnce] = {};
  int64_t j = 0;
  for (; j + kAtOnce <= width; j += kAtOnce) {
#pragma GCC unroll 4
    for (int64_t i = 0; i < kAtOnce; ++i) sums[i] += f(j + i);
  }
  for (; j < width; ++j) sums[0] += f(j);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// One vector of rows, from `column` on: h of a feature, and what the backward pass wants of it.
// Jobs are copied: of what lies elsewhere, each store into a tile might have changed it.
template <Activation A, typename T>
struct NormalisedRows {
  const NormLayer<T> job;
  int64_t column;
  Vec<T> mean, scale;

  MBPO_INLINE NormalisedRows(const NormLayer<T>& layer, int64_t first) : job(layer), column(first) {
    const T share = T(1) / static_cast<T>(job.width);
    mean = sum_features<T>(job.width, [&](int64_t j) { return load(at(j)); }) * share;
    const Vec<T> variance = sum_features<T>(job.width, [&](int64_t j) {
      const Vec<T> off = load(at(j)) - mean;
      return off * off;
    });
    for (int64_t l = 0; l < kLanes<T>; ++l) {
      scale[l] = 1 / std::sqrt(variance[l] * share + static_cast<T>(kNormEpsilon));
    }
    if (job.scale) store(job.scale + column, scale);
  }

  MBPO_INLINE T* at(int64_t j) const { return job.z + j * kTileRows + column; }

  MBPO_INLINE Vec<T> operator()(int64_t j) const {
    const Vec<T> x = (load(at(j)) - mean) * scale;
    if (job.scale) store(at(j), x);
    Vec<T> unused;
    return activate<A>(x * job.gain[j] + job.shift[j], unused);
  }
};

template <typename T>
void normalise(const NormLayer<T>& layer) {
  with_activation(layer.activation, [&](auto a) {
    const NormLayer<T> job = layer;
    for (int64_t column = 0; column < job.count; column += kLanes<T>) {
      const NormalisedRows<decltype(a)::value, T> rows(job, column);
      for (int64_t j = 0; j < job.width; ++j) store(job.out + j * kTileRows + column, rows(j));
    }
  });
}

template <Activation A, typename X>
MBPO_INLINE X slope_at(X y) {
  X slope;
  const X h = activate<A>(y, slope);
  return A == Activation::silu ? slope : derivative<A>(h);
}

// Lane i is the sum of vector i's lanes: each step adds halves of two vectors into one.
template <typename T, int64_t Step = 1>
MBPO_INLINE Vec<T> fold(Vec<T> (&square)[kLanes<T>]) {
  if constexpr (Step < kLanes<T>) {
#pragma GCC unroll 16
    for (int64_t i = 0; i < kLanes<T>; i += 2 * Step) {
      square[i] = trade<T, Step, false>(square[i], square[i + Step]) +
                  trade<T, Step, true>(square[i], square[i + Step]);
    }
    return fold<T, 2 * Step>(square);
  }
  return square[0];
}

// From dL/dh to dL/dz of a tile: dL/dx, and of it what the mean and the variance let through.
template <Activation A, typename T>
struct NormGradient {
  static constexpr int64_t kColumns = kTileRows / kLanes<T>;
  const NormBackward<T> job;
  Vec<T> mean[kColumns], along[kColumns];  // of dL/dx, and of dL/dx times x

  MBPO_INLINE explicit NormGradient(const NormBackward<T>& layer) : job(layer) {
    // Sums of their own, which no store into the tile may touch, stay in registers.
    Vec<T> means[kColumns] = {}, alongs[kColumns] = {};
    for (int64_t first = 0; first < job.width; first += kLanes<T>) {
      job.sums ? add_features<true>(first, means, alongs)
               : add_features<false>(first, means, alongs);
    }
    const T share = T(1) / static_cast<T>(job.width);
#pragma GCC unroll 16
    for (int64_t c = 0; c < kColumns; ++c) {
      mean[c] = means[c] * share;
      along[c] = alongs[c] * share;
    }
  }

  template <bool Sums>
  MBPO_INLINE void add_features(int64_t first, Vec<T> (&means)[kColumns],
                                Vec<T> (&alongs)[kColumns]) const {
    Vec<T> to_gain[kLanes<T>], to_shift[kLanes<T>];  // filled below; clearing them costs as much
    const int64_t count = std::min(kLanes<T>, job.width - first);
    for (int64_t i = 0; i < count; ++i) {
      const T gain = job.gain[first + i], shift = job.shift[first + i];
      Vec<T> gain_sum = {}, shift_sum = {};
#pragma GCC unroll 16
      for (int64_t c = 0; c < kColumns; ++c) {
        const int64_t at = (first + i) * kTileRows + c * kLanes<T>;
        const Vec<T> x = load(job.x + at);
        const Vec<T> dy = load(job.dz + at) * slope_at<A>(x * gain + shift);
        const Vec<T> dx = dy * gain;
        store(job.dz + at, dx);
        means[c] += dx;
        alongs[c] += dx * x;
        gain_sum += dy * x;
        shift_sum += dy;
      }
      to_gain[i] = gain_sum;
      to_shift[i] = shift_sum;
    }
    if constexpr (Sums) {
      for (int64_t i = count; i < kLanes<T>; ++i) to_gain[i] = to_shift[i] = Vec<T>{};
      store(job.sums + first, fold<T>(to_gain));
      store(job.sums + padded(job.width) + first, fold<T>(to_shift));
    }
  }

  // dL/dx as it was stored, not computed again: where all of it cancels, none is left.
  MBPO_INLINE Vec<T> operator()(int64_t j, int64_t c) const {
    const int64_t at = j * kTileRows + c * kLanes<T>;
    const Vec<T> through = load(job.dz + at) - mean[c] - load(job.x + at) * along[c];
    return load(job.scale + c * kLanes<T>) * through;
  }
};

template <typename T>
void normalise_backward(const NormBackward<T>& layer) {
  with_activation(layer.activation, [&](auto a) {
    const NormBackward<T> job = layer;
    const NormGradient<decltype(a)::value, T> gradient(job);
    for (int64_t j = 0; j < job.width; ++j) {
#pragma GCC unroll 16
      for (int64_t c = 0; c < kTileRows / kLanes<T>; ++c) {
        store(job.dz + j * kTileRows + c * kLanes<T>, gradient(j, c));
      }
    }
  });
}

}  // namespace mbpo::MBPO_ISA
