// Vectors of one instruction set, and the scalar functions of the network on them.
//
// Included once for each instruction set, after its namespace MBPO_ISA and the size MBPO_BYTES of
// its vectors are defined and its instructions are switched on. Everything is inlined: a function
// that another instruction set's file could link to would bring instructions that the processor
// may lack. Functions of X take a lane (float, double) or a vector of them.
#pragma once

#define MBPO_INLINE inline __attribute__((always_inline))

namespace mbpo::MBPO_ISA {

template <typename T>
struct Simd {
  static constexpr int64_t kLanes = MBPO_BYTES / sizeof(T);
  typedef T Vector __attribute__((vector_size(MBPO_BYTES), may_alias));
  typedef T Unaligned __attribute__((vector_size(MBPO_BYTES), aligned(sizeof(T)), may_alias));
};
template <typename T>
using Vec = typename Simd<T>::Vector;
template <typename T>
constexpr int64_t kLanes = Simd<T>::kLanes;

typedef uint32_t BitsVector __attribute__((vector_size(MBPO_BYTES)));

template <typename T>
MBPO_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const Vec<T>*>(p);
}
template <typename T>
MBPO_INLINE Vec<T> load_unaligned(const T* p) {
  return *reinterpret_cast<const typename Simd<T>::Unaligned*>(p);
}
template <typename T>
MBPO_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<Vec<T>*>(p) = v;
}
template <typename T>
MBPO_INLINE void store_unaligned(T* p, Vec<T> v) {
  *reinterpret_cast<typename Simd<T>::Unaligned*>(p) = v;
}
template <typename T>
MBPO_INLINE Vec<T> broadcast(T x) {
  return x - Vec<T>{};
}

// exp(x) for x held to -87 from below, infinity above 88; relative error below 2e-7. NaN stays NaN.
// B is X's bits.
template <typename B, typename X>
MBPO_INLINE X exp_float(X x) {
  const X low = X{} - 87.0f, high = X{} + 88.0f;
  const auto beyond = x > high;
  x = x < low ? low : x;
  x = beyond ? high : x;
  // Adding 1.5 * 2^23 rounds x / ln 2 to an integer n, which is then in the low mantissa bits.
  const X shifted = x * 1.44269504088896341f + 12582912.0f;
  const X n = shifted - 12582912.0f;
  // ln 2 in two parts: the first has few bits, so n times it is exact.
  X r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  // Minimax of relative error 3e-9 on |r| <= ln 2 / 2, its first two coefficients fixed.
  X p = r * 0.00138145f + 0.00836875f;
  p = p * r + 0.04166839f;
  p = p * r + 0.1666652f;
  p = p * r + 0.49999993f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // Adding n to the exponent multiplies by 2^n; p lies in [0.7, 1.42], so nothing overflows.
  B exponent, mantissa;
  __builtin_memcpy(&exponent, &shifted, sizeof exponent);
  __builtin_memcpy(&mantissa, &p, sizeof mantissa);
  mantissa += exponent << 23;
  __builtin_memcpy(&p, &mantissa, sizeof p);
  return beyond ? X{} + std::numeric_limits<float>::infinity() : p;
}

// log(1 + t) for t in [0, 1]; relative error below 2e-7.
template <typename X>
MBPO_INLINE X log1p_unit_float(X t) {
  const X s = t / (t + 2.0f);  // log(1 + t) = 2 atanh(s), and s <= 1/3
  const X q = s * s;
  X p = q * (1.0f / 15.0f) + 1.0f / 13.0f;
  p = p * q + 1.0f / 11.0f;
  p = p * q + 1.0f / 9.0f;
  p = p * q + 1.0f / 7.0f;
  p = p * q + 1.0f / 5.0f;
  p = p * q + 1.0f / 3.0f;
  p = p * q + 1.0f;
  return 2.0f * s * p;
}

