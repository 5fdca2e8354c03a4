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

#include "mbpo/adam.h"
#include "mbpo/network.h"

namespace mbpo {

using torch::stable::Tensor;

int32_t dtype_of(const Tensor& tensor);
inline bool is_double(const Tensor& tensor) {
  return dtype_of(tensor) == aoti_torch_dtype_float64();
}

// Whether both have one dtype and lie on one device.
bool alike(const Tensor& a, const Tensor& b);

// The tensor itself where it is contiguous, else a copy.
Tensor dense(const Tensor& tensor);
// Of like's dtype, on its device.
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

// Refuse what the loops could not trust, in words. `like` gives dtype and device.
void check_float(const Tensor& tensor, const char* name);
void check_widths(const std::vector<int64_t>& widths, int64_t activation);
void check_matrix(const Tensor& like, const Tensor& matrix, const char* name, int64_t rows,
                  int64_t columns);
// Parameters, with their moments unless both are empty: contiguous, of the given lengths.
void check_state(const Tensor& like, const std::vector<Tensor>& parameters,
                 const std::vector<Tensor>& moments, const std::vector<Tensor>& second_moments,
                 const std::vector<int64_t>& lengths);
// Counts of steps, one for each of so many parameters.
void check_steps(const std::vector<Tensor>& steps, size_t parameters);
// Numbers in the flat parameter of a network, where hidden layers have a norm or none.
int64_t flat_size(const std::vector<int64_t>& widths, int64_t members, bool norm = false);
// From (learning rate, beta1, beta2, epsilon).
AdamSettings adam_settings(const std::vector<double>& numbers);

// One parameter's part of what an optimiser holds.
template <typename T>
AdamState<T> adam_state(size_t which, const std::vector<Tensor>& parameters,
                        const std::vector<Tensor>& moments,
                        const std::vector<Tensor>& second_moments,
                        const std::vector<Tensor>& steps) {
  return {data<T>(parameters[which]), data<T>(moments[which]), data<T>(second_moments[which]),
          data<float>(steps[which]), parameters[which].numel()};
}

}  // namespace mbpo
