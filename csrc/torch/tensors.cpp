#include "tensors.h"

#include <algorithm>

namespace mbpo {

int32_t dtype_of(const Tensor& tensor) {
  int32_t dtype;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(tensor.get(), &dtype));
  return dtype;
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
  AtenTensorHandle handle;
  TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(static_cast<int64_t>(sizes.size()), sizes.data(),
                                                  strides.data(), dtype_of(like),
                                                  aoti_torch_device_type_cpu(), 0, &handle));
  return Tensor(handle);
}

Parallel torch_parallel() {
  return {[](int64_t tasks, Parallel::Body body, void* context) {
    torch::stable::parallel_for(
        0, tasks, 1, [body, context](int64_t first, int64_t last) { body(context, first, last); });
  }};
}

}  // namespace mbpo
