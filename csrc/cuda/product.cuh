// The one matrix product of every forward and input-gradient pass: a tile of activations in shared
// memory times a member's weights, which stream past in stages.
//
//   sums [rows, N] += tile [rows, K] * B [K, N],   B = W [K, N], or Wᵀ for W [N, K]
//
// Weights are read where they lie: nothing is packed, so nothing has to be kept in step with Adam.
#pragma once

#include "gpu.cuh"

namespace mbpo::cuda {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kWidest = 256;
constexpr int kStages = 3;

// fp32 splits each factor into two tf32 numbers and adds three products.
enum class Precision { fp32, tf32, bf16 };

// How a block's warps share a tile of kRows rows and up to kWidest columns. Each takes kMBlocks
// blocks of 16 rows and every kWarpsN-th block of 8 columns.
template <int kRows_, int kWarpsM_, int kDepth_>
struct Shape {
  static constexpr int kRows = kRows_;
  static constexpr int kWarpsM = kWarpsM_, kWarpsN = kWarps / kWarpsM_;
  static constexpr int kMBlocks = kRows / 16 / kWarpsM, kNBlocks = kWidest / 8 / kWarpsN;
  static constexpr int kDepth = kDepth_;  // of one stage
  // Row lengths in shared memory, such that the 32 lanes of a load meet 32 banks.
  static constexpr int kStageRow = kWidest + 8;      // depth by columns: 8 mod 32
  static constexpr int kTurnedRow = kDepth + 4;      // columns by depth: 4 mod 8
  static constexpr int kStage = kDepth * kStageRow;  // floats
  static constexpr int kTurnedStage = kWidest * kTurnedRow;
};

// Few rows: many blocks, each with little to do. Many rows: weights are read a quarter as often.
using Small = Shape<32, 2, 16>;
using Large = Shape<128, 4, 8>;

template <typename S>
using Sums = float[S::kMBlocks][S::kNBlocks][4];

__device__ __host__ constexpr int round_up(int n, int step) { return (n + step - 1) / step * step; }

// Row length of a tile of activations: 4 mod 8, for the same reason.
__device__ __host__ constexpr int tile_row(int widest) { return round_up(widest, 8) + 4; }

// This thread's place in the fragments of mma.m16n8k8.
struct Lane {
  int warp = static_cast<int>(threadIdx.x) / 32;
  int group = static_cast<int>(threadIdx.x) % 32 / 4;
  int in_group = static_cast<int>(threadIdx.x) % 4;
};

// Copy [rows, columns] of a row-major matrix to shared memory, each row padded with zeros to
// `padded` columns, and zero rows up to `padded_rows`. kLanes threads share a row.
struct Block {
  const float* from;
  int stride, rows, columns;
};
template <int kLanes, int kBytes>
__device__ __forceinline__ void copy_rows(const Block& block, int padded_rows, int padded,
                                          float* to, int to_row) {
  constexpr int kFloats = kBytes / 4;
  const int first = static_cast<int>(threadIdx.x) / kLanes;
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  for (int r = first; r < padded_rows; r += kThreads / kLanes) {
    for (int c = lane * kFloats; c < padded; c += kLanes * kFloats) {
      const bool there = r < block.rows && c < block.columns;
      const float* from = there ? block.from + int64_t(r) * block.stride + c : block.from;
      gpu::copy_async<kBytes>(to + r * to_row + c, from, there);
    }
  }
}

__device__ __forceinline__ bool in_fours(const float* p, int stride, int columns) {
  return stride % 4 == 0 && columns % 4 == 0 && reinterpret_cast<uintptr_t>(p) % 16 == 0;
}

// A member's weights as the product's second factor.
template <typename S, bool kTurned>
struct Factor {
  const float* weight;  // [depth, columns], or [columns, depth] where turned
  int depth, columns;
  bool fours = in_fours(weight, kTurned ? depth : columns, kTurned ? depth : columns);

  __device__ __forceinline__ int steps() const { return (depth + S::kDepth - 1) / S::kDepth; }

  // Start to copy the step's stage.
  __device__ __forceinline__ void fetch(int step, float* stages) const {
    const int k = step * S::kDepth, here = depth - k < S::kDepth ? depth - k : S::kDepth;
    const int padded = round_up(columns, 8);
    if constexpr (kTurned) {
      float* to = stages + step % kStages * S::kTurnedStage;
      const Block block{weight + k, depth, columns, here};
      if (fours)
        copy_rows<S::kDepth / 4, 16>(block, padded, S::kDepth, to, S::kTurnedRow);
      else
        copy_rows<S::kDepth, 4>(block, padded, S::kDepth, to, S::kTurnedRow);
    } else {
      float* to = stages + step % kStages * S::kStage;
      const Block block{weight + int64_t(k) * columns, columns, here, columns};
      if (fours)
        copy_rows<32, 16>(block, S::kDepth, padded, to, S::kStageRow);
      else
        copy_rows<32, 4>(block, S::kDepth, padded, to, S::kStageRow);
    }
  }

