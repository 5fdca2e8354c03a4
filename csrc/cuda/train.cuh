// One gradient step of a Gaussian ensemble in three launches: train_rows, weight_gradient with
// Adam, finish_training.
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
  AdamClock clock;
  AdamState minimum, maximum;  // of the head
  float* bound_steps[2];       // their counts of steps, kept equal to the network's
  float penalty;
  float* losses;  // [E]

  __device__ __host__ Routing routing() const { return {network.members, batch, nullptr, nullptr}; }
  __device__ __host__ int tiles(int tile_rows) const { return (batch + tile_rows - 1) / tile_rows; }
};

template <typename S, Precision P>
__global__ void __launch_bounds__(kThreads, 1) train_rows(const __grid_constant__ TrainJob job) {
  if (blockIdx.x == 0 && threadIdx.x == 0) job.clock.advance();
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

// One block: the bounds' step and the members' losses, from what the blocks of train_rows summed.
template <typename S>
__global__ void __launch_bounds__(kThreads, 1)
    finish_training(const __grid_constant__ TrainJob job) {
  const int outputs = job.head.outputs, tiles = job.tiles(S::kRows);
  const int blocks = tiles * job.network.members, each = kBlockSums * outputs;
  for (int i = static_cast<int>(threadIdx.x); i < 2 * outputs; i += kThreads) {
    const bool low = i < outputs;
    double sum = low ? -job.penalty : job.penalty;
    for (int b = 0; b < blocks; ++b) sum += job.block_sums[b * each + outputs + i];
    adam(low ? job.minimum : job.maximum, job.clock, low ? i : i - outputs, static_cast<float>(sum),
         0.0f);
  }
  if (threadIdx.x < 2) *job.bound_steps[threadIdx.x] = *job.clock.step;
  for (int e = static_cast<int>(threadIdx.x); e < job.network.members; e += kThreads) {
    double sum = 0.0;
    for (int b = e * tiles; b < (e + 1) * tiles; ++b) {
      for (int j = 0; j < outputs; ++j) sum += job.block_sums[b * each + j];
    }
    job.losses[e] = static_cast<float>(sum);
  }
}

}  // namespace mbpo::cuda
