// Scalar functions of the network, written so that a loop over them vectorises.
//
// No branch depends on data and no call leaves the loop in float. NaN goes in and NaN comes out;
// an infinity gives what the C library gives. double is there for checks and calls the C library.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#define MBPO_INLINE inline __attribute__((always_inline))

namespace mbpo {

// The numbers are part of the operator's schema; mbpo/ops/native.py holds the same table.
enum class Activation : int64_t { identity = 0, relu = 1, tanh = 2, silu = 3 };

// Return exp(x) for x <= 0; relative error below 2e-7, and 0 where the result is subnormal.
MBPO_INLINE float exp_nonpositive(float x) {
  // Adding 1.5 * 2^23 rounds x / ln 2 to an integer n, which is then in the low mantissa bits.
  constexpr float kRound = 12582912.0f;
  const float shifted = x * 1.44269504088896341f + kRound;
  const float n = shifted - kRound;
  // ln 2 in two parts: the first has few bits, so n times it is exact.
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.0f / 5040.0f;  // Taylor: |r| <= ln 2 / 2 leaves r^8 / 8! < 6e-9
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + (127u << 23);
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return x < -87.0f ? 0.0f : p * scale;
}

MBPO_INLINE double exp_nonpositive(double x) { return std::exp(x); }

// Return log(1 + t) for t in [0, 1]; relative error below 2e-7.
MBPO_INLINE float log1p_unit(float t) {
  const float s = t / (2.0f + t);  // log(1 + t) = 2 atanh(s), and s <= 1/3
  const float q = s * s;
  float p = 1.0f / 15.0f;
  p = p * q + 1.0f / 13.0f;
  p = p * q + 1.0f / 11.0f;
  p = p * q + 1.0f / 9.0f;
  p = p * q + 1.0f / 7.0f;
  p = p * q + 1.0f / 5.0f;
  p = p * q + 1.0f / 3.0f;
  p = p * q + 1.0f;
  return 2.0f * s * p;
}

MBPO_INLINE double log1p_unit(double t) { return std::log1p(t); }

template <typename T>
MBPO_INLINE T absolute(T x) {
  return x < T(0) ? -x : x;
}

template <typename T>
MBPO_INLINE T sigmoid(T z) {
  const T e = exp_nonpositive(-absolute(z));
  return (z >= T(0) ? T(1) : e) / (T(1) + e);
}

template <typename T>
MBPO_INLINE T softplus(T z) {
  return (z > T(0) ? z : T(0)) + log1p_unit(exp_nonpositive(-absolute(z)));
}

MBPO_INLINE float tanh_of(float z) {
  const float a = absolute(z);
  const float q = z * z;
  // Near zero 1 - exp(-2a) cancels; there the Pade [5/4] quotient is exact to rounding.
  const float near = a * (945.0f + q * (105.0f + q)) / (945.0f + q * (420.0f + 15.0f * q));
  const float e = exp_nonpositive(-2.0f * a);
  const float size = a < 0.5f ? near : (1.0f - e) / (1.0f + e);
  return z < 0.0f ? -size : size;
}

MBPO_INLINE double tanh_of(double z) { return std::tanh(z); }

template <Activation A, typename T>
MBPO_INLINE T activate(T z) {
  if constexpr (A == Activation::relu) return z <= T(0) ? T(0) : z;
  if constexpr (A == Activation::tanh) return tanh_of(z);
  if constexpr (A == Activation::silu) return z * sigmoid(z);
  return z;
}

}  // namespace mbpo
