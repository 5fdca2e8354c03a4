#include "backward.cuh"
#include "device.h"
#include "memory.h"
#include "model.cuh"
#include "ops.h"
#include "routing.cuh"
#include "weights.cuh"

namespace mbpo::cuda {
namespace {

// One call, checked: the sizes that every kernel trusts.
struct Call {
  Network network{};
  Routing routing{};
  Head head{};
  int64_t rows;                    // R, of all members
  std::vector<Tensor> kept_alive;  // dense copies, and the sort's results

  Call(const Device& device, const Tensor& x, const std::vector<Tensor>& weights,
       const std::vector<Tensor>& bounds, const std::optional<Tensor>& member, int64_t activation) {
    check_float32(x, "x");
    STD_TORCH_CHECK(!weights.empty() && weights[0].dim() == 3, "weights must be L of [E, I, J]");
    STD_TORCH_CHECK(x.dim() == (member ? 2 : 3), "x must be [E, B, I], or [N, I] with member");
    const int64_t members = weights[0].size(0);
    std::vector<int64_t> widths{weights[0].size(1)};
    for (const Tensor& weight : weights) {
      STD_TORCH_CHECK(alike(x, weight) && weight.dim() == 3 && weight.size(0) == members &&
                          weight.size(1) == widths.back(),
                      "weights must be [", members, ", ", widths.back(), ", J] like x");
      widths.push_back(weight.size(2));
    }
    network = shape_of(widths, members, activation);
    for (size_t l = 0; l < weights.size(); ++l) network.weights[l] = keep(weights[l]);
    STD_TORCH_CHECK(x.size(member ? 1 : 2) == widths[0], "x must be ", widths[0], " wide");
    rows = member ? x.size(0) : members * x.size(1);
    STD_TORCH_CHECK(rows <= INT32_MAX / kWidest, "too many rows");
    routing = {network.members, static_cast<int>(x.size(member ? 0 : 1)), nullptr, nullptr};
    if (member) {
      sort(device, *member);
    } else {
      STD_TORCH_CHECK(x.size(0) == members, "x must be [", members, ", B, I]");
    }
    if (!bounds.empty()) add_head(x, bounds);
  }

  void add_biases(const Tensor& x, const std::vector<Tensor>& biases) {
    STD_TORCH_CHECK(static_cast<int>(biases.size()) == network.layers,
                    "biases must be as many as weights");
    for (int l = 0; l < network.layers; ++l) {
      STD_TORCH_CHECK(alike(x, biases[l]) && biases[l].dim() == 2 &&
                          biases[l].size(0) == network.members &&
                          biases[l].size(1) == network.widths[l + 1],
                      "biases must be [", network.members, ", ", network.widths[l + 1], "] like x");
      network.biases[l] = keep(biases[l]);
    }
  }

  int outputs() const { return head.minimum ? head.outputs : network.outputs(); }

  // [E, B, width] or [N, width]
  Tensor result(const Tensor& x, int64_t width) const {
    if (routing.order) return empty(x, {rows, width});
    return empty(x, {network.members, routing.batch, width});
  }

  template <typename T>
  Matrix<T> matrix(const Tensor& tensor) const {
    T* start = floats(tensor);
    if (routing.order) return {start, 0, tensor.stride(0), tensor.stride(1)};
    return {start, tensor.stride(0), tensor.stride(1), tensor.stride(2)};
  }

  RecordPlan plan() const { return RecordPlan(network, rows, head.minimum != nullptr); }

 private:
  const float* keep(const Tensor& tensor) {
    kept_alive.push_back(dense(tensor));
    return floats(kept_alive.back());
  }

  void sort(const Device& device, const Tensor& member) {
    STD_TORCH_CHECK(on_device(member) && dtype_of(member) == aoti_torch_dtype_int64() &&
                        member.dim() == 1 && member.size(0) == rows,
                    "member must be int64 [", rows, "] on x's device");
    kept_alive.push_back(dense(member));
    SortJob job{data<const int64_t>(kept_alive.back()),
                static_cast<int>(rows),
                network.members,
                nullptr,
                nullptr,
                nullptr};
    // In int64 elements, which hold two int32 each.
    const int64_t starts = int64_t(network.members) * job.blocks();
    const int64_t all = starts + network.members + 1 + rows;
    kept_alive.push_back(empty(member, {all / 2 + 1}));
    job.starts = reinterpret_cast<int*>(data<int64_t>(kept_alive.back()));
    job.offsets = job.starts + starts;
    job.order = job.offsets + network.members + 1;
    device.launch(count_members, job.blocks(), kSortBytes, job);
    device.launch(find_offsets, 1, kSortBytes, job);
    device.launch(place_rows, job.blocks(), kSortBytes, job);
    routing.offsets = job.offsets;
    routing.order = job.order;
  }

