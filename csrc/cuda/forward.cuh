// The forward kernel: one launch for the whole network, for any mix of members and rows.
#pragma once

#include "rows.cuh"

namespace mbpo::cuda {

// The soft-clamped log-variance head, or none where `minimum` is null.
struct Head {
  int outputs;           // O: the last layer is 2 O wide
  const float* minimum;  // [O]
  const float* maximum;  // [O]
};

struct ForwardJob {
  Network network;
  Routing routing;
  Head head;
  Matrix<const float> x;
  Matrix<float> outputs[2];  // y; or mean and logvar
  bool keep;                 // what backward_rows and weight_gradient read
  Record record;
};

template <typename S, Precision P>
__global__ void __launch_bounds__(kThreads, 1)
    forward_rows(const __grid_constant__ ForwardJob job) {
  const Tile tile = find_tile(job.routing, S::kRows, blockIdx.x);
  if (tile.count == 0) return;
  const int width = job.network.outputs();
  const Scratch scratch = make_scratch<S>(job.network.widest());
  fill_tile<S>(scratch, tile.count, job.network.inputs(),
               [&](int row, int column) { return job.x.at(job.routing, tile, row, column); });
  forward<S, P>(job.network, tile, scratch, job.keep ? &job.record : nullptr);
  each_place<S>(width, [&](int row, int column) {
    if (row >= tile.count) return;
    const float z = scratch.at(row, column);
    if (job.keep && job.head.minimum) job.record.last[(tile.first + row) * width + column] = z;
    if (!job.head.minimum || column < job.head.outputs) {
      job.outputs[0].at(job.routing, tile, row, column) = z;
    } else {
      const int j = column - job.head.outputs;
      job.outputs[1].at(job.routing, tile, row, j) =
          clamp_logvar(z, job.head.minimum[j], job.head.maximum[j]);
    }
  });
}

}  // namespace mbpo::cuda