MBPO_INLINE float exp_of(float x) { return exp_float<uint32_t>(x); }
#if MBPO_BYTES == 64 && !defined(__clang__)
// 2^n 2^r in ten instructions for the epilogue of every hidden layer. No __AVX512F__ tells that it
// can be had: GCC 12 sets that only after it has read the whole file. The full masks cost nothing
// and spare GCC 12's warning that its unmasked intrinsics start from an undefined vector.
MBPO_INLINE Vec<float> exp_of(Vec<float> x) {
  constexpr __mmask16 all = 0xffff;
  x = _mm512_maskz_max_ps(all, broadcast(-104.0f), x);  // the second operand where one is NaN
  const Vec<float> n = _mm512_maskz_roundscale_ps(all, x * 1.44269504f, _MM_FROUND_TO_NEAREST_INT);
  Vec<float> r = _mm512_fmsub_ps(x, broadcast(1.44269502f), n);
  r = r + x * 1.92596299e-8f;  // log2(e) in two parts
  // Minimax of relative error 1e-7 on |r| <= 1/2, its first coefficient fixed.
  Vec<float> p = r * 0.00132645911f + 0.00967161916f;
  p = p * r + 0.0555073507f;
  p = p * r + 0.240222409f;
  p = p * r + 0.693147004f;
  p = p * r + 1.0f;
  return _mm512_maskz_scalef_ps(all, p, n);
}
#else
MBPO_INLINE Vec<float> exp_of(Vec<float> x) { return exp_float<BitsVector>(x); }
#endif
MBPO_INLINE float log1p_unit(float t) { return log1p_unit_float(t); }

// double is there for checks and calls the C library.
MBPO_INLINE double exp_of(double x) { return std::exp(x); }
MBPO_INLINE double log1p_unit(double t) { return std::log1p(t); }
MBPO_INLINE Vec<double> exp_of(Vec<double> x) {
  for (int64_t i = 0; i < kLanes<double>; ++i) x[i] = std::exp(x[i]);
  return x;
}

template <typename X>
MBPO_INLINE X absolute(X x) {
  return x < X{} ? -x : x;
}

template <typename X>
MBPO_INLINE X sigmoid(X z) {
  return 1 / (exp_of(-z) + 1);
}

template <typename T>
MBPO_INLINE T softplus(T z) {
  return (z > T(0) ? z : T(0)) + log1p_unit(exp_of(-absolute(z)));
}

template <typename X>
MBPO_INLINE X tanh_float(X z) {
  const X a = absolute(z), q = z * z;
  // Near zero 1 - exp(-2a) cancels; there the Pade [5/4] quotient is exact to rounding.
  const X near = a * (q * (q + 105.0f) + 945.0f) / (q * (q * 15.0f + 420.0f) + 945.0f);
  const X e = exp_of(a * -2.0f);
  const X size = a < 0.5f ? near : (1.0f - e) / (1.0f + e);
  return z < X{} ? -size : size;
}
MBPO_INLINE float tanh_of(float z) { return tanh_float(z); }
MBPO_INLINE Vec<float> tanh_of(Vec<float> z) { return tanh_float(z); }
MBPO_INLINE double tanh_of(double z) { return std::tanh(z); }
MBPO_INLINE Vec<double> tanh_of(Vec<double> z) {
  for (int64_t i = 0; i < kLanes<double>; ++i) z[i] = std::tanh(z[i]);
  return z;
}

// Return act(z); where the activation keeps its slope, give it too.
template <Activation A, typename X>
MBPO_INLINE X activate(X z, X& slope) {
  if constexpr (A == Activation::relu) return z <= X{} ? X{} : z;
  if constexpr (A == Activation::tanh) return tanh_of(z);
  if constexpr (A == Activation::silu) {
    const X s = sigmoid(z), h = z * s;
    slope = s + h * (1 - s);
    return h;
  }
  return z;
}

// Call f with the activation as a constant, in the type of its argument.
template <typename F>
MBPO_INLINE void with_activation(Activation activation, const F& f) {
  switch (activation) {
    case Activation::identity: return f(std::integral_constant<Activation, Activation::identity>{});
    case Activation::relu: return f(std::integral_constant<Activation, Activation::relu>{});
    case Activation::tanh: return f(std::integral_constant<Activation, Activation::tanh>{});
    case Activation::silu: return f(std::integral_constant<Activation, Activation::silu>{});
  }
}

// Return act'(z) from what the layer kept: its slope, or h = act(z).
template <Activation A, typename X>
MBPO_INLINE X derivative(X kept) {
  if constexpr (A == Activation::relu) return kept > X{} ? X{} + 1 : X{};
  if constexpr (A == Activation::tanh) return 1 - kept * kept;
  if constexpr (A == Activation::silu) return kept;
  return X{} + 1;
}

}  // namespace mbpo::MBPO_ISA
