// An imagined step: the ensemble forward, a sample of its Gaussian, and the next state, in one
// launch.
#pragma once

#include "forward.cuh"

namespace mbpo::cuda {

// [r, ds] = (mean + noise exp(logvar / 2)) output_std + output_mean and s' = s + ds, with mean and
// logvar of (x - input_mean) / input_std, x = (s, a). mbpo/dynamics/fake_env.py defines it.
struct ModelJob {
  Network network;
  Routing routing;
  Head head;
  Matrix<const float> x;                                           // [N, O + A]
  const float *input_mean, *input_std, *output_mean, *output_std;  // [O + A], [1 + O]
  Matrix<const float> noise;                                       // [N, 1 + O]
  Matrix<float> reward, next_obs;                                  // [N, 1], [N, O]
};

template <typename S, Precision P>
__global__ void __launch_bounds__(kThreads, 1) model_rows(const __grid_constant__ ModelJob job) {
  const Tile tile = find_tile(job.routing, S::kRows, blockIdx.x);
  if (tile.count == 0) return;
  const Scratch scratch = make_scratch<S>(job.network.widest());
  const auto x = [&](int row, int column) { return job.x.at(job.routing, tile, row, column); };
  fill_tile<S>(scratch, tile.count, job.network.inputs(), [&](int row, int column) {
    return (x(row, column) - job.input_mean[column]) / job.input_std[column];
  });
  forward<S, P>(job.network, tile, scratch, nullptr);
  const int outputs = job.head.outputs;
  each_place<S>(outputs, [&](int row, int j) {
    if (row >= tile.count) return;
    const float logvar =
        clamp_logvar(scratch.at(row, outputs + j), job.head.minimum[j], job.head.maximum[j]);
    const float noise = job.noise.at(job.routing, tile, row, j);
    const float drawn = scratch.at(row, j) + noise * expf(0.5f * logvar);
    const float change = drawn * job.output_std[j] + job.output_mean[j];
    if (j == 0)
      job.reward.at(job.routing, tile, row, 0) = change;
    else
      job.next_obs.at(job.routing, tile, row, j - 1) = x(row, j - 1) + change;
  });
}

}  // namespace mbpo::cuda