  // B[k, n] of the step's stage.
  static __device__ __forceinline__ float at(const float* stages, int step, int k, int n) {
    if constexpr (kTurned) return stages[step % kStages * S::kTurnedStage + n * S::kTurnedRow + k];
    return stages[step % kStages * S::kStage + k * S::kStageRow + n];
  }
};

// A float as one tf32 number, or as the sum of two.
template <Precision P, int kCount>
struct Fragment {
  uint32_t high[kCount], low[P == Precision::fp32 ? kCount : 1];

  __device__ __forceinline__ void set(int i, float x) {
    high[i] = gpu::round_tf32(x);
    if constexpr (P == Precision::fp32) {
      float rounded;
      memcpy(&rounded, &high[i], sizeof rounded);
      low[i] = gpu::round_tf32(x - rounded);
    }
  }
};

// Floats rounded to bf16, two to a register. Which two columns of the tile meet in one is free, as
// long as both factors pair the same: those whose places in a tf32 fragment differ by half of it.
template <int kCount>
struct Fragment<Precision::bf16, kCount> {
  uint32_t high[kCount / 2];

  __device__ __forceinline__ void set(int i, float x) {
    uint32_t& pair = high[i % (kCount / 2)];
    const uint32_t bits = gpu::round_bf16(x);
    pair = i < kCount / 2 ? bits : pair | bits << 16;
  }
};

template <Precision P>
__device__ __forceinline__ void add_product(float (&sums)[4], const Fragment<P, 4>& a,
                                            const Fragment<P, 2>& b) {
  if constexpr (P == Precision::fp32) {
    gpu::warp_product(sums, a.low, b.high);
    gpu::warp_product(sums, a.high, b.low);
  }
  gpu::warp_product(sums, a.high, b.high);
}

// Columns of the tile from K to the next multiple of 8 must be finite. On return every thread is
// past its last read of the tile and of the stages.
template <typename S, Precision P, bool kTurned>
__device__ __forceinline__ void multiply(const float* tile, int row_length,
                                         const Factor<S, kTurned>& factor, float* stages,
                                         Sums<S>& sums) {
  const Lane lane;
  const int first_row = lane.warp % S::kWarpsM * S::kMBlocks * 16 + lane.group;
  const int first_block = lane.warp / S::kWarpsM;
  MBPO_UNROLL
  for (int m = 0; m < S::kMBlocks; ++m) {
    MBPO_UNROLL
    for (int n = 0; n < S::kNBlocks; ++n) {
      MBPO_UNROLL
      for (int i = 0; i < 4; ++i) sums[m][n][i] = 0;
    }
  }
  const int steps = factor.steps(), blocks = round_up(factor.columns, 8) / 8;
  for (int step = 0; step < kStages - 1; ++step) {
    if (step < steps) factor.fetch(step, stages);
    gpu::commit_copies();
  }
  for (int step = 0; step < steps; ++step) {
    gpu::wait_copies<kStages - 2>();
    __syncthreads();  // the stage is whole, and the one before it is free
    if (step + kStages - 1 < steps) factor.fetch(step + kStages - 1, stages);
    gpu::commit_copies();
    for (int k = 0; k < S::kDepth && step * S::kDepth + k < factor.depth; k += 8) {
      Fragment<P, 4> a[S::kMBlocks];
      MBPO_UNROLL
      for (int m = 0; m < S::kMBlocks; ++m) {
        MBPO_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int row = first_row + m * 16 + i % 2 * 8;
          const int column = step * S::kDepth + k + lane.in_group + i / 2 * 4;
          a[m].set(i, tile[row * row_length + column]);
        }
      }
      MBPO_UNROLL
      for (int n = 0; n < S::kNBlocks; ++n) {
        const int block = n * S::kWarpsN + first_block;
        if (block >= blocks) break;
        Fragment<P, 2> b;
        MBPO_UNROLL
        for (int i = 0; i < 2; ++i) {
          b.set(i, factor.at(stages, step, k + lane.in_group + i * 4, block * 8 + lane.group));
        }
        MBPO_UNROLL
        for (int m = 0; m < S::kMBlocks; ++m) add_product<P>(sums[m][n], a[m], b);
      }
    }
  }
  __syncthreads();
}

// Call f(row, column, sum) for this thread's sums.
template <typename S, typename F>
__device__ __forceinline__ void each_sum(const Sums<S>& sums, int columns, const F& f) {
  const Lane lane;
  MBPO_UNROLL
  for (int m = 0; m < S::kMBlocks; ++m) {
    MBPO_UNROLL
    for (int n = 0; n < S::kNBlocks; ++n) {
      const int block = n * S::kWarpsN + lane.warp / S::kWarpsM;
      if (block * 8 >= columns) break;
      MBPO_UNROLL
      for (int i = 0; i < 4; ++i) {
        const int row = (lane.warp % S::kWarpsM * S::kMBlocks + m) * 16 + lane.group + i / 2 * 8;
        f(row, block * 8 + 2 * lane.in_group + i % 2, sums[m][n][i]);
      }
    }
  }
}

}  // namespace mbpo::cuda