  void add_head(const Tensor& x, const std::vector<Tensor>& bounds) {
    const int64_t half = network.outputs() / 2;
    STD_TORCH_CHECK(bounds.size() == 2 && half * 2 == network.outputs(),
                    "bounds must be (min, max) and the last layer 2 * O wide");
    for (const Tensor& bound : bounds) {
      STD_TORCH_CHECK(alike(x, bound) && bound.dim() == 1 && bound.size(0) == half,
                      "logvar_bounds must be [", half, "] like x");
    }
    head = {static_cast<int>(half), keep(bounds[0]), keep(bounds[1])};
  }
};

template <typename S>
void launch_forward(const Device& device, const Call& call, const ForwardJob& job,
                    int64_t precision) {
  constexpr void (*kernels[])(ForwardJob) = {forward_rows<S, Precision::fp32>,
                                             forward_rows<S, Precision::tf32>,
                                             forward_rows<S, Precision::bf16>};
  STD_TORCH_CHECK(0 <= precision && precision < 3, "precision must be 0, 1 or 2, got ", precision);
  const size_t bytes = shared_bytes<S>(call.network.widest(), false);
  device.launch(kernels[precision],
                call.rows == 0 ? 0 : call.routing.most_tiles(call.rows, S::kRows), bytes, job);
}

// Large tiles where there are enough of them for every processor, and the GPU can hold one.
bool wants_large(const Device& device, const Call& call) {
  return call.rows >= Large::kRows * device.processors() &&
         shared_bytes<Large>(call.network.widest(), false) <= device.shared_bytes();
}

void weight_gradients(const Device& device, const Call& call, const Tensor& x, const Record& record,
                      bool tf32, std::vector<Tensor>& results) {
  const Network& network = call.network;
  WeightJob<StoreGradient> job{network, call.routing, record, {}};
  for (int l = 0; l < network.layers; ++l) {
    results.push_back(empty(x, {network.members, network.widths[l], network.widths[l + 1]}));
    job.update.weights[l] = floats(results.back());
  }
  for (int l = 0; l < network.layers; ++l) {
    results.push_back(empty(x, {network.members, network.widths[l + 1]}));
    job.update.biases[l] = floats(results.back());
  }
  device.launch(tf32 ? weight_gradient<Precision::tf32, StoreGradient>
                     : weight_gradient<Precision::fp32, StoreGradient>,
                count_squares(network), kSquareBytes, job);
}

}  // namespace

std::tuple<std::vector<Tensor>, Tensor> ensemble_mlp_forward(
    Tensor x, std::vector<Tensor> weights, std::vector<Tensor> biases, std::vector<Tensor> bounds,
    std::optional<Tensor> member, int64_t activation, bool save, int64_t precision) {
  const Device device(x);
  Call call(device, x, weights, bounds, member, activation);
  call.add_biases(x, biases);
  const RecordPlan plan = call.plan();
  std::vector<Tensor> results{call.result(x, call.outputs())};
  if (call.head.minimum) results.push_back(call.result(x, call.outputs()));
  Tensor saved = empty(x, {save ? plan.kept_size() : 0});
  ForwardJob job{call.network, call.routing, call.head, call.matrix<const float>(x), {}, save, {}};
  for (size_t i = 0; i < results.size(); ++i) job.outputs[i] = call.matrix<float>(results[i]);
  if (save) job.record = plan.at(floats(saved), nullptr);
  const auto run = wants_large(device, call) ? launch_forward<Large> : launch_forward<Small>;
  run(device, call, job, precision);
  return {results, saved};
}

std::tuple<Tensor, Tensor> model_step(Tensor x, std::vector<Tensor> weights,
                                      std::vector<Tensor> biases, std::vector<Tensor> bounds,
                                      Tensor member, std::vector<Tensor> scales, Tensor noise,
                                      int64_t activation, bool tf32) {
  const Device device(x);
  STD_TORCH_CHECK(bounds.size() == 2, "bounds must be (min, max)");
  Call call(device, x, weights, bounds, member, activation);
  call.add_biases(x, biases);
  const int64_t inputs = call.network.inputs(), outputs = call.outputs();
  STD_TORCH_CHECK(outputs - 1 <= inputs,
                  "the model must predict a reward and changes of its input");
  check_state(x, scales, {}, {}, {inputs, inputs, outputs, outputs});
  check_matrix(x, noise, "noise", call.rows, outputs);
  Tensor reward = empty(x, {call.rows}), next_obs = empty(x, {call.rows, outputs - 1});
  const ModelJob job{call.network,
                     call.routing,
                     call.head,
                     call.matrix<const float>(x),
                     floats(scales[0]),
                     floats(scales[1]),
                     floats(scales[2]),
                     floats(scales[3]),
                     call.matrix<const float>(noise),
                     {floats(reward), 0, 1, 1},
                     call.matrix<float>(next_obs)};
  const auto run = [&](auto shape, auto rounded, auto exact) {
    using S = decltype(shape);
    const int64_t blocks = call.rows == 0 ? 0 : call.routing.most_tiles(call.rows, S::kRows);
    device.launch(tf32 ? rounded : exact, blocks, shared_bytes<S>(call.network.widest(), false),
                  job);
  };
  if (wants_large(device, call)) {
    run(Large{}, model_rows<Large, Precision::tf32>, model_rows<Large, Precision::fp32>);
  } else {
    run(Small{}, model_rows<Small, Precision::tf32>, model_rows<Small, Precision::fp32>);
  }
  return {reward, next_obs};
}

std::vector<Tensor> ensemble_mlp_backward(std::vector<Tensor> grads, Tensor x,
                                          std::vector<Tensor> weights, std::vector<Tensor> bounds,
                                          std::optional<Tensor> member, Tensor saved,
                                          int64_t activation, bool need_x, bool need_params,
                                          bool tf32) {
  const Device device(x);
  const Call call(device, x, weights, bounds, member, activation);
  const RecordPlan plan = call.plan();
  STD_TORCH_CHECK(alike(x, saved) && saved.is_contiguous() && saved.numel() == plan.kept_size(),
                  "saved must come from the forward pass of the same call");
  STD_TORCH_CHECK(grads.size() == (call.head.minimum ? 2u : 1u), "one gradient for each output");
  BackwardJob job{call.network, call.routing, call.head, {}, {}, nullptr, {}, need_params, need_x};
  for (size_t i = 0; i < grads.size(); ++i) {
    STD_TORCH_CHECK(alike(x, grads[i]) && grads[i].dim() == x.dim() &&
                        grads[i].numel() == call.rows * call.outputs(),
                    "a gradient must have the shape of its output");
    job.gradients[i] = call.matrix<const float>(grads[i]);
  }
  const Tensor added = empty(x, {need_params ? plan.added_size() : 0});
  job.record = plan.at(floats(saved), need_params ? floats(added) : nullptr);
  const int64_t blocks = call.rows == 0 ? 0 : call.routing.most_tiles(call.rows, Small::kRows);
  const Tensor sums = empty(x, {blocks * kBlockSums * call.head.outputs});
  job.block_sums = floats(sums);
  std::vector<Tensor> results;
  if (need_x) {
    results.push_back(call.result(x, call.network.inputs()));
    job.dx = call.matrix<float>(results.back());
  }
  device.launch(
      tf32 ? backward_rows<Small, Precision::tf32> : backward_rows<Small, Precision::fp32>, blocks,
      shared_bytes<Small>(call.network.widest(), true), job);
  if (need_params) weight_gradients(device, call, x, job.record, tf32, results);
  if (!call.head.minimum) return results;
  BoundsJob last{static_cast<int>(blocks), call.head.outputs, job.block_sums, nullptr, nullptr};
  for (float** bound : {&last.minimum, &last.maximum}) {
    results.push_back(empty(x, {call.head.outputs}));
    *bound = floats(results.back());
  }
  device.launch(add_bounds, 1, 0, last);
  return results;
}

}  // namespace mbpo::cuda
