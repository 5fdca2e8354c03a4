// One layer on one tile, forward and backward, and the gradient of its weights over all tiles.
#pragma once

namespace mbpo::MBPO_ISA {

template <int64_t Value>
using Constant = std::integral_constant<int64_t, Value>;

template <Activation A, bool Slope, typename T>
struct ForwardSink {
  static constexpr bool kStreams = false;
  static constexpr int kTakes = 1;
  const ForwardLayer<T>& job;
  int64_t column;

  MBPO_INLINE void operator()(int64_t j, int64_t c, Vec<T> sum) const {
    const int64_t at = j * kTileRows + column + c;
    Vec<T> slope;
    store(job.out + at, activate<A>(sum + job.bias[j], slope));
    if constexpr (Slope) store(job.slope + at, slope);
  }
};

// Call body(column, MV) over the columns that hold rows: two vectors at a time, then one.
template <typename T, typename Body>
MBPO_INLINE void over_columns(int64_t count, const Body& body) {
  int64_t column = 0;
  for (; column + kLanes<T> < count; column += 2 * kLanes<T>) body.template run<2>(column);
  if (column < count) body.template run<1>(column);
}

template <Activation A, bool Slope, typename T>
struct ForwardColumns {
  const ForwardLayer<T>& job;

  template <int MV>
  MBPO_INLINE void run(int64_t column) const {
    const Operands<T> in{job.weight, job.outputs, job.in + column, kTileRows, job.inputs};
    product_rows<MV>(in, Constant<1>{}, 0, job.outputs, ForwardSink<A, Slope, T>{job, column});
  }
};

template <Activation A, typename T>
void forward_as(const ForwardLayer<T>& job) {
  if constexpr (A == Activation::silu) {
    if (job.slope) return over_columns<T>(job.count, ForwardColumns<A, true, T>{job});
  }
  over_columns<T>(job.count, ForwardColumns<A, false, T>{job});
}

template <typename T>
void forward(const ForwardLayer<T>& job) {
  with_activation(job.activation, [&](auto a) { forward_as<decltype(a)::value>(job); });
}

template <Activation A, typename T>
struct BackwardSink {
  static constexpr bool kStreams = false;
  static constexpr int kTakes = 1;
  const BackwardLayer<T>& job;
  int64_t column;

  MBPO_INLINE void operator()(int64_t i, int64_t c, Vec<T> sum) const {
    const int64_t at = column + c;
    if constexpr (A != Activation::identity) {
      sum *= derivative<A>(load(job.kept + i * kTileRows + at));
    }
    store(job.out + (i - job.first) * kTileRows + at, sum);
  }
};

template <Activation A, typename T>
struct BackwardColumns {
  const BackwardLayer<T>& job;

  template <int MV>
  MBPO_INLINE void run(int64_t column) const {
    const Operands<T> in{job.weight, 1, job.in + column, kTileRows, job.outputs};
    product_rows<MV>(in, job.outputs, job.first, job.last, BackwardSink<A, T>{job, column});
  }
};

template <typename T>
void backward(const BackwardLayer<T>& job) {
  with_activation(job.activation, [&](auto a) {
    over_columns<T>(job.count, BackwardColumns<decltype(a)::value, T>{job});
  });
}

// Sums over more rows than this join in memory, which bounds rounding and what a panel of rows
// takes of the cache.
constexpr int64_t kTilesPerSum = 16;

template <typename E, typename T>
struct GradientSink {
  static constexpr bool kStreams = true;
  static constexpr int kTakes = 1;
  const WeightGradient<E, T>& job;
  int64_t column;
  bool add;

  MBPO_INLINE void operator()(int64_t i, int64_t c, Vec<T> sum) const {
    T* out = job.dweight + (i - job.first) * job.outputs + column + c;
    const int64_t left = job.outputs - column - c;
    if (left >= kLanes<T>) {
      if (add) sum += load_unaligned(out);
      return store_unaligned(out, sum);
    }
    for (int64_t l = 0; l < left; ++l) out[l] = add ? out[l] + sum[l] : sum[l];
  }
};

template <typename E, typename T>
MBPO_INLINE const E* panel_of(const WeightGradient<E, T>& job, int64_t tile, int64_t column) {
  const int64_t before = tile * padded(job.outputs) + column / kPanel * kPanel;
  return job.dz_rows + before * kTileDepth<E> + column % kPanel;
}

template <int MV, typename E, typename T>
MBPO_INLINE void gradient_panel(const WeightGradient<E, T>& job, int64_t tile, int64_t column) {
  const int64_t tiles = std::min(kTilesPerSum, job.tiles - tile);
  const Operands<E> in{job.activations + tile * job.activations_tile,
                       1,
                       panel_of(job, tile, column),
                       kPanel,
                       kTileDepth<E>,
                       tiles,
                       job.activations_tile,
                       padded(job.outputs) * kTileDepth<E>};
  product_rows<MV>(in, Constant<kTileDepth<E>>{}, job.first, job.last,
                   GradientSink<E, T>{job, column, tile > 0});
}

// The column sums of one panel, while the products have it in cache.
template <typename E, typename T>
MBPO_INLINE void bias_panel(const WeightGradient<E, T>& job, int64_t tile, int64_t column) {
  Vec<T> sum = {};
  for (int64_t t = tile; t < std::min(tile + kTilesPerSum, job.tiles); ++t) {
    const E* row = panel_of(job, t, column);
    for (int64_t r = 0; r < kTileDepth<E>; ++r) {
      Multiply<E>::add(sum, broadcast(Multiply<E>::kOne), load(row + r * kPanel));
    }
  }
  for (int64_t l = 0; l < std::min(kLanes<T>, job.outputs - column); ++l) {
    job.dbias[column + l] = tile > 0 ? job.dbias[column + l] + sum[l] : sum[l];
  }
}

template <typename E, typename T>
void weight_gradient(const WeightGradient<E, T>& job) {
  if (job.tiles == 0) {
    std::fill_n(job.dweight, (job.last - job.first) * job.outputs, T(0));
    if (job.dbias) std::fill_n(job.dbias, job.outputs, T(0));
  }
  for (int64_t tile = 0; tile < job.tiles; tile += kTilesPerSum) {
    int64_t column = 0;
    for (; column + kLanes<T> < job.outputs; column += 2 * kLanes<T>) {
      gradient_panel<2>(job, tile, column);
      for (int64_t c = 0; job.dbias && c < 2 * kLanes<T>; c += kLanes<T>)
        bias_panel(job, tile, column + c);
    }
    if (column < job.outputs) {
      gradient_panel<1>(job, tile, column);
      if (job.dbias) bias_panel(job, tile, column);
    }
  }
}

}  // namespace mbpo::MBPO_ISA
