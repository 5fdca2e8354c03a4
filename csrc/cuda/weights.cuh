// The gradient of the weights, from what the passes over rows left, in squares of 64 x 64 weights.
//
//   dW [I, J] = inputsᵀ dz,  db [J] = Σ dz,  over all rows of the member
//
// Each finished number goes to `update` at once, which keeps it and may look at what comes of it.
#pragma once

#include "rows.cuh"

namespace mbpo::cuda {

constexpr int kSide = 64;
constexpr int kSideRow = kSide + 8;  // 8 mod 32, for loads without bank conflicts
constexpr int kRowsAtOnce = 16;
constexpr int kSquareStage = 2 * kRowsAtOnce * kSideRow;  // inputs, then dz

// Keeps the gradient.
struct StoreGradient {
  float* weights[kMostLayers];  // [E, I, J]
  float* biases[kMostLayers];   // [E, J]

  __device__ __forceinline__ void begin() const {}
  __device__ __forceinline__ void weight(const Network& network, int layer, int member, int i,
                                         int j, float gradient) const {
    const int64_t width = network.widths[layer + 1];
    weights[layer][(int64_t(member) * network.widths[layer] + i) * width + j] = gradient;
  }
  __device__ __forceinline__ void bias(const Network& network, int layer, int member, int j,
                                       float gradient) const {
    biases[layer][member * network.widths[layer + 1] + j] = gradient;
  }
  // Networks with a norm come only in whole updates.
  __device__ __forceinline__ void norm(const Network&, int, int, int, float, float) const {}
};

template <typename Update>
struct WeightJob {
  Network network;
  Routing routing;
  Record record;
  Update update;
};

struct Square {
  int member, layer, i, j;  // first row and column of W
};

__device__ __host__ inline int squares_of(const Network& network, int layer) {
  const int down = (network.widths[layer] + kSide - 1) / kSide;
  return down * ((network.widths[layer + 1] + kSide - 1) / kSide);
}

// Blocks that weight_gradient wants.
inline int count_squares(const Network& network) {
  int count = 0;
  for (int l = 0; l < network.layers; ++l) count += squares_of(network, l);
  return count * network.members;
}

__device__ __forceinline__ Square find_square(const Network& network, int number) {
  const int member = number % network.members;
  number /= network.members;
  int layer = 0;
  while (number >= squares_of(network, layer)) number -= squares_of(network, layer++);
  const int across = (network.widths[layer + 1] + kSide - 1) / kSide;
  return {member, layer, number / across * kSide, number % across * kSide};
}

template <Precision P, typename Update>
__global__ void __launch_bounds__(kThreads, 1)
    weight_gradient(const __grid_constant__ WeightJob<Update> job) {
  constexpr int kWarpsM = 4, kNBlocks = 4;
  if (blockIdx.x == 0) job.update.begin();
  const Square square = find_square(job.network, blockIdx.x);
  const int inputs = job.network.widths[square.layer], width = job.network.widths[square.layer + 1];
  const int64_t begin = job.routing.begin(square.member);
  const int64_t rows = job.routing.begin(square.member + 1) - begin;
  const float* left = job.record.input[square.layer] + begin * inputs + square.i;
  const float* right = job.record.dz[square.layer] + begin * width + square.j;
  const bool fours = in_fours(left, inputs, inputs) && in_fours(right, width, width);
  float* stages = static_cast<float*>(gpu::shared_memory());
  const Lane lane;
  const int first_i = lane.warp % kWarpsM * 16, first_j = lane.warp / kWarpsM * 8 * kNBlocks;

  const auto fetch = [&](int64_t step) {
    float* to = stages + step % kStages * kSquareStage;
    const int64_t row = step * kRowsAtOnce, more = rows - row;
    const int here = static_cast<int>(more < kRowsAtOnce ? more : kRowsAtOnce);
    const Block a{left + row * inputs, inputs, here, inputs - square.i};
    const Block b{right + row * width, width, here, width - square.j};
    if (fours) {
      copy_rows<16, 16>(a, kRowsAtOnce, kSide, to, kSideRow);
      copy_rows<16, 16>(b, kRowsAtOnce, kSide, to + kRowsAtOnce * kSideRow, kSideRow);
    } else {
      copy_rows<32, 4>(a, kRowsAtOnce, kSide, to, kSideRow);
      copy_rows<32, 4>(b, kRowsAtOnce, kSide, to + kRowsAtOnce * kSideRow, kSideRow);
    }
  };

  float sums[kNBlocks][4] = {}, bias = 0.0f;
  const int64_t steps = (rows + kRowsAtOnce - 1) / kRowsAtOnce;
  for (int64_t step = 0; step < kStages - 1; ++step) {
    if (step < steps) fetch(step);
    gpu::commit_copies();
  }
  for (int64_t step = 0; step < steps; ++step) {
    gpu::wait_copies<kStages - 2>();
    __syncthreads();  // the stage is whole, and the one before it is free
    if (step + kStages - 1 < steps) fetch(step + kStages - 1);
    gpu::commit_copies();
    const float* a_stage = stages + step % kStages * kSquareStage;
    const float* b_stage = a_stage + kRowsAtOnce * kSideRow;
    MBPO_UNROLL
    for (int k = 0; k < kRowsAtOnce; k += 8) {
      Fragment<P, 4> a;
      MBPO_UNROLL
      for (int i = 0; i < 4; ++i) {
        const int row = k + lane.in_group + i / 2 * 4;
        a.set(i, a_stage[row * kSideRow + first_i + lane.group + i % 2 * 8]);
      }
      MBPO_UNROLL
      for (int n = 0; n < kNBlocks; ++n) {
        Fragment<P, 2> b;
        MBPO_UNROLL
        for (int i = 0; i < 2; ++i) {
          const int row = k + lane.in_group + i * 4;
          b.set(i, b_stage[row * kSideRow + first_j + n * 8 + lane.group]);
        }
        add_product<P>(sums[n], a, b);
      }
    }
    if (square.i == 0 && threadIdx.x < kSide) {
      for (int row = 0; row < kRowsAtOnce; ++row) bias += b_stage[row * kSideRow + threadIdx.x];
    }
  }

  MBPO_UNROLL
  for (int n = 0; n < kNBlocks; ++n) {
    MBPO_UNROLL
    for (int q = 0; q < 4; ++q) {
      const int i = square.i + first_i + lane.group + q / 2 * 8;
      const int j = square.j + first_j + n * 8 + 2 * lane.in_group + q % 2;
      if (i >= inputs || j >= width) continue;
      job.update.weight(job.network, square.layer, square.member, i, j, sums[n][q]);
    }
  }
  const int j = square.j + static_cast<int>(threadIdx.x);
  if (square.i == 0 && threadIdx.x < kSide && j < width) {
    job.update.bias(job.network, square.layer, square.member, j, bias);
    if (!job.network.normalises(square.layer)) return;
    const Tile first{square.member, begin, 0};
    const float* sums = job.record.sums[square.layer + 1] + first.number() * 2 * width + j;
    float gain = 0.0f, shift = 0.0f;
    for (int64_t row = 0; row < rows; row += kNormRows, sums += 2 * width) {
      gain += sums[0];
      shift += sums[width];
    }
    job.update.norm(job.network, square.layer, square.member, j, gain, shift);
  }
}

constexpr size_t kSquareBytes = sizeof(float) * kStages * kSquareStage;

}  // namespace mbpo::cuda
