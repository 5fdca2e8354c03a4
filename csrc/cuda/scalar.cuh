// Functions of one number: activations, their derivatives, and the two soft clamps of logvar.
#pragma once

#include "gpu.cuh"
#include "mbpo/activation.h"

namespace mbpo::cuda {

__device__ __forceinline__ float sigmoid(float z) { return 1.0f / (1.0f + expf(-z)); }

__device__ __forceinline__ float softplus(float z) {
  return (z > 0.0f ? z : 0.0f) + log1pf(expf(-fabsf(z)));
}

// act(z) and what the backward pass wants of it: act'(z) for silu, else nothing.
__device__ __forceinline__ float activate(Activation activation, float z, float& slope) {
  switch (activation) {
    case Activation::identity: break;
    case Activation::relu: return z <= 0.0f ? 0.0f : z;  // NaN stays
    case Activation::tanh: return tanhf(z);
    case Activation::silu: {
      const float s = sigmoid(z), h = z * s;
      slope = s + h * (1.0f - s);
      return h;
    }
  }
  return z;
}

// act'(z) from what the layer kept: its slope, or h = act(z).
__device__ __forceinline__ float derivative(Activation activation, float kept) {
  switch (activation) {
    case Activation::identity: return 1.0f;
    case Activation::relu: return kept > 0.0f ? 1.0f : 0.0f;
    case Activation::tanh: return 1.0f - kept * kept;
    case Activation::silu: return kept;
  }
  return 1.0f;
}

// act'(y)
__device__ __forceinline__ float slope_at(Activation activation, float y) {
  float slope = 0.0f;
  const float h = activate(activation, y, slope);
  return keeps_slope(activation) ? slope : derivative(activation, h);
}

// logvar = min(low + softplus(u - low), high) with u = high - softplus(high - raw).
__device__ __forceinline__ float clamp_logvar(float raw, float low, float high) {
  const float upper = high - softplus(high - raw);
  const float both = low + softplus(upper - low);
  return both > high ? high : both;
}

// What a gradient with respect to logvar is worth to raw and to the two bounds.
struct ClampGradient {
  float raw, low, high;
};

__device__ __forceinline__ ClampGradient clamp_gradient(float raw, float low, float high,
                                                        float gradient) {
  const float upper = high - softplus(high - raw);
  if (low + softplus(upper - low) > high) return {0.0f, 0.0f, gradient};
  const float through = gradient * sigmoid(upper - low);
  return {through * sigmoid(high - raw), gradient * sigmoid(low - upper),
          through * sigmoid(raw - high)};
}

}  // namespace mbpo::cuda
