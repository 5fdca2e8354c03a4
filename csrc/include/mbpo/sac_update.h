// Updates of soft actor-critic: critics, targets, actor and temperature. Free of torch.
#pragma once

#include "mbpo/adam.h"
#include "mbpo/bf16.h"
#include "mbpo/network.h"

namespace mbpo {

// The arithmetic of mbpo/sac/losses.py and mbpo/sac/agent.py, which define it.
template <typename T>
struct SacUpdate {
  Network<T> actor, critic, critic_target;  // E = 1, 2 and 2
  AdamState<T> actor_state, critic_state, log_alpha;
  T* target_parameters;
  int64_t rows, obs, actions;       // B, O, A
  Rows<const T> batch;              // [B, 2 O + A + 2]: obs, action, reward, next_obs, terminated
  Rows<const T> next_noise, noise;  // [B, A], standard normal
  const T* center;                  // [A]
  const T* scale;                   // [A]
  double log_std_min, log_std_max;
  double gamma, tau, target_entropy;
  AdamSettings actor_adam, critic_adam, alpha_adam;
  // Further updates, each on a batch and noise of its own, so far from those before.
  int64_t updates = 1, batch_apart = 0, noise_apart = 0;
  // How much each row counts in the critics' loss, [B, 1]; without data 1.
  Rows<const T> row_weights = {};
  int64_t row_weights_apart = 0;
};

// A part (critics, actor, alpha, targets, in this order) with a loss, gradient, new moment or new
// weight that is not finite does not move, nor does any after it: critic_loss, actor_loss, alpha or
// q_mean is NaN for each that does not.
struct SacValues {
  double critic_loss, actor_loss, alpha, entropy, q_mean;
};

// Take the job's updates, one after the other, and write what they report to values [updates].
template <typename T>
void sac_updates(const SacUpdate<T>& job, const Kernels<T>& kernels, const Parallel& parallel,
                 SacValues* values);

// The same with products of bfloat16.
void sac_updates(const SacUpdate<float>& job, const Kernels<float>& kernels,
                 const Bf16Kernels& products, const Parallel& parallel, SacValues* values);

}  // namespace mbpo
