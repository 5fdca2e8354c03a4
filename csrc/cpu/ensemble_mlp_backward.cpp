#include "mbpo/torch_ops.h"

namespace mbpo {
namespace {

template <typename T>
struct Backward {
  const Net& net;
  const Routing& routing;
  const Tensor& x;
  std::vector<const T*> weights, bounds, saved, grads;
  T* dx;                             // null where x needs no gradient
  std::vector<T*> dweights, dbiases;  // empty where the parameters need none
  std::vector<double> dminimum, dmaximum;  // [E, O]: one row per member, so members run in parallel

  void run(const Block& block);
  const T* output_grad(const Block& block);
  void hidden(const Block& block, int64_t layer, bool outer, const T* next_grad, T* grad, T* h);
  void weight_grad(const Block& block, int64_t layer, const T* h, const T* grad);
  void input_grad(const Block& block, const T* grad);
  Matrices weight(const Block& block, int64_t layer) const;
  Matrices rows_of_x(const Block& block) const;
  const int64_t* order(const Block& block) const {
    return net.routed ? routing.order.data() + block.row : nullptr;
  }
};

template <typename T>
void gather(const T* from, const int64_t* order, T* to, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r) std::copy_n(from + order[r] * width, width, to + r * width);
}

template <typename T>
Matrices Backward<T>::weight(const Block& block, int64_t layer) const {
  const int64_t from = net.widths[layer], to = net.widths[layer + 1];
  return Matrices::dense(weights[layer] + block.member * from * to, block.members, from, to);
}

template <typename T>
Matrices Backward<T>::rows_of_x(const Block& block) const {
  const int64_t width = net.widths[0];
  if (!net.routed) {
    return {read<T>(x), {block.members, block.rows, width}, {x.stride(0), x.stride(1), x.stride(2)}};
  }
  T* gathered = workspace<T>(3, block.rows * width);
  gather(read<T>(x), order(block), gathered, block.rows, width);
  return Matrices::dense(gathered, 1, block.rows, width);
}

// dL/dy of the last product, grouped by member and, with bounds, pulled through the head.
template <typename T>
const T* Backward<T>::output_grad(const Block& block) {
  const int64_t width = net.widths.back(), half = width / 2;
  if (!net.gaussian && !net.routed) return grads[0];
  T* dy = workspace<T>(net.layers() % 2, block.members * block.rows * width);
  if (!net.gaussian) {
    gather(grads[0], order(block), dy, block.rows, width);
    return dy;
  }
  const auto one = [&](int64_t first, int64_t last) {
    for (int64_t e = first; e < last; ++e) {
      const int64_t member = block.member + e, at = e * block.rows;
      const Head<T> head{block.rows, half, bounds[0], bounds[1], order(block)};
      const int64_t row = net.routed ? 0 : at;
      head_backward(head, saved.back() + (block.row + at) * width, grads[0] + row * half,
                    grads[1] + row * half, dy + at * width, dminimum.data() + member * half,
                    dmaximum.data() + member * half);
    }
  };
  if (block.members == 1) {
    one(0, 1);
  } else {
    torch::stable::parallel_for(0, block.members, 1, one);
  }
  return dy;
}

// Turn dL/dh of a hidden layer's output into dL/dz, with everything that needs the same rows.
template <typename T>
void Backward<T>::hidden(const Block& block, int64_t layer, bool outer, const T* next_grad,
                         T* grad, T* h) {
  const int64_t width = net.widths[layer + 1];
  const bool params = !dweights.empty();
  over_columns(block, width, [&](int64_t e, int64_t first, int64_t last) {
    const int64_t member = block.member + e, at = e * block.rows;
    HiddenBackward<T> job{block.rows, width, first, last, saved[layer] + (block.row + at) * width,
                          grad + at * width, h ? h + at * width : nullptr,
                          params ? dbiases[layer] + member * width : nullptr,
                          nullptr, nullptr, nullptr};
    if (outer) {
      job.next_grad = next_grad + at;
      job.next_weight = weights[layer + 1] + member * width;
      job.next_dweight = params ? dweights[layer + 1] + member * width : nullptr;
    }
    hidden_backward(net.activation, job);
  });
}

template <typename T>
void Backward<T>::weight_grad(const Block& block, int64_t layer, const T* h, const T* grad) {
  const int64_t from = net.widths[layer], to = net.widths[layer + 1];
  const Matrices rows =
      layer == 0 ? rows_of_x(block) : Matrices::dense(h, block.members, block.rows, from);
  multiply(dweights[layer] + block.member * from * to, rows.transposed(),
           Matrices::dense(grad, block.members, block.rows, to));
}

template <typename T>
void Backward<T>::input_grad(const Block& block, const T* grad) {
  const int64_t width = net.widths[0];
  T* place = net.routed ? workspace<T>(3, block.rows * width) : dx;
  multiply(place, Matrices::dense(grad, block.members, block.rows, net.widths[1]),
           weight(block, 0).transposed());
  if (!net.routed) return;
  const int64_t* to_row = order(block);
  for (int64_t r = 0; r < block.rows; ++r) {
    std::copy_n(place + r * width, width, dx + to_row[r] * width);
  }
}

template <typename T>
void Backward<T>::run(const Block& block) {
  const bool params = !dweights.empty();
  const int64_t last = net.layers() - 1;
  const T* grad = output_grad(block);
  if (params) {
    const int64_t width = net.widths.back();
    over_columns(block, width, [&](int64_t e, int64_t first, int64_t end) {
      column_sums(grad + e * block.rows * width, dbiases[last] + (block.member + e) * width,
                  block.rows, width, first, end);
    });
  }
  for (int64_t layer = last; layer > 0; --layer) {
    const int64_t from = net.widths[layer];
    const int64_t count = block.members * block.rows * from;
    const bool outer = layer == last && net.narrow();
    T* next = workspace<T>(layer % 2, count);
    if (!outer) {
      multiply(next, Matrices::dense(grad, block.members, block.rows, net.widths[layer + 1]),
               weight(block, layer).transposed());
    }
    const bool recompute = params && !outer && saves_preactivation(net.activation);
    T* h = recompute ? workspace<T>(2, count) : nullptr;
    hidden(block, layer - 1, outer, grad, next, h);
    if (params && !outer) {
      weight_grad(block, layer, h ? h : saved[layer - 1] + block.row * from, grad);
    }
    grad = next;
  }
  if (params) weight_grad(block, 0, nullptr, grad);
  if (dx) input_grad(block, grad);
}

template <typename T>
void backward_as(const Net& net, const Routing& routing, const Tensor& x,
                 const std::vector<Tensor>& weights, const std::vector<Tensor>& bounds,
                 const std::vector<Tensor>& saved, const std::vector<Tensor>& grads, bool need_x,
                 bool need_params, const std::vector<Tensor>& results) {
  Backward<T> job{net, routing, x, read<T>(weights), read<T>(bounds), read<T>(saved),
                  read<T>(grads), nullptr, {}, {}, {}, {}};
  size_t next = 0;
  if (need_x) job.dx = write<T>(results[next++]);
  for (int64_t layer = 0; need_params && layer < 2 * net.layers(); ++layer) {
    (layer < net.layers() ? job.dweights : job.dbiases).push_back(write<T>(results[next++]));
  }
  const int64_t half = net.outputs();
  job.dminimum.assign(net.gaussian ? net.members * half : 0, 0.0);
  job.dmaximum = job.dminimum;
  for (const Block& block : make_blocks(net, routing, 0)) job.run(block);
  if (!net.gaussian) return;
  T *low = write<T>(results[next]), *high = write<T>(results[next + 1]);
  for (int64_t j = 0; j < half; ++j) {
    double minimum = 0.0, maximum = 0.0;
    for (int64_t e = 0; e < net.members; ++e) {
      minimum += job.dminimum[e * half + j];
      maximum += job.dmaximum[e * half + j];
    }
    low[j] = static_cast<T>(minimum);
    high[j] = static_cast<T>(maximum);
  }
}

}  // namespace

