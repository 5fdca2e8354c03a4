// The backward kernel over rows: from gradients of the outputs to dL/dz of every layer, and dL/dx.
#pragma once

#include "forward.cuh"

namespace mbpo::cuda {

// What each block adds up over its rows, by output: [3][O] numbers in global memory.
enum BlockSum { kLoss, kToMinimum, kToMaximum, kBlockSums };

struct HeadGradient {
  float mean, logvar, loss;
};

// Put dL/dz of the last layer in the tile, for a head whose z are given by `z(row, column)` and
// whose gradients by `gradient(row, j, mean, logvar)`, and the block's sums at sums [3][O]. `z` may
// read the tile. Leaves threads reading the stages.
template <typename S, typename Z, typename F>
__device__ __forceinline__ void head_gradient(const Head& head, const Tile& tile,
                                              const Scratch& scratch, float* sums, const Z& z,
                                              const F& gradient) {
  static_assert(kBlockSums * S::kRows * kWidest / 2 <= kStages * S::kStage, "terms fit the stages");
  const int outputs = head.outputs;
  float* terms = scratch.stages;  // [3][rows][O]
  each_place<S>(outputs, [&](int row, int j) {
    const bool there = row < tile.count;
    HeadGradient g = {0.0f, 0.0f, 0.0f};
    ClampGradient clamp = {0.0f, 0.0f, 0.0f};
    if (there) {
      const float low = head.minimum[j], high = head.maximum[j], raw = z(row, outputs + j);
      g = gradient(row, j, z(row, j), clamp_logvar(raw, low, high));
      clamp = clamp_gradient(raw, low, high, g.logvar);
    }
    scratch.at(row, j) = g.mean;
    scratch.at(row, outputs + j) = clamp.raw;
    const int place = row * outputs + j, each = S::kRows * outputs;
    terms[kLoss * each + place] = g.loss;
    terms[kToMinimum * each + place] = clamp.low;
    terms[kToMaximum * each + place] = clamp.high;
  });
  clear_padding<S>(scratch, 2 * outputs);
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < kBlockSums * outputs; i += kThreads) {
    const float* term = terms + i / outputs * S::kRows * outputs + i % outputs;
    float sum = 0.0f;
    for (int row = 0; row < S::kRows; ++row) sum += term[row * outputs];
    sums[i] = sum;
  }
}

struct BackwardJob {
  Network network;
  Routing routing;
  Head head;
  Matrix<const float> gradients[2];  // of y; or of mean and logvar
  Record record;                     // as forward_rows left it
  float* block_sums;                 // [blocks][3][O] where there is a head
  Matrix<float> dx;
  bool keep_dz, to_input;  // what is wanted: of the weights, of x
};

template <typename S, Precision P>
__global__ void __launch_bounds__(kThreads, 1)
    backward_rows(const __grid_constant__ BackwardJob job) {
  const int outputs = job.head.outputs, width = job.network.outputs();
  const Tile tile = find_tile(job.routing, S::kRows, blockIdx.x);
  float* sums = job.block_sums + int64_t(blockIdx.x) * kBlockSums * outputs;
  if (tile.count == 0) {
    for (int i = static_cast<int>(threadIdx.x); i < kBlockSums * outputs; i += kThreads)
      sums[i] = 0;
    return;
  }
  const Scratch scratch = make_scratch<S>(job.network.widest());
  const auto given = [&](int which, int row, int column) {
    return job.gradients[which].at(job.routing, tile, row, column);
  };
  if (job.head.minimum) {
    head_gradient<S>(
        job.head, tile, scratch, sums,
        [&](int row, int column) { return job.record.last[(tile.first + row) * width + column]; },
        [&](int row, int j, float, float) {
          return HeadGradient{given(0, row, j), given(1, row, j), 0.0f};
        });
  } else {
    fill_tile<S>(scratch, tile.count, width,
                 [&](int row, int column) { return given(0, row, column); });
  }
  backward<S, P>(job.network, tile, scratch, job.record, job.keep_dz, job.to_input);
  if (!job.to_input) return;
  each_place<S>(job.network.inputs(), [&](int row, int column) {
    if (row < tile.count) job.dx.at(job.routing, tile, row, column) = scratch.at(row, column);
  });
}

// One block: the gradients of the two bounds, from what the blocks of backward_rows summed.
struct BoundsJob {
  int blocks, outputs;
  const float* block_sums;
  float *minimum, *maximum;  // [O]
};

[[maybe_unused]] static __global__ void __launch_bounds__(kThreads, 1)
    add_bounds(const __grid_constant__ BoundsJob job) {
  for (int i = static_cast<int>(threadIdx.x); i < 2 * job.outputs; i += kThreads) {
    double sum = 0.0;
    for (int b = 0; b < job.blocks; ++b) {
      sum += job.block_sums[(int64_t(b) * kBlockSums + kToMinimum) * job.outputs + i];
    }
    (i < job.outputs ? job.minimum : job.maximum - job.outputs)[i] = static_cast<float>(sum);
  }
}

}  // namespace mbpo::cuda
