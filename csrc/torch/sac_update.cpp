#include "sac_update.h"

#include "ensemble_mlp.h"
#include "mbpo/sac_update.h"
#include "parallel.h"

namespace mbpo {
namespace {

constexpr int64_t kCritics = 2;

template <typename T>
Tensor sac_update_as(const Tensor& batch, const Tensor& noise, const std::optional<Tensor>& weights,
                     const Tensor& center, const Tensor& scale,
                     const std::vector<Tensor>& parameters, const std::vector<Tensor>& moments,
                     const std::vector<Tensor>& second_moments, const std::vector<Tensor>& steps,
                     const Tensor& target, const std::vector<int64_t>& actor_widths,
                     const std::vector<int64_t>& critic_widths, Activation activation,
                     bool critic_norm, const std::vector<double>& numbers,
                     const std::vector<AdamSettings>& adam, bool bfloat16) {
  const int64_t updates = batch.size(0), rows = batch.size(1), actions = actor_widths.back() / 2;
  const auto state = [&](size_t which) {
    return adam_state<T>(which, parameters, moments, second_moments, steps);
  };
  const auto critic = [&](const Tensor& flat) {
    return network_in<T>(data<const T>(flat), critic_widths, kCritics, activation, critic_norm);
  };
  const auto noise_of = [&](int64_t which) {
    return Rows<const T>{data<const T>(noise) + which * noise.stride(1), noise.stride(2),
                         noise.stride(3), nullptr, rows};
  };
  const Rows<const T> row_weights =
      weights ? Rows<const T>{data<const T>(*weights), weights->stride(1), 1, nullptr, rows}
              : Rows<const T>{};
  const SacUpdate<T> job{network_in<T>(data<const T>(parameters[0]), actor_widths, 1, activation),
                         critic(parameters[1]),
                         critic(target),
                         state(0),
                         state(1),
                         state(2),
                         data<T>(target),
                         rows,
                         actor_widths.front(),
                         actions,
                         {data<const T>(batch), batch.stride(1), batch.stride(2), nullptr, rows},
                         noise_of(0),
                         noise_of(1),
                         data<const T>(center),
                         data<const T>(scale),
                         numbers[3],
                         numbers[4],
                         numbers[0],
                         numbers[1],
                         numbers[2],
                         adam[0],
                         adam[1],
                         adam[2],
                         updates,
                         batch.stride(0),
                         noise.stride(0),
                         row_weights,
                         weights ? weights->stride(0) : 0};
  std::vector<SacValues> values(updates);
  if constexpr (std::is_same_v<T, float>) {
    if (bfloat16) {
      sac_updates(job, kernels<T>(), *bf16_kernels(), torch_parallel(), values.data());
    }
  }
  if (!bfloat16) sac_updates(job, kernels<T>(), torch_parallel(), values.data());
  const Tensor result = empty(batch, {updates, 5});
  T* out = data<T>(result);
  for (const SacValues& v : values) {
    for (const double value : {v.critic_loss, v.actor_loss, v.alpha, v.entropy, v.q_mean}) {
      *out++ = static_cast<T>(value);
    }
  }
  return result;
}

}  // namespace

Tensor sac_update(Tensor batch, Tensor noise, std::optional<Tensor> weights, Tensor center,
                  Tensor scale, std::vector<Tensor> parameters, std::vector<Tensor> moments,
                  std::vector<Tensor> second_moments, std::vector<Tensor> steps, Tensor target,
                  std::vector<int64_t> actor_widths, std::vector<int64_t> critic_widths,
                  int64_t activation, bool critic_norm, std::vector<double> numbers,
                  std::vector<double> adam, bool bfloat16) {
  check_float(batch, "batch");
  check_widths(actor_widths, activation);
  check_widths(critic_widths, activation);
  const int64_t obs = actor_widths.front(), actions = actor_widths.back() / 2;
  STD_TORCH_CHECK(actor_widths.back() == 2 * actions && critic_widths.front() == obs + actions &&
                      critic_widths.back() == 1,
                  "the actor must map O to 2 * A and the critics O + A to 1");
  const int64_t width = 2 * obs + actions + 2;
  STD_TORCH_CHECK(batch.dim() == 3 && batch.numel() > 0 && batch.size(2) == width,
                  "batch must be [K, B, ", width, "] with K and B at least 1");
  const int64_t updates = batch.size(0), rows = batch.size(1);
  STD_TORCH_CHECK(noise.dim() == 4 && noise.size(0) == updates && noise.size(1) == 2 &&
                      noise.size(2) == rows && noise.size(3) == actions && alike(batch, noise),
                  "noise must be [", updates, ", 2, ", rows, ", ", actions, "] like batch");
  if (weights) check_matrix(batch, *weights, "weights", updates, rows);
  const int64_t critic_size = flat_size(critic_widths, kCritics, critic_norm);
  check_state(batch, parameters, moments, second_moments,
              {flat_size(actor_widths, 1), critic_size, 1});
  check_state(batch, {target, center, scale}, {}, {}, {critic_size, actions, actions});
  STD_TORCH_CHECK(numbers.size() == 5 && adam.size() == 12, "5 numbers and 12 of adam expected");
  check_steps(steps, parameters.size());
  if (bfloat16) check_bf16(batch);
  std::vector<AdamSettings> settings;
  for (int64_t i = 0; i < 12; i += 4) {
    settings.push_back(adam_settings({adam[i], adam[i + 1], adam[i + 2], adam[i + 3]}));
  }
  const auto run = is_double(batch) ? sac_update_as<double> : sac_update_as<float>;
  return run(batch, noise, weights, center, scale, parameters, moments, second_moments, steps,
             target, actor_widths, critic_widths, static_cast<Activation>(activation), critic_norm,
             numbers, settings, bfloat16);
}

}  // namespace mbpo
