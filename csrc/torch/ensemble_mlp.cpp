#include "ensemble_mlp.h"

#include <algorithm>

namespace mbpo {
namespace {

void check_like(const Tensor& x, const Tensor& other, const char* name) {
  STD_TORCH_CHECK(other.is_cpu() && dtype_of(other) == dtype_of(x), name,
                  " must have the dtype and device of x");
}

// Rows grouped by member with a stable counting sort, so that equal calls add in equal order.
struct Routing {
  std::vector<int64_t> order;    // [N]: grouped position to caller's row
  std::vector<int64_t> offsets;  // [E + 1]
};

Routing route(const Tensor& member, int64_t members) {
  const Tensor ids = dense(member);
  const int64_t* id = data<int64_t>(ids);
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

// One call, checked: the sizes that every loop below trusts.
template <typename T>
struct Call {
  Network<T> network;
  bool routed, gaussian;
  int64_t rows;  // B, or N where routed
  Routing routing;
  std::vector<Tile> tiles;
  std::vector<Tensor> kept_alive;
  GaussianHead<T> head;

  Call(const Tensor& x, const std::vector<Tensor>& weights, const std::vector<Tensor>& bounds,
       const std::optional<Tensor>& member, int64_t activation)
      : routed(member.has_value()), gaussian(!bounds.empty()) {
    STD_TORCH_CHECK(!weights.empty(), "weights must hold one tensor per layer, got none");
    STD_TORCH_CHECK(activation >= 0 && activation <= 3, "unknown activation ", activation);
    network.activation = static_cast<Activation>(activation);
    network.members = weights[0].dim() == 3 ? weights[0].size(0) : 0;
    STD_TORCH_CHECK(network.members > 0, "weights must be [E, I, J] with E at least 1");
    STD_TORCH_CHECK(x.is_cpu() && x.dim() == (routed ? 2 : 3),
                    "x must be [E, B, I], or [N, I] with member, on the CPU");
    add_layers(x, weights);
    add_rows(x, member);
    if (gaussian) add_bounds(x, bounds);
  }

  void add_layers(const Tensor& x, const std::vector<Tensor>& weights) {
    network.widths.push_back(x.size(routed ? 1 : 2));
    for (const Tensor& weight : weights) {
      check_like(x, weight, "weights");
      STD_TORCH_CHECK(weight.dim() == 3 && weight.size(0) == network.members &&
                          weight.size(1) == network.widths.back(),
                      "weights must be [", network.members, ", ", network.widths.back(), ", J]");
      network.widths.push_back(weight.size(2));
      network.weights.push_back(keep(weight));
    }
  }

  void add_rows(const Tensor& x, const std::optional<Tensor>& member) {
    rows = x.size(routed ? 0 : 1);
    if (!routed) {
      STD_TORCH_CHECK(x.size(0) == network.members, "x must be [", network.members, ", B, I]");
      tiles = make_tiles(network.members, rows);
      return;
    }
    STD_TORCH_CHECK(member->is_cpu() && dtype_of(*member) == aoti_torch_dtype_int64() &&
                        member->dim() == 1 && member->size(0) == rows,
                    "member must be int64 [", rows, "]");
    routing = route(*member, network.members);
    for (int64_t e = 0; e < network.members; ++e) {
      for (Tile tile : make_tiles(1, routing.offsets[e + 1] - routing.offsets[e])) {
        tiles.push_back({e, tile.first, tile.count});
      }
    }
  }

  void add_biases(const Tensor& x, const std::vector<Tensor>& biases) {
    STD_TORCH_CHECK(biases.size() == network.weights.size(), "biases must be as many as weights");
    for (size_t l = 0; l < biases.size(); ++l) {
      const int64_t width = network.widths[l + 1];
      check_like(x, biases[l], "biases");
      STD_TORCH_CHECK(biases[l].dim() == 2 && biases[l].size(0) == network.members &&
                          biases[l].size(1) == width,
                      "biases must be [", network.members, ", ", width, "]");
      network.biases.push_back(keep(biases[l]));
    }
  }

  void add_bounds(const Tensor& x, const std::vector<Tensor>& bounds) {
    const int64_t half = network.outputs() / 2;
    STD_TORCH_CHECK(bounds.size() == 2 && half * 2 == network.outputs(),
                    "bounds must be (min, max) and the last layer 2 * O wide");
    for (const Tensor& bound : bounds) {
      check_like(x, bound, "logvar_bounds");
      STD_TORCH_CHECK(bound.dim() == 1 && bound.size(0) == half, "logvar_bounds must be [", half,
                      "]");
    }
    head = {half, keep(bounds[0]), keep(bounds[1])};
  }

  const T* keep(const Tensor& tensor) {
    kept_alive.push_back(dense(tensor));
    return data<T>(kept_alive.back());
  }

  // How many tiles there can be: routing fills the last tile of each member only in part.
  int64_t most_tiles() const {
    return routed ? rows / kTileRows + network.members : static_cast<int64_t>(tiles.size());
  }

  double work() const { return flops(network, routed ? rows : rows * network.members); }

  int64_t result_width() const { return gaussian ? head.outputs : network.outputs(); }

  Tensor result(const Tensor& x, int64_t width) const {
    if (routed) return empty(x, {rows, width});
    return empty(x, {network.members, rows, width});
  }

  // A tile's rows within a tensor that has x's leading dimensions.
  template <typename U>
  Rows<U> rows_in(const Tensor& tensor, const Tile& tile) const {
    U* start = data<std::remove_const_t<U>>(tensor);
    if (routed) {
      return {start, tensor.stride(0), tensor.stride(1),
              routing.order.data() + routing.offsets[tile.member] + tile.first, tile.count};
    }
    start += tile.member * tensor.stride(0) + tile.first * tensor.stride(1);
    return {start, tensor.stride(1), tensor.stride(2), nullptr, tile.count};
  }
};

template <typename T>
std::tuple<std::vector<Tensor>, Tensor> forward_as(const Tensor& x,
                                                   const std::vector<Tensor>& weights,
                                                   const std::vector<Tensor>& biases,
                                                   const std::vector<Tensor>& bounds,
                                                   const std::optional<Tensor>& member,
                                                   int64_t activation, bool save) {
  Call<T> call(x, weights, bounds, member, activation);
  call.add_biases(x, biases);
  const Network<T>& network = call.network;
  const Kernels<T>& best = kernels<T>();
  const Record record = Record::of(network, save);
  const int64_t width = call.result_width(), outputs = network.outputs();
  std::vector<Tensor> results{call.result(x, width)};
  if (call.gaussian) results.push_back(call.result(x, width));
  const Tensor saved =
      save ? empty(x, {call.most_tiles(), record.size / kTileRows, kTileRows}) : empty(x, {0});

  const auto run = [&](int64_t number) {
    const Tile& tile = call.tiles[number];
    T* memory =
        save ? data<T>(saved) + number * record.size : workspace<T>(Slot::scratch, record.size);
    best.gather(call.template rows_in<const T>(x, tile), network.inputs(), memory + record.input);
    forward_tile(best, network, record, tile, memory);
    T* z = memory + record.output;
    if (call.gaussian) {
      T* head = workspace<T>(Slot::scratch_out, outputs * kTileRows);
      std::copy_n(z, outputs * kTileRows, head);
      best.head(call.head, head);
      best.scatter(head + width * kTileRows, width, call.template rows_in<T>(results[1], tile));
      z = head;
    }
    best.scatter(z, width, call.template rows_in<T>(results[0], tile));
  };
  torch_parallel().over(static_cast<int64_t>(call.tiles.size()), call.work(), run);
  return {std::move(results), saved};
}

template <typename T>
struct Backward {
  const std::vector<Tensor>& grads;
  Call<T>& call;
  const Record record;
  const Tensor& saved;
  const Kernels<T>& best = kernels<T>();
  GradientRows<T> rows = {};
  double* dbounds = nullptr;  // [tiles, 2 O]

  void check(const Tensor& x) const {
    STD_TORCH_CHECK(grads.size() == (call.gaussian ? 2u : 1u), "one gradient for each output");
    for (const Tensor& grad : grads) {
      check_like(x, grad, "a gradient");
      STD_TORCH_CHECK(grad.dim() == x.dim() && grad.size(0) == x.size(0) &&
                          (call.routed || grad.size(1) == x.size(1)) &&
                          grad.size(x.dim() - 1) == call.result_width(),
                      "a gradient must have the shape of its output");
    }
    check_like(x, saved, "saved");
    STD_TORCH_CHECK(saved.numel() == call.most_tiles() * record.size && saved.is_contiguous(),
                    "saved must come from the forward pass of the same call");
  }

  // dL/dz of the last layer, zero in rows past the last.
  T* last_dz(const Tile& tile, int64_t number) const {
    const Network<T>& network = call.network;
    const int64_t width = call.result_width();
    T* grad = workspace<T>(Slot::scratch, 2 * network.widest() * kTileRows);
    T* dz = grad + network.widest() * kTileRows;
    best.gather(call.template rows_in<const T>(grads[0], tile), width, grad);
    if (!call.gaussian) return grad;
    best.gather(call.template rows_in<const T>(grads[1], tile), width, grad + width * kTileRows);
    double* sums = dbounds + number * 2 * width;
    std::fill_n(sums, 2 * width, 0.0);
    best.head_backward(call.head, data<T>(saved) + number * record.size + record.output, grad, dz,
                       sums);
    return dz;
  }

  // Sums over all tiles, in their order.
  Tensor bound_gradient(const Tensor& like, int64_t which) const {
    const int64_t width = call.result_width();
    const Tensor result = empty(like, {width});
    for (int64_t j = 0; j < width; ++j) {
      double sum = 0;
      for (size_t t = 0; t < call.tiles.size(); ++t) sum += dbounds[(2 * t + which) * width + j];
      data<T>(result)[j] = static_cast<T>(sum);
    }
    return result;
  }
};

template <typename T>
std::vector<Tensor> backward_as(const std::vector<Tensor>& grads, const Tensor& x,
                                const std::vector<Tensor>& weights,
                                const std::vector<Tensor>& bounds,
                                const std::optional<Tensor>& member, const Tensor& saved,
                                int64_t activation, bool need_x, bool need_params) {
  Call<T> call(x, weights, bounds, member, activation);
  const Network<T>& network = call.network;
  const int64_t tiles = static_cast<int64_t>(call.tiles.size()), inputs = network.inputs();
  Backward<T> job{grads, call, Record::of(network, true), saved};
  job.check(x);
  if (call.gaussian) {
    job.dbounds = workspace<double>(Slot::shared_sums, tiles * network.outputs());
  }
  if (need_params) {
    T* memory = workspace<T>(Slot::shared_rows, GradientRows<T>::size(network, tiles));
    job.rows = GradientRows<T>::cut(network, tiles, memory);
  }
  std::vector<Tensor> results;
  if (need_x) results.push_back(call.result(x, inputs));
  torch_parallel().over(tiles, call.work(), [&](int64_t number) {
    const Tile& tile = call.tiles[number];
    T* dinput = need_x ? workspace<T>(Slot::scratch_out, inputs * kTileRows) : nullptr;
    backward_tile(job.best, network, tile,
                  {job.record, data<T>(saved) + number * job.record.size, job.last_dz(tile, number),
                   need_params ? &job.rows : nullptr, number, dinput, 0, inputs});
    if (need_x) job.best.scatter(dinput, inputs, call.template rows_in<T>(results[0], tile));
  });

  if (need_params) {
    std::vector<Tensor> dweights, dbiases;
    for (int64_t l = 0; l < network.layers(); ++l) {
      const int64_t from = network.widths[l], to = network.widths[l + 1];
      dweights.push_back(empty(x, {network.members, from, to}));
      dbiases.push_back(empty(x, {network.members, to}));
    }
    const std::vector<int64_t> offsets = tile_offsets(call.tiles, network.members);
    const std::vector<GradientTask> tasks = gradient_tasks(network);
    torch_parallel().over(static_cast<int64_t>(tasks.size()), call.work(), [&](int64_t number) {
      const GradientTask& task = tasks[number];
      const int64_t from = network.widths[task.layer], to = network.widths[task.layer + 1];
      weight_gradient(job.best, network, job.record, data<const T>(saved), job.rows,
                      offsets[task.member], offsets[task.member + 1], task,
                      data<T>(dweights[task.layer]) + (task.member * from + task.first) * to,
                      data<T>(dbiases[task.layer]) + task.member * to);
    });
    results.insert(results.end(), dweights.begin(), dweights.end());
    results.insert(results.end(), dbiases.begin(), dbiases.end());
  }
  for (int64_t which = 0; call.gaussian && which < 2; ++which) {
    results.push_back(job.bound_gradient(x, which));
  }
  return results;
}

}  // namespace

std::tuple<std::vector<Tensor>, Tensor> ensemble_mlp_forward(Tensor x, std::vector<Tensor> weights,
                                                             std::vector<Tensor> biases,
                                                             std::vector<Tensor> bounds,
                                                             std::optional<Tensor> member,
                                                             int64_t activation, bool save) {
  check_float(x, "x");
  const auto run = is_double(x) ? forward_as<double> : forward_as<float>;
  return run(x, weights, biases, bounds, member, activation, save);
}

std::vector<Tensor> ensemble_mlp_backward(std::vector<Tensor> grads, Tensor x,
                                          std::vector<Tensor> weights, std::vector<Tensor> bounds,
                                          std::optional<Tensor> member, Tensor saved,
                                          int64_t activation, bool need_x, bool need_params) {
  check_float(x, "x");
  const auto run = is_double(x) ? backward_as<double> : backward_as<float>;
  return run(grads, x, weights, bounds, member, saved, activation, need_x, need_params);
}

}  // namespace mbpo
