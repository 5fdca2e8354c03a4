// Tensors of the stable ABI: one binary serves every torch from 2.10 on.
#pragma once

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/util/Exception.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "mbpo/network.h"

namespace mbpo {

using torch::stable::Tensor;

int32_t dtype_of(const Tensor& tensor);
inline bool is_double(const Tensor& tensor) {
  return dtype_of(tensor) == aoti_torch_dtype_float64();
}

// The tensor itself where it is contiguous, else a copy.
Tensor dense(const Tensor& tensor);
Tensor empty(const Tensor& like, const std::vector<int64_t>& sizes);

template <typename T>
T* data(const Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

// A matrix [rows, columns] with any strides, from row `first` on.
template <typename T>
Rows<T> rows_of(const Tensor& matrix, int64_t first, int64_t count) {
  return {data<std::remove_const_t<T>>(matrix) + first * matrix.stride(0), matrix.stride(0),
          matrix.stride(1), nullptr, count};
}

// torch's own threads.
Parallel torch_parallel();

}  // namespace mbpo
