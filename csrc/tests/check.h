// What every test stands on: checks that count, guarded memory, and the kernels to try.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include "mbpo/kernels.h"

namespace mbpo::check {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr Activation kActivations[] = {Activation::identity, Activation::relu, Activation::tanh,
                                       Activation::silu};

inline int failures = 0;
inline int checks = 0;
inline std::string running;  // the kernels under test
inline bool quiet = false;   // where failures are wanted

inline void expect(bool holds, const std::string& what, double got = 0, double want = 0) {
  ++checks;
  if (holds) return;
  if (++failures > 20 || quiet) return;
  std::printf("FAILED %s %s: got %.17g, want %.17g\n", running.c_str(), what.c_str(), got, want);
#ifdef MBPO_STOP_AT_FAILURE
  std::exit(1);
#endif
}

// Infinities must be equal, NaN must meet NaN, the rest may differ by `tolerance`.
inline bool near(double got, double want, double tolerance) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want;
  return std::abs(got - want) <= tolerance;
}

inline void expect_near(const std::string& what, double got, double want, double tolerance) {
  expect(near(got, want, tolerance), what, got, want);
}

inline int finish() {
  std::printf("%d passed, %d failed\n", checks - failures, failures);
  return failures ? 1 : 0;
}

// What a sum may be off by, in parts of the sum of its terms' sizes.
template <typename T>
constexpr double kRounding = sizeof(T) == 4 ? 2e-6 : 1e-14;

// A number between -1 and 1 for the i-th place of array `seed`. Not inlined: where the compiler
// contracts to fma, two inlined copies may differ in the last bit.
__attribute__((noinline)) inline double wave(int64_t seed, int64_t i) {
  return std::sin(0.7 * static_cast<double>(i) + 1.3 * static_cast<double>(seed) + 0.3);
}

// `size` numbers, NaN at first, aligned to 64 bytes or `shift` numbers past that. Under the address
// sanitizer their memory ends where they end; else marks on both sides tell of writes beyond.
template <typename T>
class Buffer {
 public:
  explicit Buffer(int64_t size, int64_t shift = 0)
      : size_(size), before_(kMargin + shift), all_(before_ + size + kMargin) {
    memory_ = static_cast<T*>(::operator new(sizeof(T) * all_, std::align_val_t(64)));
    std::fill_n(memory_, all_, kMark);
    std::fill_n(data(), size_, static_cast<T>(kNaN));
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    const auto marked = [](T number) { return number == kMark; };
    expect(std::all_of(memory_, data(), marked), "memory before a buffer");
    expect(std::all_of(data() + size_, memory_ + all_, marked), "memory after a buffer");
    ::operator delete(memory_, std::align_val_t(64));
  }

  T* data() { return memory_ + before_; }
  int64_t size() const { return size_; }
  T& operator[](int64_t i) { return data()[i]; }

  Buffer& waves(int64_t seed, double scale = 1) {
    for (int64_t i = 0; i < size_; ++i) data()[i] = static_cast<T>(scale * wave(seed, i));
    return *this;
  }

 private:
#ifdef MBPO_SANITIZED
  static constexpr int64_t kMargin = 0;
#else
  static constexpr int64_t kMargin = 32;
#endif
  static constexpr T kMark = static_cast<T>(-987.654321);
  int64_t size_, before_, all_;
  T* memory_;
};

// Call f(kernels) for every instruction set that this processor runs, in float and in double.
template <typename T, typename F>
void each_kernels_of(const char* type, const F& f) {
  int count = 0;
  const Kernels<T>* const* found = available_kernels<T>(&count);
  for (int i = 0; i < count; ++i) {
    running = std::string(found[i]->name) + " " + type;
    f(*found[i]);
  }
  running.clear();
}

template <typename F>
void each_kernels(const F& f) {
  each_kernels_of<float>("float", f);
  each_kernels_of<double>("double", f);
}

// The textbook's activations.
inline double activate(Activation activation, double z) {
  switch (activation) {
    case Activation::identity: return z;
    case Activation::relu: return z <= 0 ? 0 : z;
    case Activation::tanh: return std::tanh(z);
    case Activation::silu: return z / (1 + std::exp(-z));
  }
  return kNaN;
}

inline double slope(Activation activation, double z) {
  const double s = 1 / (1 + std::exp(-z));
  switch (activation) {
    case Activation::identity: return 1;
    case Activation::relu: return z > 0 ? 1 : 0;
    case Activation::tanh: return 1 - std::tanh(z) * std::tanh(z);
    case Activation::silu: return s + z * s * (1 - s);
  }
  return kNaN;
}

// The textbook's norm of one row z [J].
struct NormalisedRow {
  std::vector<double> x;  // (z - mean z) scale
  double scale;           // 1 / sqrt(var z + epsilon)

  explicit NormalisedRow(const std::vector<double>& z) : x(z) {
    double mean = 0, variance = 0;
    for (const double number : z) mean += number / static_cast<double>(z.size());
    for (const double number : z) variance += std::pow(number - mean, 2);
    scale = 1 / std::sqrt(variance / static_cast<double>(z.size()) + kNormEpsilon);
    for (double& number : x) number = (number - mean) * scale;
  }

  // dL/dz from dL/dx: without their mean, and without their part along x.
  std::vector<double> backward(std::vector<double> dx) const {
    double mean = 0, along = 0;
    for (size_t j = 0; j < x.size(); ++j) {
      mean += dx[j] / static_cast<double>(x.size());
      along += dx[j] * x[j] / static_cast<double>(x.size());
    }
    for (size_t j = 0; j < x.size(); ++j) dx[j] = scale * (dx[j] - mean - x[j] * along);
    return dx;
  }
};

inline double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))); }
inline double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

}  // namespace mbpo::check
