// Adam, torch.optim.Adam's arithmetic with coupled decay, and where it takes finished gradients.
#pragma once

#include "network.cuh"

namespace mbpo::cuda {

// A parameter with its running moments, all of one length.
struct AdamState {
  float* parameter;
  float* moment;
  float* second_moment;
};

// What a step needs beside them. It is counted on the device, so that a captured graph can be
// replayed: one thread of a step's first kernel advances, and later kernels read.
struct AdamClock {
  float learning_rate, beta1, beta2, epsilon;
  float* step;        // torch's: the number of steps taken
  float* correction;  // [2]: lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t)

  __device__ __forceinline__ void advance() const {
    const double t = ++*step;
    correction[0] = static_cast<float>(learning_rate / (1 - pow(double(beta1), t)));
    correction[1] = static_cast<float>(1 / sqrt(1 - pow(double(beta2), t)));
  }
};

// Take the step on one number; a gradient that is not finite moves nothing.
__device__ __forceinline__ void adam(const AdamState& state, const AdamClock& clock, int64_t at,
                                     float gradient, float decay) {
  const float p = state.parameter[at], g = gradient + decay * p;
  if (!(fabsf(g) < INFINITY)) return;
  const float m = clock.beta1 * state.moment[at] + (1.0f - clock.beta1) * g;
  const float v = clock.beta2 * state.second_moment[at] + (1.0f - clock.beta2) * g * g;
  state.moment[at] = m;
  state.second_moment[at] = v;
  state.parameter[at] =
      p - clock.correction[0] * m / (sqrtf(v) * clock.correction[1] + clock.epsilon);
}

// An update for weight_gradient: the network's pointers lie in state.parameter, layer by layer
// weights [E, I, J] and then biases [E, J].
struct AdamUpdate {
  AdamState state;
  AdamClock clock;
  float decay[kMostLayers];  // of the weights, by layer
  float* target;             // null, or target += tau (parameter - target) after the step
  float tau;

  __device__ __forceinline__ void weight(const Network& network, int layer, int member, int i,
                                         int j, float gradient) const {
    take(network.weight(layer, member) - state.parameter + int64_t(i) * network.widths[layer + 1] +
             j,
         gradient, decay[layer]);
  }
  __device__ __forceinline__ void bias(const Network& network, int layer, int member, int j,
                                       float gradient) const {
    take(network.bias(layer, member) - state.parameter + j, gradient, 0.0f);
  }
  __device__ __forceinline__ void take(int64_t at, float gradient, float decay_here) const {
    adam(state, clock, at, gradient, decay_here);
    if (target) target[at] += tau * (state.parameter[at] - target[at]);
  }
};

}  // namespace mbpo::cuda
