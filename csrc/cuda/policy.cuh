// A tanh-squashed Gaussian policy on one tile: its sample, and the gradient back to its sums.
#pragma once

#include "network.cuh"

namespace mbpo::cuda {

// a = center + scale tanh(z), z = mean + std noise.
struct Policy {
  int actions;          // A: the actor's last layer is 2 A wide
  const float* center;  // [A]
  const float* scale;   // [A]
  float log_std_min, log_std_max;

  __device__ __forceinline__ float log_std(float raw) const {
    return raw < log_std_min ? log_std_min : raw > log_std_max ? log_std_max : raw;
  }
};

struct Sampled {
  float action, log_prob;  // one action's share of log pi
};

__device__ __forceinline__ Sampled sample(const Policy& policy, int j, float mean, float raw_std,
                                          float noise) {
  constexpr float half_log_two_pi = 0.918938533204672742f, log_two = 0.693147180559945309f;
  const float log_std = policy.log_std(raw_std), z = mean + expf(log_std) * noise;
  const float gaussian = -0.5f * noise * noise - log_std - half_log_two_pi;
  const float squash = logf(policy.scale[j]) + 2.0f * (log_two - z - softplus(-2.0f * z));
  return {policy.center[j] + policy.scale[j] * tanhf(z), gaussian - squash};
}

struct SampleGradient {
  float mean, raw_std;
};

// d log_prob / dz = 2 tanh(z) at fixed noise, and -1 for log_std beside its way through z.
__device__ __forceinline__ SampleGradient sample_gradient(const Policy& policy, int j, float mean,
                                                          float raw_std, float noise,
                                                          float to_action, float to_log_prob) {
  const float spread = expf(policy.log_std(raw_std)) * noise, squashed = tanhf(mean + spread);
  const float to_z =
      to_action * policy.scale[j] * (1.0f - squashed * squashed) + to_log_prob * 2.0f * squashed;
  const bool free = raw_std >= policy.log_std_min && raw_std <= policy.log_std_max;
  return {to_z, free ? to_z * spread - to_log_prob : 0.0f};
}

}  // namespace mbpo::cuda
