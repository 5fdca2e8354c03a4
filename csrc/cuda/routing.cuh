// A counting sort of rows by member on the device, stable, so that equal calls add in equal order:
// count_members, find_offsets, place_rows.
#pragma once

#include "rows.cuh"

namespace mbpo::cuda {

struct SortJob {
  const int64_t* member;  // [N] in [0, E)
  int rows, members;      // N, E
  int* starts;            // [E][blocks]: of each block's rows of a member
  int* offsets;           // [E + 1]
  int* order;             // [N]

  __device__ __host__ int blocks() const { return rows > 0 ? (rows + kThreads - 1) / kThreads : 1; }
};

// This block's rows' members in shared memory, E for none.
__device__ __forceinline__ int* load_members(const SortJob& job) {
  int* members = static_cast<int*>(gpu::shared_memory());
  const int row = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  const int64_t member = row < job.rows ? job.member[row] : job.members;
  if (row < job.rows && (member < 0 || member >= job.members)) gpu::trap();
  members[threadIdx.x] = static_cast<int>(member);
  __syncthreads();
  return members;
}

static __global__ void __launch_bounds__(kThreads, 1)
    count_members(const __grid_constant__ SortJob job) {
  const int* members = load_members(job);
  for (int e = static_cast<int>(threadIdx.x); e < job.members; e += kThreads) {
    int count = 0;
    for (int i = 0; i < kThreads; ++i) count += members[i] == e;
    job.starts[e * job.blocks() + blockIdx.x] = count;
  }
}

// One block: from counts to where each starts, by member and then by block.
static __global__ void __launch_bounds__(kThreads, 1)
    find_offsets(const __grid_constant__ SortJob job) {
  int* totals = static_cast<int*>(gpu::shared_memory());
  const int count = job.members * job.blocks(), each = (count + kThreads - 1) / kThreads;
  const int first = static_cast<int>(threadIdx.x) * each;
  const int last = first + each < count ? first + each : count;
  int sum = 0;
  for (int i = first; i < last; ++i) sum += job.starts[i];
  totals[threadIdx.x] = sum;
  __syncthreads();
  int start = 0;
  for (int i = 0; i < static_cast<int>(threadIdx.x); ++i) start += totals[i];
  for (int i = first; i < last; ++i) {
    const int rows = job.starts[i];
    job.starts[i] = start;
    if (i % job.blocks() == 0) job.offsets[i / job.blocks()] = start;
    start += rows;
  }
  if (threadIdx.x == 0) job.offsets[job.members] = job.rows;
}

static __global__ void __launch_bounds__(kThreads, 1)
    place_rows(const __grid_constant__ SortJob job) {
  const int* members = load_members(job);
  const int row = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (row >= job.rows) return;
  const int member = static_cast<int>(job.member[row]);
  int before = 0;
  for (int i = 0; i < static_cast<int>(threadIdx.x); ++i) before += members[i] == member;
  job.order[job.starts[member * job.blocks() + blockIdx.x] + before] = row;
}

constexpr size_t kSortBytes = sizeof(int) * kThreads;

}  // namespace mbpo::cuda
