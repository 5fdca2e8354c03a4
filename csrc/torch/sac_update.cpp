#include "sac_update.h"

#include "mbpo/sac_update.h"

namespace mbpo {
namespace {

constexpr int64_t kCritics = 2;

template <typename T>
Tensor sac_update_as(const Tensor& batch, const Tensor& noise, const Tensor& center,
                     const Tensor& scale, const std::vector<Tensor>& parameters,
                     const std::vector<Tensor>& moments, const std::vector<Tensor>& second_moments,
                     const std::vector<Tensor>& steps, const Tensor& target,
                     const std::vector<int64_t>& actor_widths,
                     const std::vector<int64_t>& critic_widths, Activation activation,
                     const std::vector<double>& numbers, const std::vector<AdamSettings>& adam) {
  const int64_t rows = batch.size(0), actions = actor_widths.back() / 2;
  const auto state = [&](size_t which) {
    return adam_state<T>(which, parameters, moments, second_moments, steps);
  };
  const auto critic = [&](const Tensor& flat) {
    return network_in<T>(data<const T>(flat), critic_widths, kCritics, activation);
  };
  const auto noise_of = [&](int64_t which) {
    return Rows<const T>{data<const T>(noise) + which * noise.stride(0), noise.stride(1),
                         noise.stride(2), nullptr, rows};
  };
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
                         rows_of<const T>(batch, 0, rows),
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
                         adam[2]};
  const SacValues values = sac_update(job, kernels<T>(), torch_parallel());
  const Tensor result = empty(batch, {5});
  T* out = data<T>(result);
  out[0] = static_cast<T>(values.critic_loss);
  out[1] = static_cast<T>(values.actor_loss);
  out[2] = static_cast<T>(values.alpha);
  out[3] = static_cast<T>(values.entropy);
  out[4] = static_cast<T>(values.q_mean);
  return result;
}

}  // namespace

Tensor sac_update(Tensor batch, Tensor noise, Tensor center, Tensor scale,
                  std::vector<Tensor> parameters, std::vector<Tensor> moments,
                  std::vector<Tensor> second_moments, std::vector<Tensor> steps, Tensor target,
                  std::vector<int64_t> actor_widths, std::vector<int64_t> critic_widths,
                  int64_t activation, std::vector<double> numbers, std::vector<double> adam) {
  check_float(batch, "batch");
  check_widths(actor_widths, activation);
  check_widths(critic_widths, activation);
  const int64_t obs = actor_widths.front(), actions = actor_widths.back() / 2;
  STD_TORCH_CHECK(actor_widths.back() == 2 * actions && critic_widths.front() == obs + actions &&
                      critic_widths.back() == 1,
                  "the actor must map O to 2 * A and the critics O + A to 1");
  STD_TORCH_CHECK(batch.dim() == 2 && batch.size(0) > 0, "batch must be [B, W] with B at least 1");
  const int64_t rows = batch.size(0);
  check_matrix(batch, batch, "batch", rows, 2 * obs + actions + 2);
  STD_TORCH_CHECK(noise.dim() == 3 && noise.size(0) == 2 && noise.size(1) == rows &&
                      noise.size(2) == actions && noise.is_cpu() &&
                      dtype_of(noise) == dtype_of(batch),
                  "noise must be [2, ", rows, ", ", actions, "] like batch");
  const int64_t critic_size = flat_size(critic_widths, kCritics);
  check_state(batch, parameters, moments, second_moments,
              {flat_size(actor_widths, 1), critic_size, 1});
  check_state(batch, {target, center, scale}, {}, {}, {critic_size, actions, actions});
  STD_TORCH_CHECK(numbers.size() == 5 && adam.size() == 12, "5 numbers and 12 of adam expected");
  check_steps(steps, parameters.size());
  std::vector<AdamSettings> settings;
  for (int64_t i = 0; i < 12; i += 4) {
    settings.push_back(adam_settings({adam[i], adam[i + 1], adam[i + 2], adam[i + 3]}));
  }
  const auto run = is_double(batch) ? sac_update_as<double> : sac_update_as<float>;
  return run(batch, noise, center, scale, parameters, moments, second_moments, steps, target,
             actor_widths, critic_widths, static_cast<Activation>(activation), numbers, settings);
}

}  // namespace mbpo
