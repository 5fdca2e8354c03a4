// Adam, torch.optim.Adam's arithmetic with coupled decay, in two passes: one stores the gradients
// and looks at what they would make of every number, and the next steps where all of it is finite.
#pragma once

#include "gate.cuh"
#include "network.cuh"

namespace mbpo::cuda {

// A parameter with its running moments, all of one length.
struct AdamState {
  float* parameter;
  float* moment;
  float* second_moment;
};

// What a step needs beside them. It is counted on the device, so that a captured graph can be
// replayed: one thread of an update's first kernel prepares, and later kernels read.
struct AdamClock {
  float learning_rate, beta1, beta2, epsilon;
  float* step;        // torch's: the number of steps taken
  float* correction;  // [2]: lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t) of the next step

  __device__ __forceinline__ void prepare() const {
    const double t = *step + 1.0f;
    correction[0] = static_cast<float>(learning_rate / (1 - pow(double(beta1), t)));
    correction[1] = static_cast<float>(1 / sqrt(1 - pow(double(beta2), t)));
  }
  __device__ __forceinline__ void count() const { *step += 1.0f; }
};

// What a step makes of one number.
struct Stepped {
  float parameter, moment, second_moment;

  // A gradient or first moment that is not finite shows in these.
  __device__ __forceinline__ bool finite() const {
    return cuda::finite(parameter) && cuda::finite(second_moment);
  }
};

// `gradient` with its decay in it.
__device__ __forceinline__ Stepped stepped(const AdamState& state, const AdamClock& clock,
                                           int64_t at, float gradient) {
  const float m = clock.beta1 * state.moment[at] + (1.0f - clock.beta1) * gradient;
  const float v =
      clock.beta2 * state.second_moment[at] + (1.0f - clock.beta2) * gradient * gradient;
  const float p = state.parameter[at] -
                  clock.correction[0] * m / (sqrtf(v) * clock.correction[1] + clock.epsilon);
  return {p, m, v};
}

__device__ __forceinline__ void adam(const AdamState& state, const AdamClock& clock, int64_t at,
                                     float gradient) {
  const Stepped to = stepped(state, clock, at, gradient);
  state.parameter[at] = to.parameter;
  state.moment[at] = to.moment;
  state.second_moment[at] = to.second_moment;
}

// The first pass, for weight_gradient: the network's pointers lie in state.parameter, layer by
// layer weights [E, I, J], biases [E, J] and, of a norm, gains and shifts [E, J]. `Job` looks at
// the rest of its part.
template <typename Job>
struct AdamUpdate {
  AdamState state;
  AdamClock clock;
  float decay[kMostLayers];  // of the weights, by layer
  float* gradient;           // as state.parameter
  int part;
  Job job;

  __device__ __forceinline__ void begin() const { job.look(part); }
  __device__ __forceinline__ void weight(const Network& network, int layer, int member, int i,
                                         int j, float dweight) const {
    take(network.weight(layer, member) - state.parameter + int64_t(i) * network.widths[layer + 1] +
             j,
         dweight, decay[layer]);
  }
  __device__ __forceinline__ void bias(const Network& network, int layer, int member, int j,
                                       float dbias) const {
    take(network.bias(layer, member) - state.parameter + j, dbias, 0.0f);
  }
  __device__ __forceinline__ void norm(const Network& network, int layer, int member, int j,
                                       float dgain, float dshift) const {
    const Norm norm = network.norm(layer, member);
    take(norm.gain - state.parameter + j, dgain, 0.0f);
    take(norm.shift - state.parameter + j, dshift, 0.0f);
  }
  __device__ __forceinline__ void take(int64_t at, float raw, float decay_here) const {
    const float g = raw + decay_here * state.parameter[at];
    gradient[at] = g;
    if (!stepped(state, clock, at, g).finite()) job.gate.close(part);
  }
};

}  // namespace mbpo::cuda
