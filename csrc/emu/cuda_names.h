// CUDA's words on the CPU: what a kernel's source needs to compile with an ordinary compiler.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

namespace mbpo::emu {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

// Of the thread that runs now.
extern Index thread_index, block_index, block_size, grid_size;

// Where in the source a thread waits.
struct Site {
  const char* file;
  int line;
};

void wait_for_block(Site site = {__builtin_FILE(), __builtin_LINE()});
void* shared_memory();

}  // namespace mbpo::emu

#define threadIdx ::mbpo::emu::thread_index
#define blockIdx ::mbpo::emu::block_index
#define blockDim ::mbpo::emu::block_size
#define gridDim ::mbpo::emu::grid_size
#define __syncthreads ::mbpo::emu::wait_for_block