std::vector<Tensor> ensemble_mlp_backward(std::vector<Tensor> grads, Tensor x,
                                          std::vector<Tensor> weights, std::vector<Tensor> bounds,
                                          std::optional<Tensor> member, std::vector<Tensor> saved,
                                          int64_t activation, bool need_x, bool need_params) {
  const Net net = check_net(x, weights, bounds, member, activation);
  const int64_t kept = net.layers() - (net.gaussian ? 0 : 1);
  STD_TORCH_CHECK(static_cast<int64_t>(saved.size()) == kept, "saved must hold ", kept, " tensors");
  STD_TORCH_CHECK(grads.size() == (net.gaussian ? 2u : 1u), "one gradient per output is needed");
  for (const Tensor& grad : grads) {
    STD_TORCH_CHECK(grad.numel() == net.rows * net.outputs() && grad.is_cpu() &&
                        grad.scalar_type() == x.scalar_type(),
                    "a gradient must have the shape and dtype of its output");
  }
  for (int64_t layer = 0; layer < kept; ++layer) {
    STD_TORCH_CHECK(saved[layer].numel() == net.rows * net.widths[layer + 1] &&
                        saved[layer].scalar_type() == x.scalar_type(),
                    "saved must come from the forward pass of the same call");
    saved[layer] = dense(saved[layer]);
  }
  std::vector<Tensor> results;
  if (need_x) results.push_back(empty(x, std::vector<int64_t>(x.sizes().begin(), x.sizes().end())));
  for (int64_t layer = 0; need_params && layer < net.layers(); ++layer) {
    results.push_back(empty(x, {net.members, net.widths[layer], net.widths[layer + 1]}));
  }
  for (int64_t layer = 0; need_params && layer < net.layers(); ++layer) {
    results.push_back(empty(x, {net.members, net.widths[layer + 1]}));
  }
  for (const Tensor& bound : bounds) results.push_back(empty(x, {bound.size(0)}));
  for (Tensor& grad : grads) grad = dense(grad);
  for (Tensor& weight : weights) weight = dense(weight);
  for (Tensor& bound : bounds) bound = dense(bound);
  if (net.routed) x = dense(x);
  const Routing routing = net.routed ? route(*member, net.members) : Routing{};
  const auto run = x.element_size() == sizeof(float) ? backward_as<float> : backward_as<double>;
  run(net, routing, x, weights, bounds, saved, grads, need_x, need_params, results);
  return results;
}

}  // namespace mbpo
