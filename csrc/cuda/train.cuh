// One gradient step of a Gaussian ensemble in three launches: train_rows, weight_gradient, which
// looks at the step, and finish_training, which takes it where all is finite.
#pragma once

#include "adam.cuh"
#include "backward.cuh"
#include "weights.cuh"

namespace mbpo::cuda {

// The loss of mbpo/train_step.h: the mean over B rows and O outputs, the sum over members, of
//   (mean - y)^2 exp(-logvar) + logvar,  and penalty * sum_j (max_j - min_j).
struct TrainJob {
  Network network;
  int batch;  // B
  Head head;
  const float* inputs;   // [N, I], dense
  const float* targets;  // [N, O], dense
  const int64_t* index;  // [E, B] rows of both
  Record record;
  float* block_sums;  // [blocks][3][O]
  AdamState all;      // by layer: weights [E, I, J], then biases [E, J]
  int64_t size;       // of all
  float* gradient;
  AdamClock clock;
  AdamState minimum, maximum;  // of the head
  float* bound_steps[2];       // their counts of steps, kept equal to the network's
  float penalty;
  Gate gate;      // of one part
  int blocks;     // of train_rows
  float* losses;  // [E]

  __device__ __host__ Routing routing() const { return {network.members, batch, nullptr, nullptr}; }
  __device__ __host__ int tiles(int tile_rows) const { return (batch + tile_rows - 1) / tile_rows; }

  // What the blocks of train_rows summed: a member's loss, and dL/d of bound i of (minimum,
  // maximum).
  __device__ __forceinline__ float loss(int member) const {
    const int outputs = head.outputs, tiles = blocks / network.members;
    double sum = 0.0;
    for (int b = member * tiles; b < (member + 1) * tiles; ++b) {
      for (int j = 0; j < outputs; ++j) sum += block_sums[b * kBlockSums * outputs + j];
    }
    return static_cast<float>(sum);
  }
  __device__ __forceinline__ float bound_gradient(int i) const {
    double sum = i < head.outputs ? -penalty : penalty;
    for (int b = 0; b < blocks; ++b) {
      sum += block_sums[(b * kBlockSums + kToMinimum) * head.outputs + i];
    }
    return static_cast<float>(sum);
  }
  __device__ __forceinline__ const AdamState& bound(int i) const {
    return i < head.outputs ? minimum : maximum;
  }

  // By all threads of one block: at what weight_gradient does not see.
  __device__ __forceinline__ void look(int part) const {
    for (int i = static_cast<int>(threadIdx.x); i < 2 * head.outputs; i += kThreads) {
      if (!stepped(bound(i), clock, i % head.outputs, bound_gradient(i)).finite()) gate.close(part);
    }
    for (int e = static_cast<int>(threadIdx.x); e < network.members; e += kThreads) {
      if (!finite(loss(e))) gate.close(part);
    }
  }
};

template <typename S, Precision P>
__global__ void __launch_bounds__(kThreads, 1) train_rows(const __grid_constant__ TrainJob job) {
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    job.gate.reset(1);
    job.clock.prepare();
  }
  const Tile tile = find_tile(job.routing(), S::kRows, blockIdx.x);
  const Scratch scratch = make_scratch<S>(job.network.widest());
  const int inputs = job.network.inputs(), outputs = job.head.outputs;
  const int64_t* chosen = job.index + tile.first;
  fill_tile<S>(scratch, tile.count, inputs,
               [&](int row, int column) { return job.inputs[chosen[row] * inputs + column]; });
  forward<S, P>(job.network, tile, scratch, &job.record);
  const float scale = 1.0f / (static_cast<float>(job.batch) * static_cast<float>(outputs));
  head_gradient<S>(
      job.head, tile, scratch, job.block_sums + int64_t(blockIdx.x) * kBlockSums * outputs,
      [&](int row, int column) { return scratch.at(row, column); },
      [&](int row, int j, float mean, float logvar) {
        const float error = mean - job.targets[chosen[row] * outputs + j];
        const float precision = expf(-logvar), weighted = error * error * precision;
        return HeadGradient{scale * 2.0f * error * precision, scale * (1.0f - weighted),
                            scale * (weighted + logvar)};
      });
  backward<S, P>(job.network, tile, scratch, job.record, true, false);
}

// A thread for each number of the network: the step, by the first block that of the bounds, and the
// members' losses.
[[maybe_unused]] static __global__ void __launch_bounds__(kThreads, 1)
    finish_training(const __grid_constant__ TrainJob job) {
  const bool open = job.gate.open(0);
  const int64_t at = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (open && at < job.size) adam(job.all, job.clock, at, job.gradient[at]);
  if (blockIdx.x > 0) return;
  const int outputs = job.head.outputs;
  for (int i = static_cast<int>(at); open && i < 2 * outputs; i += kThreads) {
    adam(job.bound(i), job.clock, i % outputs, job.bound_gradient(i));
  }
  for (int e = static_cast<int>(at); e < job.network.members; e += kThreads) {
    job.losses[e] = job.gate.unless_left_out(0, job.loss(e));
  }
  if (at > 0 || !open) return;
  job.clock.count();
  for (float* steps : job.bound_steps) *steps = *job.clock.step;
}

}  // namespace mbpo::cuda
