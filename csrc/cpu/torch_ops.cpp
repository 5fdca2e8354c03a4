#include "mbpo/torch_ops.h"

#include <cstdlib>

namespace mbpo {
namespace {

template <typename T>
int32_t dtype_of() {
  return sizeof(T) == 4 ? aoti_torch_dtype_float32() : aoti_torch_dtype_float64();
}

int32_t dtype_of(const Tensor& tensor) {
  int32_t dtype;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(tensor.get(), &dtype));
  return dtype;
}

Tensor view_of(const Matrices& matrices, int32_t dtype) {
  AtenTensorHandle handle;
  TORCH_ERROR_CODE_CHECK(aoti_torch_create_tensor_from_blob(
      const_cast<void*>(matrices.data), 3, matrices.sizes, matrices.strides, 0, dtype,
      aoti_torch_device_type_cpu(), 0, &handle));
  return Tensor(handle);
}

struct Workspace {
  void* data = nullptr;
  size_t bytes = 0;
  ~Workspace() { std::free(data); }
};

void check_same_kind(const Tensor& x, const Tensor& other, const char* name) {
  STD_TORCH_CHECK(other.is_cpu() && dtype_of(other) == dtype_of(x), name,
                  " must have the dtype and device of x");
}

}  // namespace

Net check_net(const Tensor& x, const std::vector<Tensor>& weights,
              const std::vector<Tensor>& bounds, const std::optional<Tensor>& member,
              int64_t activation) {
  STD_TORCH_CHECK(!weights.empty(), "weights must hold one tensor per layer, got none");
  STD_TORCH_CHECK(activation >= 0 && activation <= 3, "unknown activation ", activation);
  const int32_t dtype = dtype_of(x);
  STD_TORCH_CHECK(dtype == dtype_of<float>() || dtype == dtype_of<double>(),
                  "x must be float32 or float64");
  Net net{{}, weights[0].dim() == 3 ? weights[0].size(0) : 0, 0,
          static_cast<Activation>(activation), member.has_value(), !bounds.empty()};
  STD_TORCH_CHECK(net.members > 0, "weights must be [E, I, J] with E at least 1");
  STD_TORCH_CHECK(x.dim() == (net.routed ? 2 : 3), "x must be [E, B, I], or [N, I] with member");
  net.widths.push_back(x.size(net.routed ? 1 : 2));
  for (const Tensor& weight : weights) {
    check_same_kind(x, weight, "weights");
    STD_TORCH_CHECK(weight.dim() == 3 && weight.size(0) == net.members &&
                        weight.size(1) == net.widths.back(),
                    "weights must be [", net.members, ", ", net.widths.back(), ", J]");
    net.widths.push_back(weight.size(2));
  }
  net.rows = net.routed ? x.size(0) : x.size(0) * x.size(1);
  if (net.routed) {
    int32_t index_type = dtype_of(*member);
    STD_TORCH_CHECK(member->is_cpu() && index_type == aoti_torch_dtype_int64() &&
                        member->dim() == 1 && member->size(0) == net.rows,
                    "member must be int64 [", net.rows, "]");
  } else {
    STD_TORCH_CHECK(x.size(0) == net.members, "x must be [", net.members, ", B, I]");
  }
  if (net.gaussian) {
    const int64_t half = net.widths.back() / 2;
    STD_TORCH_CHECK(bounds.size() == 2 && half * 2 == net.widths.back(),
                    "bounds must be (min, max) and the last layer 2 * O wide");
    for (const Tensor& bound : bounds) {
      check_same_kind(x, bound, "logvar_bounds");
      STD_TORCH_CHECK(bound.dim() == 1 && bound.size(0) == half, "logvar_bounds must be [", half,
                      "]");
    }
  }
  return net;
}

Routing route(const Tensor& member, int64_t members) {
  const Tensor ids = dense(member);
  const int64_t* id = read<int64_t>(ids);
  const int64_t rows = ids.size(0);
  Routing routing{std::vector<int64_t>(rows), std::vector<int64_t>(members + 1, 0)};
  for (int64_t r = 0; r < rows; ++r) {
    STD_TORCH_CHECK(id[r] >= 0 && id[r] < members, "member must lie in [0, ", members, "), got ",
                    id[r]);
    ++routing.offsets[id[r] + 1];
  }
  for (int64_t e = 0; e < members; ++e) routing.offsets[e + 1] += routing.offsets[e];
  std::vector<int64_t> next(routing.offsets.begin(), routing.offsets.end() - 1);
  for (int64_t r = 0; r < rows; ++r) routing.order[next[id[r]]++] = r;
  return routing;
}

std::vector<Block> make_blocks(const Net& net, const Routing& routing, int64_t rows_limit) {
  std::vector<Block> blocks;
  const auto cut = [&](int64_t member, int64_t members, int64_t rows, int64_t row) {
    const int64_t limit = std::max<int64_t>(1, rows_limit > 0 ? rows_limit / members : rows);
    for (int64_t begin = 0; begin < rows; begin += limit) {
      blocks.push_back({member, members, std::min(limit, rows - begin), row + begin});
    }
    if (rows == 0) blocks.push_back({member, members, 0, row});
  };
  if (!net.routed) {
    cut(0, net.members, net.members ? net.rows / net.members : 0, 0);
    return blocks;
  }
  for (int64_t e = 0; e < net.members; ++e) {
    cut(e, 1, routing.offsets[e + 1] - routing.offsets[e], routing.offsets[e]);
  }
  return blocks;
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

template <typename T>
void multiply(T* out, const Matrices& a, const Matrices& b) {
  const int64_t batch = a.sizes[0], rows = a.sizes[1], columns = b.sizes[2];
  if (batch * rows * columns == 0) return;
  if (a.sizes[2] == 0) {  // an empty sum
    std::fill(out, out + batch * rows * columns, T(0));
    return;
  }
  const int32_t dtype = dtype_of<T>();
  const Tensor product = view_of(Matrices::dense(out, batch, rows, columns), dtype);
  TORCH_ERROR_CODE_CHECK(
      aoti_torch_cpu_bmm_out(product.get(), view_of(a, dtype).get(), view_of(b, dtype).get()));
}

template void multiply<float>(float*, const Matrices&, const Matrices&);
template void multiply<double>(double*, const Matrices&, const Matrices&);

template <typename T>
T* workspace(int slot, int64_t count) {
  thread_local Workspace slots[4];
  Workspace& space = slots[slot];
  // Rounded up to whole cache lines; 64 at least, so that an empty call gets a pointer too.
  const size_t bytes = (static_cast<size_t>(count) * sizeof(T) / 64 + 1) * 64;
  if (space.bytes < bytes) {
    std::free(space.data);
    space.data = std::aligned_alloc(64, bytes);
    space.bytes = space.data ? bytes : 0;
    STD_TORCH_CHECK(space.data, "out of memory for a workspace of ", bytes, " bytes");
  }
  return static_cast<T*>(space.data);
}

template float* workspace<float>(int, int64_t);
template double* workspace<double>(int, int64_t);

}  // namespace mbpo
