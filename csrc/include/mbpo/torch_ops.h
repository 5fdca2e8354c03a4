// What both passes of the op share: blocks of rows, matrix products through aten, workspaces.
//
// Only the stable ABI and its C shims are used, so one binary serves every torch from 2.10 on.
#pragma once

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/util/Exception.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "mbpo/elementwise.h"

// The aten products, declared here because their generated header is not part of every release.
extern "C" AOTI_TORCH_EXPORT AOTITorchError aoti_torch_cpu_bmm_out(AtenTensorHandle out,
                                                                   AtenTensorHandle self,
                                                                   AtenTensorHandle mat2);

namespace mbpo {

using torch::stable::Tensor;

// Consecutive members with the same number of rows each: one batched product per layer.
// Ordinary calls are one block; routed calls are one block per member.
struct Block {
  int64_t member, members, rows;
  int64_t row;  // where the block starts among all rows, grouped by member
};

// The call, checked: the sizes that every loop below trusts.
struct Net {
  std::vector<int64_t> widths;  // L + 1
  int64_t members, rows;        // rows of all members together
  Activation activation;
  bool routed, gaussian;

  int64_t layers() const { return static_cast<int64_t>(widths.size()) - 1; }
  int64_t outputs() const { return gaussian ? widths.back() / 2 : widths.back(); }
  bool narrow() const { return widths.back() == 1 && layers() > 1; }
};

// Rows grouped by member with a stable counting sort, so that equal calls add in equal order.
struct Routing {
  std::vector<int64_t> order;    // [N]: grouped position to caller's row
  std::vector<int64_t> offsets;  // [E + 1]
};

Net check_net(const Tensor& x, const std::vector<Tensor>& weights,
              const std::vector<Tensor>& bounds, const std::optional<Tensor>& member,
              int64_t activation);
Routing route(const Tensor& member, int64_t members);
// rows_limit > 0 cuts an ordinary call so that what lies between two layers stays in cache.
std::vector<Block> make_blocks(const Net& net, const Routing& routing, int64_t rows_limit);

// The tensor itself where it is contiguous, else a copy.
Tensor dense(const Tensor& tensor);
Tensor empty(const Tensor& like, const std::vector<int64_t>& sizes);

template <typename T>
const T* read(const Tensor& tensor) {
  return static_cast<const T*>(tensor.data_ptr());
}

template <typename T>
std::vector<const T*> read(const std::vector<Tensor>& tensors) {
  std::vector<const T*> result;
  for (const Tensor& tensor : tensors) result.push_back(read<T>(tensor));
  return result;
}

template <typename T>
T* write(const Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

// A batch of matrices in memory that somebody else owns.
struct Matrices {
  const void* data;
  int64_t sizes[3];
  int64_t strides[3];

  template <typename T>
  static Matrices dense(const T* data, int64_t batch, int64_t rows, int64_t columns) {
    return {data, {batch, rows, columns}, {rows * columns, columns, 1}};
  }
  Matrices transposed() const {
    return {data, {sizes[0], sizes[2], sizes[1]}, {strides[0], strides[2], strides[1]}};
  }
};

// out = a b for each matrix of the batch, out dense and overwritten.
template <typename T>
void multiply(T* out, const Matrices& a, const Matrices& b);

// Memory between layers, kept by each thread: fresh pages cost more than the arithmetic on them.
template <typename T>
T* workspace(int slot, int64_t count);

// Call f(member, begin, end) over all rows of a block, in parallel where that pays.
template <typename F>
void over_rows(const Block& block, int64_t width, const F& f) {
  constexpr int64_t kElements = 16384;
  const int64_t step = std::max<int64_t>(1, kElements / std::max<int64_t>(1, width));
  const int64_t steps = (block.rows + step - 1) / step;
  const int64_t size = std::max<int64_t>(1, std::min(step, block.rows) * width);
  const auto body = [&](int64_t first, int64_t last) {
    for (int64_t task = first; task < last; ++task) {
      const int64_t begin = task % steps * step;
      f(task / steps, begin, std::min(begin + step, block.rows));
    }
  };
  const int64_t grain = std::max<int64_t>(1, 2 * kElements / size);
  if (block.members * steps <= grain) return body(0, block.members * steps);
  torch::stable::parallel_for(0, block.members * steps, grain, body);
}

// Call f(member, first, last) over the members' columns. Cut points never depend on the number of
// threads, so a column's sum over the rows is the same on every machine.
template <typename F>
void over_columns(const Block& block, int64_t width, const F& f) {
  constexpr int64_t kElements = 32768;
  constexpr int64_t kColumns = 64;
  const int64_t steps = (width + kColumns - 1) / kColumns;
  const int64_t size = std::max<int64_t>(1, std::min(width, kColumns) * block.rows);
  const int64_t grain = std::max<int64_t>(1, kElements / size);
  const auto body = [&](int64_t first, int64_t last) {
    for (int64_t task = first; task < last; ++task) {
      const int64_t begin = task % steps * kColumns;
      f(task / steps, begin, std::min(begin + kColumns, width));
    }
  };
  if (block.members * steps <= grain) return body(0, block.members * steps);
  torch::stable::parallel_for(0, block.members * steps, grain, body);
}

std::tuple<std::vector<Tensor>, std::vector<Tensor>> ensemble_mlp_forward(
    Tensor x, std::vector<Tensor> weights, std::vector<Tensor> biases, std::vector<Tensor> bounds,
    std::optional<Tensor> member, int64_t activation, bool save);

std::vector<Tensor> ensemble_mlp_backward(std::vector<Tensor> grads, Tensor x,
                                          std::vector<Tensor> weights, std::vector<Tensor> bounds,
                                          std::optional<Tensor> member, std::vector<Tensor> saved,
                                          int64_t activation, bool need_x, bool need_params);

}  // namespace mbpo
