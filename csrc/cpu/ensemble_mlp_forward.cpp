#include "mbpo/torch_ops.h"

namespace mbpo {
namespace {

constexpr int64_t kRowsInCache = 4096;  // two workspaces of this height and width 200 are 6.5 MB

template <typename T>
struct Forward {
  const Net& net;
  const Routing& routing;
  const Tensor& x;
  std::vector<const T*> weights, biases, bounds;
  std::vector<T*> saved;  // one per hidden layer and one for the head's raw values, or empty
  T *out, *logvar;

  void run(const Block& block) const;
  Matrices input(const Block& block) const;
  void hidden(const Block& block, int64_t layer, T* z, T* h) const;
  void finish(const Block& block, const T* h, T* z) const;
};

// The rows of a block where they lie, or gathered where routing scattered them.
template <typename T>
Matrices Forward<T>::input(const Block& block) const {
  const int64_t width = net.widths[0];
  const T* data = read<T>(x);
  if (!net.routed) {
    const int64_t members = x.stride(0), rows = x.stride(1);
    return {data + block.member * members + block.row * rows,
            {block.members, block.rows, width},
            {members, rows, x.stride(2)}};
  }
  T* gathered = workspace<T>(2, block.rows * width);
  for (int64_t r = 0; r < block.rows; ++r) {
    std::copy_n(data + routing.order[block.row + r] * width, width, gathered + r * width);
  }
  return Matrices::dense(gathered, 1, block.rows, width);
}

template <typename T>
void Forward<T>::hidden(const Block& block, int64_t layer, T* z, T* h) const {
  const int64_t width = net.widths[layer + 1];
  const T* bias = biases[layer] + block.member * width;
  over_rows(block, width, [&](int64_t e, int64_t begin, int64_t end) {
    const int64_t at = (e * block.rows + begin) * width;
    bias_activation(net.activation, z + at, bias + e * width, h + at, end - begin, width);
  });
}

template <typename T>
void Forward<T>::run(const Block& block) const {
  const int64_t last = net.layers() - 1;
  Matrices in = input(block);
  const T* h = nullptr;
  for (int64_t layer = 0; layer <= last; ++layer) {
    const int64_t from = net.widths[layer], to = net.widths[layer + 1];
    const int64_t count = block.members * block.rows * to;
    const bool keep = !saved.empty() && (layer < last || net.gaussian);
    T* z = keep ? saved[layer] + block.row * to : workspace<T>(layer % 2, count);
    // With nothing to route, clamp or cut, the product's place is the result's place.
    const bool whole = !net.routed && !net.gaussian && block.members * block.rows == net.rows;
    if (layer == last && whole) z = out;
    if (layer == last && net.narrow()) return finish(block, h, z);
    multiply(z, in,
             Matrices::dense(weights[layer] + block.member * from * to, block.members, from, to));
    if (layer == last) return finish(block, h, z);
    // The layer's output may replace z unless the backward pass needs z itself.
    T* next = keep && saves_preactivation(net.activation) ? workspace<T>(layer % 2, count) : z;
    hidden(block, layer, z, next);
    h = next;
    in = Matrices::dense(h, block.members, block.rows, to);
  }
}

// Bias and head of the last layer, written to the rows where the caller expects them.
template <typename T>
void Forward<T>::finish(const Block& block, const T* h, T* z) const {
  const int64_t last = net.layers() - 1, from = net.widths[last], to = net.widths[last + 1];
  const int64_t member_rows = net.routed ? 0 : net.rows / std::max<int64_t>(1, net.members);
  const int64_t* order = net.routed ? routing.order.data() + block.row : nullptr;
  over_rows(block, std::max(from, to), [&](int64_t e, int64_t begin, int64_t end) {
    const int64_t member = block.member + e, rows = end - begin;
    const int64_t at = e * block.rows + begin;
    const int64_t row = net.routed ? 0 : member * member_rows + block.row + begin;
    const int64_t* to_row = order ? order + begin : nullptr;
    const T* bias = biases[last] + member * to;
    if (net.gaussian) {
      const Head<T> head{rows, to / 2, bounds[0], bounds[1], to_row};
      head_forward(head, z + at * to, bias, out + row * (to / 2), logvar + row * (to / 2));
      return;
    }
    if (net.narrow()) {
      row_dots(h + at * from, weights[last] + member * from, *bias, z + at, rows, from);
    } else {
      bias_activation(Activation::identity, z + at * to, bias, z + at * to, rows, to);
    }
    if (z == out) return;
    for (int64_t r = 0; r < rows; ++r) {
      std::copy_n(z + (at + r) * to, to, out + (to_row ? to_row[r] : row + r) * to);
    }
  });
}

template <typename T>
void forward_as(const Net& net, const Routing& routing, const Tensor& x,
                const std::vector<Tensor>& weights, const std::vector<Tensor>& biases,
                const std::vector<Tensor>& bounds, const std::vector<Tensor>& outputs,
                const std::vector<Tensor>& saved) {
  Forward<T> job{net, routing, x, read<T>(weights), read<T>(biases), read<T>(bounds),
                 {}, write<T>(outputs[0]), outputs.size() > 1 ? write<T>(outputs[1]) : nullptr};
  for (const Tensor& tensor : saved) job.saved.push_back(write<T>(tensor));
  for (const Block& block : make_blocks(net, routing, saved.empty() ? kRowsInCache : 0)) {
    if (block.members * block.rows > 0) job.run(block);
  }
}

}  // namespace

std::tuple<std::vector<Tensor>, std::vector<Tensor>> ensemble_mlp_forward(
    Tensor x, std::vector<Tensor> weights, std::vector<Tensor> biases, std::vector<Tensor> bounds,
    std::optional<Tensor> member, int64_t activation, bool save) {
  const Net net = check_net(x, weights, bounds, member, activation);
  STD_TORCH_CHECK(biases.size() == weights.size(), "biases must be as many as weights");
  for (size_t layer = 0; layer < biases.size(); ++layer) {
    const int64_t width = net.widths[layer + 1];
    STD_TORCH_CHECK(biases[layer].is_cpu() && biases[layer].dim() == 2 &&
                        biases[layer].size(0) == net.members && biases[layer].size(1) == width &&
                        biases[layer].scalar_type() == x.scalar_type(),
                    "biases must be [", net.members, ", ", width, "] like x");
    weights[layer] = dense(weights[layer]);
    biases[layer] = dense(biases[layer]);
  }
  for (Tensor& bound : bounds) bound = dense(bound);
  if (net.routed) x = dense(x);
  const Routing routing = net.routed ? route(*member, net.members) : Routing{};

  const auto shaped = [&](int64_t width) {
    if (net.routed) return empty(x, {net.rows, width});
    return empty(x, {net.members, x.size(1), width});
  };
  std::vector<Tensor> outputs, saved;
  for (int i = 0; i < (net.gaussian ? 2 : 1); ++i) outputs.push_back(shaped(net.outputs()));
  const int64_t kept = save ? net.layers() - (net.gaussian ? 0 : 1) : 0;
  for (int64_t layer = 0; layer < kept; ++layer) saved.push_back(shaped(net.widths[layer + 1]));

  const auto run = x.element_size() == sizeof(float) ? forward_as<float> : forward_as<double>;
  run(net, routing, x, weights, biases, bounds, outputs, saved);
  return {std::move(outputs), std::move(saved)};
}

}  // namespace mbpo
