// The host's side of a launch: current device and stream, and kernels sized to the device. For the
// emulator, which takes tensors on the CPU, a launch is a call.
#pragma once

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#include <torch/csrc/stable/accelerator.h>
#endif

#include "product.cuh"
#include "torch/tensors.h"

namespace mbpo::cuda {

#if defined(__CUDACC__)

inline bool on_device(const Tensor& tensor) { return tensor.is_cuda(); }

inline void check(cudaError_t error, const char* what) {
  STD_TORCH_CHECK(error == cudaSuccess, what, ": ", cudaGetErrorString(error));
}

// The tensor's device, current while this lives, and torch's current stream on it.
class Device {
 public:
  explicit Device(const Tensor& tensor)
      : index_(tensor.get_device_index()), guard_(tensor.get_device_index()) {
    void* stream = nullptr;
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(index_, &stream));
    stream_ = static_cast<cudaStream_t>(stream);
  }

  int64_t processors() const { return attribute(cudaDevAttrMultiProcessorCount); }
  size_t shared_bytes() const {
    return static_cast<size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
  }

  // Start a kernel of kThreads threads a block; nothing waits for it.
  template <typename Job>
  void launch(void (*kernel)(const Job), int64_t blocks, size_t bytes, const Job& job) const {
    if (blocks == 0) return;
    STD_TORCH_CHECK(bytes <= shared_bytes(), "the op needs ", bytes,
                    " bytes of shared memory a block, the GPU has ", shared_bytes(),
                    "; use backend 'torch'");
    check(
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        "cudaFuncSetAttribute");
    kernel<<<static_cast<unsigned>(blocks), kThreads, bytes, stream_>>>(job);
    check(cudaGetLastError(), "kernel launch");
  }

 private:
  int attribute(cudaDeviceAttr which) const {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, index_), "cudaDeviceGetAttribute");
    return value;
  }

  int32_t index_;
  torch::stable::accelerator::DeviceGuard guard_;
  cudaStream_t stream_;
};

#else

inline bool on_device(const Tensor& tensor) { return tensor.is_cpu(); }

class Device {
 public:
  explicit Device(const Tensor&) {}

  int64_t processors() const { return 2; }
  size_t shared_bytes() const { return 227 << 10; }  // an H100's

  template <typename Job>
  void launch(void (*kernel)(const Job), int64_t blocks, size_t bytes, const Job& job) const {
    STD_TORCH_CHECK(bytes <= shared_bytes(), "too much shared memory");
    emu::run({static_cast<unsigned>(blocks), kThreads, bytes}, [&] { kernel(job); });
  }
};

#endif

}  // namespace mbpo::cuda
