// What one instruction set computes: whole layers on tiles of rows. Free of torch.
//
// A tile holds kTileRows rows, feature by feature: [width][kTileRows], aligned to 64 bytes. Rows
// run along the vectors, so a layer's width needs no padding and weights are read where they lie.
// Rows past the last are zero on the way in and never come out.
#pragma once

#include <cstdint>

#include "mbpo/activation.h"

namespace mbpo {

constexpr int64_t kTileRows = 32;

// Rows of a tile in numbers of type E: half as many where two rows share one, as in bf16.h.
template <typename E>
constexpr int64_t kTileDepth = kTileRows;

// A tile transposed: panels of kPanel features, each [kTileRows][kPanel] in one piece, the last one
// padded with zeros. A sum over rows then walks through memory line by line.
constexpr int64_t kPanel = 32;
inline int64_t padded(int64_t width) { return (width + kPanel - 1) / kPanel * kPanel; }
// Where a row's feature lies in a tile so transposed.
inline int64_t panel_index(int64_t row, int64_t feature) {
  return feature / kPanel * kPanel * kTileRows + row * kPanel + feature % kPanel;
}

// Caller's rows: [count, width] with strides, or the rows that index names.
template <typename T>
struct Rows {
  T* data;
  int64_t row_stride, column_stride;
  const int64_t* index;  // [count] or null
  int64_t count;
};

// out = act(W^T in + b), for one member's W [in, out] and one tile.
template <typename T>
struct ForwardLayer {
  int64_t inputs, outputs;
  const T* weight;
  const T* bias;
  const T* in;  // [inputs][kTileRows]
  T* out;       // [outputs][kTileRows]
  T* slope;     // the same or null: act'(z), where the activation keeps it
  Activation activation;
  int64_t count;  // rows that matter
};

// out = act'(z) * (W in) for features [first, last) of the layer's input.
template <typename T>
struct BackwardLayer {
  int64_t inputs, outputs;
  const T* weight;
  const T* in;            // [outputs][kTileRows]: dL/dz of this layer
  const T* kept;          // [inputs][kTileRows]: what the layer below kept; not read for identity
  T* out;                 // [last - first][kTileRows]: dL/dz of the layer below
  Activation activation;  // of the layer below
  int64_t first, last;
  int64_t count;
};

// What a norm adds to a row's variance; mbpo/ops/reference.py holds the same number.
constexpr double kNormEpsilon = 1e-5;

// Of a hidden layer with a norm, on one tile: x = (z - mean z) / sqrt(var z + epsilon), with a
// row's mean and variance over its features, and out = act(gain x + shift).
template <typename T>
struct NormLayer {
  int64_t width;
  const T* gain;   // [J]
  const T* shift;  // [J]
  T* z;            // [J][kTileRows]: becomes x where `scale` is wanted
  T* out;          // the same, or z itself where x is not wanted
  T* scale;        // [kTileRows] or null: 1 / sqrt(var z + epsilon)
  Activation activation;
  int64_t count;  // rows that matter
};

// dL/dz from dL/dout, for all rows of a tile.
template <typename T>
struct NormBackward {
  int64_t width;
  const T* gain;
  const T* shift;
  const T* x;      // [J][kTileRows], as the forward pass left it
  const T* scale;  // [kTileRows]
  T* dz;           // [J][kTileRows]: dL/dout, becomes dL/dz
  T* sums;         // [2][padded(J)] or null: dL/dgain and dL/dshift of these rows
  Activation activation;
};

// dW[first..last) and, where first is 0, db: sums over all tiles of one member, in their order, of
// products of E, one or two rows in each.
template <typename E, typename T = E>
struct WeightGradient {
  int64_t inputs, outputs, tiles;
  const E* activations;  // tile t at activations + t * activations_tile, [inputs][kTileDepth<E>]
  int64_t activations_tile;
  const E* dz_rows;  // [tiles][padded(outputs) / kPanel][kTileDepth<E>][kPanel]
  T* dweight;        // [last - first][outputs]
  T* dbias;          // [outputs] or null
  int64_t first, last;
};

// One step of Adam on n numbers, torch.optim.Adam's arithmetic with coupled decay.
template <typename T>
struct AdamRange {
  int64_t n;
  T* parameter;
  const T* gradient;
  T* moment;         // running mean of the gradient
  T* second_moment;  // running mean of its square
  T* before;         // takes the three as they were, each `apart` from the last, or null
  int64_t apart;
  T decay, step_size, root_correction;  // lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t)
  T beta1, beta2, epsilon;
};

// The largest sizes among the numbers that a step wrote: NaN or infinity where one is not finite. A
// gradient or first moment that is not finite shows in one of these two.
template <typename T>
struct AdamSizes {
  T parameter, second_moment;
};

// target += tau (parameter - target) on n numbers.
template <typename T>
struct TargetRange {
  int64_t n;
  const T* parameter;
  T* target;
  T* before;  // [n], takes the target as it was, or null
  T tau;
};

// The gaussian head on one tile: z [2 O] becomes mean and logvar [O] each, in place.
template <typename T>
struct GaussianHead {
  int64_t outputs;   // O
  const T* minimum;  // [O]
  const T* maximum;  // [O]
};

// A tanh-squashed Gaussian policy on one tile.
template <typename T>
struct PolicySample {
  int64_t actions;  // A
  const T* raw;     // [2 A][kTileRows]: mean, then log_std before its clamp
  const T* noise;   // [A][kTileRows]
  const T* center;  // [A]
  const T* scale;   // [A]
  T log_std_min, log_std_max;
  T* action;    // [A][kTileRows]
  T* log_prob;  // [kTileRows]
};

template <typename T>
struct Kernels {
  const char* name;
  void (*gather)(const Rows<const T>&, int64_t width, T* tile);
  void (*scatter)(const T* tile, int64_t width, const Rows<T>&);
  // tile [width][kTileRows] to its panels, padded(width) * kTileRows numbers.
  void (*transpose)(const T* tile, int64_t width, T* rows);
  void (*forward)(const ForwardLayer<T>&);
  void (*backward)(const BackwardLayer<T>&);
  void (*weight_gradient)(const WeightGradient<T>&);
  void (*normalise)(const NormLayer<T>&);
  void (*normalise_backward)(const NormBackward<T>&);
  AdamSizes<T> (*adam)(const AdamRange<T>&);
  // These return the largest size of a number written, and of n numbers, in the same way.
  T (*follow)(const TargetRange<T>&);
  T (*largest)(const T*, int64_t n);
  void (*head)(const GaussianHead<T>&, T* z);
  // dz [2 O] from z, dmean and dlogvar (each [O] tiles in grad [2 O]); adds to dbounds [2 O].
  void (*head_backward)(const GaussianHead<T>&, const T* z, const T* grad, T* dz, double* dbounds);
  // Mean squared error weighted by exp(-logvar), plus logvar: adds to loss, writes its gradient.
  double (*nll)(int64_t outputs, int64_t count, T scale, const T* head, const T* target, T* grad);
  void (*sample)(const PolicySample<T>&);
  // draw [2 A] from daction [A] and dlog_prob, the same for every row.
  void (*sample_backward)(const PolicySample<T>&, const T* daction, T dlog_prob, T* draw);
};

// The instruction sets that this binary holds and this processor runs, best first; the last is
// the generic one, which every processor runs.
template <typename T>
const Kernels<T>* const* available_kernels(int* count);
// The best of them, or the one that the environment variable MBPO_ISA names.
template <typename T>
const Kernels<T>& kernels();

}  // namespace mbpo
