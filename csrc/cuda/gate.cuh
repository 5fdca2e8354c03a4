// Which parts of an update may move: only those that are finite, as are all before them.
#pragma once

#include "gpu.cuh"

namespace mbpo::cuda {

__device__ __forceinline__ bool finite(float x) { return fabsf(x) < INFINITY; }

// A kernel that looks at a part may close it; only kernels after that one may ask. Threads that
// close it at once write the same number.
struct Gate {
  float* closed;  // [parts]: 0, or 1

  __device__ __forceinline__ void reset(int parts) const {
    for (int part = 0; part < parts; ++part) closed[part] = 0.0f;
  }
  __device__ __forceinline__ void close(int part) const { closed[part] = 1.0f; }
  __device__ __forceinline__ bool open(int part) const {
    for (int before = 0; before <= part; ++before) {
      if (closed[before] != 0.0f) return false;
    }
    return true;
  }
  // What a part is to report: NaN where it did not move.
  __device__ __forceinline__ float unless_left_out(int part, double value) const {
    return open(part) ? static_cast<float>(value) : NAN;
  }
};

}  // namespace mbpo::cuda
