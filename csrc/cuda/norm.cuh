// A hidden layer's norm on a tile in shared memory, forward and backward;
// csrc/include/mbpo/kernels.h has the equations. The threads of a block share each row's sums.
#pragma once

#include "mbpo/kernels.h"
#include "product.cuh"
#include "scalar.cuh"

namespace mbpo::cuda {

// One member's.
struct Norm {
  const float* gain;   // [J]
  const float* shift;  // [J]
  int width;
  Activation activation;
};

// What it leaves for the backward pass, from the tile's first row on; and what that one adds, the
// sums over the tile's rows of dL/dgain and dL/dshift.
struct NormRecord {
  float* x;      // [rows][J]
  float* scale;  // [rows]
  float* sums;   // [2][J] or null
};

// Rows of the tiles whose sums weight_gradient adds up.
constexpr int kNormRows = Small::kRows;

// This thread's row of a tile, and its share of the columns.
template <typename S>
struct RowShare {
  static constexpr int kSharers = kThreads / S::kRows;
  int row = static_cast<int>(threadIdx.x) / kSharers;
  int sharer = static_cast<int>(threadIdx.x) % kSharers;

  template <typename F>
  __device__ __forceinline__ void each(int width, const F& f) const {
    for (int column = sharer; column < width; column += kSharers) f(column);
  }
  // The mean over the row of f(column), told to all its threads. Each call has `partial` [kThreads]
  // of its own, and a barrier.
  template <typename F>
  __device__ __forceinline__ float mean(int width, float* partial, const F& f) const {
    float sum = 0.0f;
    each(width, [&](int column) { sum += f(column); });
    partial[threadIdx.x] = sum;
    __syncthreads();
    sum = 0.0f;
    for (int i = 0; i < kSharers; ++i) sum += partial[row * kSharers + i];
    return sum / static_cast<float>(width);
  }
};

// From z in the tile, whole, to h in it and, with a record, in `kept` [rows][J] for the `count`
// rows there are. `partial` is read until the caller's next barrier.
template <typename S>
__device__ MBPO_NOINLINE void normalise(const Norm norm, float* tile, int row_length,
                                        float* partial, int count, const NormRecord record,
                                        float* kept) {
  const RowShare<S> share;
  float* z = tile + share.row * row_length;
  const float mean = share.mean(norm.width, partial, [&](int column) { return z[column]; });
  const float variance = share.mean(norm.width, partial + kThreads, [&](int column) {
    const float off = z[column] - mean;
    return off * off;
  });
  const float scale = 1.0f / sqrtf(variance + static_cast<float>(kNormEpsilon));
  const bool keep = kept && share.row < count;
  if (keep && share.sharer == 0) record.scale[share.row] = scale;
  share.each(norm.width, [&](int column) {
    const float x = (z[column] - mean) * scale;
    float unused;
    const float h = activate(norm.activation, x * norm.gain[column] + norm.shift[column], unused);
    z[column] = h;
    if (!keep) return;
    record.x[share.row * norm.width + column] = x;
    kept[share.row * norm.width + column] = h;
  });
}

// From dL/dh in the tile, whole, zero in rows past the last, to dL/dz in it. `partial` is read
// until the caller's next barrier.
template <typename S>
__device__ MBPO_NOINLINE void normalise_backward(const Norm norm, float* tile, int row_length,
                                                 float* partial, int count,
                                                 const NormRecord record) {
  static_assert(kWidest <= kThreads, "a thread for each column");
  const int own = static_cast<int>(threadIdx.x), width = norm.width;
  if (own < width) {
    const float gain = norm.gain[own], shift = norm.shift[own];
    float to_gain = 0.0f, to_shift = 0.0f;
    for (int row = 0; row < count; ++row) {
      const float x = record.x[row * width + own];
      const float dy = tile[row * row_length + own] * slope_at(norm.activation, x * gain + shift);
      tile[row * row_length + own] = dy * gain;
      to_gain += dy * x;
      to_shift += dy;
    }
    if (record.sums) {
      record.sums[own] = to_gain;
      record.sums[width + own] = to_shift;
    }
  }
  __syncthreads();
  const RowShare<S> share;
  const bool there = share.row < count;
  float* dx = tile + share.row * row_length;
  const float* x = record.x + share.row * width;
  const float mean = share.mean(width, partial, [&](int column) { return dx[column]; });
  const float along = share.mean(width, partial + kThreads,
                                 [&](int column) { return there ? dx[column] * x[column] : 0.0f; });
  if (!there) return;
  const float scale = record.scale[share.row];
  share.each(width,
             [&](int column) { dx[column] = scale * (dx[column] - mean - x[column] * along); });
}

}  // namespace mbpo::cuda
