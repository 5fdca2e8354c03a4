// The machine, behind a few functions: on a GPU they are PTX, on the CPU the emulator's. Everything
// else in csrc/cuda is ordinary CUDA C++ that both compile.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define MBPO_UNROLL _Pragma("unroll")
#define MBPO_NOINLINE __noinline__
#else
#include "../emu/emulator.h"
#define MBPO_UNROLL
#define MBPO_NOINLINE
#endif

namespace mbpo::gpu {

#if defined(__CUDACC__)

// The block's dynamic shared memory.
__device__ __forceinline__ void* shared_memory() {
  extern __shared__ float4 memory[];
  return memory;
}

// The nearest tf32 (10 bits of mantissa), ties away from zero.
__device__ __forceinline__ uint32_t round_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

// The bits of the nearest bf16 (8 bits of mantissa), ties to even.
__device__ __forceinline__ uint32_t round_bf16(float x) {
  uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}

// c [16, 8] += a [16, 8] b [8, 8], spread over the 32 lanes of a warp.
__device__ __forceinline__ void warp_product(float (&c)[4], const uint32_t (&a)[4],
                                             const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// The same of bf16, two to a register.
__device__ __forceinline__ void warp_product(float (&c)[4], const uint32_t (&a)[2],
                                             const uint32_t (&b)[1]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(b[0]));
}

// Start to copy kBytes (4 or 16, and aligned so) from global to shared memory, or zeros where
// `valid` is false; `from` must be an address that may be read all the same.
template <int kBytes>
__device__ __forceinline__ void copy_async(void* to, const void* from, bool valid) {
  const uint32_t shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  const int bytes = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(from),
                 "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared), "l"(from), "r"(bytes)
                 : "memory");
  }
}

// Close the group of this thread's copies since the last one.
__device__ __forceinline__ void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

// Wait for all groups of this thread but the kNewest last ones.
template <int kNewest>
__device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kNewest) : "memory");
}

// End the kernel and every later call, as torch's own index checks do.
__device__ __forceinline__ void trap() { asm volatile("trap;"); }

#else

using emu::commit_copies;
using emu::shared_memory;
using emu::trap;
using emu::warp_product;

inline uint32_t round_tf32(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return std::isnan(x) ? 0x7fffffffu : (bits + 0x1000) & 0xffffe000;
}

inline uint32_t round_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return std::isnan(x) ? 0x7fffu : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

template <int kBytes>
void copy_async(void* to, const void* from, bool valid) {
  emu::copy_async(to, from, kBytes, valid);
}

template <int kNewest>
void wait_copies(emu::Site site = {__builtin_FILE(), __builtin_LINE()}) {
  emu::wait_copies(kNewest, site);
}

#endif

}  // namespace mbpo::gpu
