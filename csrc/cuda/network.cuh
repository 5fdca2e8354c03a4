// A whole network on one tile of rows, forward and backward, as every kernel of passes.cuh uses it.
#pragma once

#include "norm.cuh"
#include "product.cuh"
#include "scalar.cuh"

namespace mbpo::cuda {

constexpr int kMostLayers = 8;

// E perceptrons of one shape: weights [E, I, J] and biases [E, J] by layer, dense. Where hidden
// layers have a norm, its gains and shifts [E, J].
struct Network {
  int members, layers;
  int widths[kMostLayers + 1];
  const float* weights[kMostLayers];
  const float* biases[kMostLayers];
  Activation activation;  // of every layer but the last
  const float* gains[kMostLayers] = {};
  const float* shifts[kMostLayers] = {};

  __device__ __host__ int inputs() const { return widths[0]; }
  __device__ __host__ int outputs() const { return widths[layers]; }
  __device__ __host__ int widest() const {
    int most = 0;
    for (int l = 0; l <= layers; ++l) most = widths[l] > most ? widths[l] : most;
    return most;
  }
  __device__ __forceinline__ const float* weight(int layer, int member) const {
    return weights[layer] + int64_t(member) * widths[layer] * widths[layer + 1];
  }
  __device__ __forceinline__ const float* bias(int layer, int member) const {
    return biases[layer] + member * widths[layer + 1];
  }
  __device__ __host__ bool normalises(int layer) const { return gains[layer] != nullptr; }
  __device__ __forceinline__ Norm norm(int layer, int member) const {
    const int width = widths[layer + 1];
    return {gains[layer] + member * width, shifts[layer] + member * width, width, activation};
  }
};

// What the forward pass leaves for the gradients, in global memory, row by row: layer l's input
// [R, widths[l]] and, for silu, the slope of the layer below; the backward pass adds dL/dz of layer
// l's output [R, widths[l + 1]]. R counts the rows of all members, those of a member together.
//
// A norm below input[l] keeps x [R, widths[l]] and scale [R], and its gradients' sums over each
// tile [tiles][2][widths[l]].
struct Record {
  float* input[kMostLayers];
  float* slope[kMostLayers];  // [l] belongs to input[l]; none for l = 0
  float* normal[kMostLayers];
  float* scale[kMostLayers];
  float* sums[kMostLayers];
  float* dz[kMostLayers];
  float* last;  // [R, widths[layers]]: the last layer's sums, where a head stands on them
};

// Rows of one member that share a block; `first` counts among all R.
struct Tile {
  int member;
  int64_t first;
  int count;

  // Its place among the sums of all tiles: a member's last tile may be partly filled.
  __device__ __forceinline__ int64_t number() const { return first / kNormRows + member; }
};

__device__ __forceinline__ NormRecord norm_record(const Record& record, int layer, int width,
                                                  const Tile& tile, bool sums) {
  return {record.normal[layer] + tile.first * width, record.scale[layer] + tile.first,
          sums ? record.sums[layer] + tile.number() * 2 * width : nullptr};
}

// The block's shared memory: a tile of activations, [rows][row_length], and the stages of weights.
struct Scratch {
  float* tile;
  int row_length;
  float* stages;

  __device__ __forceinline__ float& at(int row, int column) const {
    return tile[row * row_length + column];
  }
};

// A kernel that goes backward needs the larger stages.
template <typename S>
__device__ __host__ constexpr size_t shared_bytes(int widest, bool backward) {
  const int stage = backward && S::kTurnedStage > S::kStage ? S::kTurnedStage : S::kStage;
  return sizeof(float) * (S::kRows * tile_row(widest) + kStages * stage);
}

static_assert(shared_bytes<Small>(kWidest, true) <= 99 << 10, "what every GPU from sm_80 on has");
static_assert(shared_bytes<Large>(kWidest, false) <= 163 << 10, "what an A100 has");

template <typename S>
__device__ __forceinline__ Scratch make_scratch(int widest) {
  float* memory = static_cast<float*>(gpu::shared_memory());
  return {memory, tile_row(widest), memory + S::kRows * tile_row(widest)};
}

// Call f(row, column) for every place of the tile, the threads sharing them, rows of columns first.
template <typename S, typename F>
__device__ __forceinline__ void each_place(int columns, const F& f) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int row = static_cast<int>(threadIdx.x) / 32; row < S::kRows; row += kWarps) {
    for (int column = lane; column < columns; column += 32) f(row, column);
  }
}

// Fill the tile from f(row, column), zeros in rows past the last and in columns up to a multiple of
// 8. The caller's next barrier, every product starts with one, makes it whole.
template <typename S, typename F>
__device__ __forceinline__ void fill_tile(const Scratch& scratch, int count, int columns,
                                          const F& f) {
  each_place<S>(round_up(columns, 8), [&](int row, int column) {
    const bool there = row < count && column < columns;
    scratch.at(row, column) = there ? f(row, column) : 0.0f;
  });
}

