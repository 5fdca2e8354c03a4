#include "tensors.h"

#include <algorithm>

namespace mbpo {

int32_t dtype_of(const Tensor& tensor) {
  int32_t dtype;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(tensor.get(), &dtype));
  return dtype;
}

bool alike(const Tensor& a, const Tensor& b) {
  return a.is_cuda() == b.is_cuda() && a.is_cpu() == b.is_cpu() &&
         a.get_device_index() == b.get_device_index() && dtype_of(a) == dtype_of(b);
}

Tensor dense(const Tensor& tensor) {
  if (tensor.is_contiguous()) return tensor;
  Tensor copy = empty(tensor, std::vector<int64_t>(tensor.sizes().begin(), tensor.sizes().end()));
  torch::stable::copy_(copy, tensor);
  return copy;
}

Tensor empty(const Tensor& like, const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size());
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0; stride *= std::max<int64_t>(1, sizes[i])) {
    strides[i] = stride;
  }
  int32_t device_type;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(like.get(), &device_type));
  AtenTensorHandle handle;
  TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(static_cast<int64_t>(sizes.size()), sizes.data(),
                                                  strides.data(), dtype_of(like), device_type,
                                                  like.get_device_index(), &handle));
  return Tensor(handle);
}

void check_float(const Tensor& tensor, const char* name) {
  const int32_t dtype = dtype_of(tensor);
  STD_TORCH_CHECK(tensor.is_cpu() &&
                      (dtype == aoti_torch_dtype_float32() || dtype == aoti_torch_dtype_float64()),
                  name, " must be float32 or float64 on the CPU");
}

void check_widths(const std::vector<int64_t>& widths, int64_t activation) {
  STD_TORCH_CHECK(widths.size() >= 2, "widths must be input, hidden and output widths");
  for (const int64_t width : widths) STD_TORCH_CHECK(width > 0, "widths must be positive");
  STD_TORCH_CHECK(activation >= 0 && activation <= 3, "unknown activation ", activation);
}

void check_matrix(const Tensor& like, const Tensor& matrix, const char* name, int64_t rows,
                  int64_t columns) {
  STD_TORCH_CHECK(alike(like, matrix) && matrix.dim() == 2 && matrix.size(0) == rows &&
                      matrix.size(1) == columns,
                  name, " must be [", rows, ", ", columns, "] with one dtype, on one device");
}

void check_state(const Tensor& like, const std::vector<Tensor>& parameters,
                 const std::vector<Tensor>& moments, const std::vector<Tensor>& second_moments,
                 const std::vector<int64_t>& lengths) {
  const bool bare = moments.empty() && second_moments.empty();
  for (const std::vector<Tensor>* tensors : {&parameters, &moments, &second_moments}) {
    if (bare && tensors != &parameters) continue;
    STD_TORCH_CHECK(tensors->size() == lengths.size(), "expected ", lengths.size(),
                    " parameters with their moments");
    for (size_t i = 0; i < lengths.size(); ++i) {
      const Tensor& tensor = (*tensors)[i];
      STD_TORCH_CHECK(alike(like, tensor) && tensor.is_contiguous() && tensor.numel() == lengths[i],
                      "parameter ", i, " and its moments must be ", lengths[i],
                      " numbers, contiguous, of one dtype, on one device");
    }
  }
}

void check_steps(const std::vector<Tensor>& steps, size_t parameters) {
  STD_TORCH_CHECK(steps.size() == parameters, "every parameter needs its count of steps");
  for (const Tensor& step : steps) {
    STD_TORCH_CHECK(
        step.is_cpu() && dtype_of(step) == aoti_torch_dtype_float32() && step.numel() == 1,
        "a count of steps must be one float32 on the CPU");
  }
}

int64_t flat_size(const std::vector<int64_t>& widths, int64_t members, bool norm) {
  int64_t size = 0;
  for (size_t l = 0; l + 1 < widths.size(); ++l) {
    const int64_t behind = norm && l + 2 < widths.size() ? 3 : 1;  // bias; gain and shift
    size += members * (widths[l] + behind) * widths[l + 1];
  }
  return size;
}

AdamSettings adam_settings(const std::vector<double>& numbers) {
  STD_TORCH_CHECK(numbers.size() == 4, "adam must be (learning rate, beta1, beta2, epsilon)");
  return {numbers[0], numbers[1], numbers[2], numbers[3]};
}

}  // namespace mbpo
