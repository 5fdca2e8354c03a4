#include "ensemble_mlp.h"

#include <algorithm>

#include "call.h"
#include "parallel.h"

namespace mbpo {
namespace {

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
