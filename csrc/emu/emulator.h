// Runs CUDA kernels on the CPU, as they are, to find out whether they are right.
//
// Each thread is a fiber. It runs until it has to wait for others: at a barrier of its block, or at
// a product of its warp. Between two waits nothing forces an order on threads, so blocks are run in
// several: a missing barrier shows as a wrong number in one of them. Shared memory is NaN at first.
// Asynchronous copies happen as late as they may, when their thread waits for them, or as early: a
// missing wait, or a buffer filled again too soon, shows too. That this finds faults is tested in
// turn: every wait of a kernel can be left out. Misuse (a barrier or a product that not all threads
// reach, a misaligned copy, copies never waited for) throws std::runtime_error.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cuda_names.h"

namespace mbpo::emu {

// In which order threads take turns.
enum class Order { ascending, descending, shuffled };

struct Launch {
  unsigned blocks, threads;
  size_t shared_bytes;
  Order order = Order::ascending;
  bool early_copies = false;
};

// Run one kernel: kernel() is called once by every thread of every block.
void run(const Launch& launch, const std::function<void()>& kernel);

// "file:line" of every wait that the kernels since the last call of this came to.
std::vector<std::string> take_waits();
// Leave out the waits there from now on; "" for none.
void leave_out_wait(const std::string& site);

// What stands behind the functions of csrc/cuda/gpu.cuh.
void warp_product(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void warp_product(float (&c)[4], const uint32_t (&a)[2], const uint32_t (&b)[1]);
void copy_async(void* to, const void* from, size_t bytes, bool valid);
[[noreturn]] void trap();
void commit_copies();
void wait_copies(size_t but_newest, Site site);

}  // namespace mbpo::emu
