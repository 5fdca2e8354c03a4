// One update of soft actor-critic: critics, targets, actor and temperature. Free of torch.
#pragma once

#include "mbpo/adam.h"
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
};

// A part (critics, actor, alpha, targets, in this order) with a loss, gradient, new moment or new
// weight that is not finite does not move, nor does any after it: critic_loss, actor_loss, alpha or
// q_mean is NaN for each that does not.
struct SacValues {
  double critic_loss, actor_loss, alpha, entropy, q_mean;
};

template <typename T>
SacValues sac_update(const SacUpdate<T>& job, const Kernels<T>& kernels, const Parallel& parallel);

}  // namespace mbpo