// Zeros from column `width` up to a multiple of 8.
template <typename S>
__device__ __forceinline__ void clear_padding(const Scratch& scratch, int width) {
  const int pad = round_up(width, 8) - width;
  for (int i = static_cast<int>(threadIdx.x); i < S::kRows * pad; i += kThreads) {
    scratch.at(i / pad, width + i % pad) = 0.0f;
  }
}

// From the input in the tile, put there by each_place, to the last layer's sums in it. With a
// record, everything that the gradients want is kept. Ends with a barrier.
//
// Called, not inlined: a SAC kernel goes through four networks, and one copy of the product keeps
// its registers at two thirds. By value, what would else need an address and so a stack.
template <typename S, Precision P>
__device__ MBPO_NOINLINE void forward(const Network& network, const Tile tile,
                                      const Scratch scratch, const Record* record) {
  if (record) {
    each_place<S>(network.inputs(), [&](int row, int column) {
      if (row >= tile.count) return;
      record->input[0][(tile.first + row) * network.inputs() + column] = scratch.at(row, column);
    });
  }
  for (int l = 0; l < network.layers; ++l) {
    const int width = network.widths[l + 1];
    const bool last = l + 1 == network.layers;
    const bool norm = network.normalises(l);
    const Activation activation = last || norm ? Activation::identity : network.activation;
    const float* bias = network.bias(l, tile.member);
    Sums<S> sums;
    multiply<S, P, false>(scratch.tile, scratch.row_length,
                          {network.weight(l, tile.member), network.widths[l], width},
                          scratch.stages, sums);
    each_sum<S>(sums, width, [&](int row, int column, float sum) {
      float slope = 0.0f;
      const float z = column < width ? sum + bias[column] : 0.0f;
      const float h = activate(activation, z, slope);
      scratch.at(row, column) = h;
      if (!record || last || norm || row >= tile.count || column >= width) return;
      const int64_t at = (tile.first + row) * width + column;
      record->input[l + 1][at] = h;
      if (keeps_slope(activation)) record->slope[l + 1][at] = slope;
    });
    if (!norm) continue;
    __syncthreads();
    // Sums are shared in the last stage, which the next product fills after its first barrier.
    static_assert(2 * kThreads <= S::kStage, "two numbers of each thread fit a stage");
    normalise<S>(network.norm(l, tile.member), scratch.tile, scratch.row_length,
                 scratch.stages + (kStages - 1) * S::kStage, tile.count,
                 record ? norm_record(*record, l + 1, width, tile, false) : NormRecord{},
                 record ? record->input[l + 1] + tile.first * width : nullptr);
  }
  __syncthreads();
}

// From dL/dz of the last layer in the tile, zero in rows past the last, down to dL/dz of the first
// layer, each kept in the record where it is asked for; with `to_input` on to dL/dx, left in the
// tile and ending with a barrier.
template <typename S, Precision P>
__device__ MBPO_NOINLINE void backward(const Network& network, const Tile tile,
                                       const Scratch scratch, const Record& record, bool keep_dz,
                                       bool to_input) {
  for (int l = network.layers - 1; l >= 0; --l) {
    const int width = network.widths[l + 1];
    __syncthreads();
    if (keep_dz) {
      each_place<S>(width, [&](int row, int column) {
        if (row >= tile.count) return;
        record.dz[l][(tile.first + row) * width + column] = scratch.at(row, column);
      });
    }
    if (l == 0 && !to_input) return;
    const int inputs = network.widths[l];
    const bool norm = l > 0 && network.normalises(l - 1);
    const Activation below = l == 0 || norm ? Activation::identity : network.activation;
    const float* kept = keeps_slope(below) ? record.slope[l] : record.input[l];
    Sums<S> sums;
    multiply<S, P, true>(scratch.tile, scratch.row_length,
                         {network.weight(l, tile.member), width, inputs}, scratch.stages, sums);
    each_sum<S>(sums, inputs, [&](int row, int column, float sum) {
      const bool there = row < tile.count && column < inputs;
      const float at = there && l > 0 ? kept[(tile.first + row) * inputs + column] : 0.0f;
      const float dz = there ? sum * derivative(below, at) : 0.0f;
      scratch.at(row, column) = dz;
    });
    if (!norm) continue;
    __syncthreads();
    normalise_backward<S>(network.norm(l - 1, tile.member), scratch.tile, scratch.row_length,
                          scratch.stages, tile.count,
                          norm_record(record, l, inputs, tile, keep_dz));
  }
  __syncthreads();
}

}  // namespace mbpo::cuda
