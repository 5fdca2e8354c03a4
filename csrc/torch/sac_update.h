// Updates of soft actor-critic on tensors.
#pragma once

#include "tensors.h"

namespace mbpo {

// Updates parameters, moments, second_moments and steps, each (actor, critic, log_alpha), and
// target in place, once on each batch [B, W] of K; returns [K, 5]: critic loss, actor loss, alpha,
// entropy, mean value. noise is [K, 2, B, A], for next_obs and obs; weights [K, B] say how much
// each row counts in the critics' loss, 1 without them. numbers: gamma, tau, target_entropy,
// log_std_min, log_std_max. adam holds (learning rate, beta1, beta2, epsilon) of actor, critic and
// log_alpha, one after the other. With critic_norm the critics' hidden layers are normalised.
Tensor sac_update(Tensor batch, Tensor noise, std::optional<Tensor> weights, Tensor center,
                  Tensor scale, std::vector<Tensor> parameters, std::vector<Tensor> moments,
                  std::vector<Tensor> second_moments, std::vector<Tensor> steps, Tensor target,
                  std::vector<int64_t> actor_widths, std::vector<int64_t> critic_widths,
                  int64_t activation, bool critic_norm, std::vector<double> numbers,
                  std::vector<double> adam, bool bfloat16);

}  // namespace mbpo
