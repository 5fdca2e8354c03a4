// Adam over ranges of one flat parameter, in a step that can be taken back.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>

#include "mbpo/kernels.h"
#include "mbpo/network.h"

namespace mbpo {

struct AdamSettings {
  double learning_rate, beta1, beta2, epsilon;
};

// A parameter with its running moments, all of one length.
template <typename T>
struct AdamState {
  T* parameter;
  T* moment;
  T* second_moment;
  float* step;  // torch's: the number of steps taken
  int64_t size;
};

// The largest of some sizes, which threads may add; NaN once one is.
template <typename T>
class Largest {
 public:
  void add(T size) {
    T known = value_.load(std::memory_order_relaxed);
    while (!(size <= known) && !std::isnan(known) && !value_.compare_exchange_weak(known, size)) {
    }
  }
  T value() const { return value_; }
  bool finite() const { return std::isfinite(value()); }

 private:
  std::atomic<T> value_{0};
};

template <typename T>
T largest_of(const Kernels<T>& kernels, const Parallel& parallel, const T* numbers, int64_t n) {
  constexpr int64_t kPiece = 1 << 14;
  Largest<T> result;
  parallel.over((n + kPiece - 1) / kPiece, 3.0 * static_cast<double>(n), [&](int64_t piece) {
    const int64_t at = piece * kPiece;
    result.add(kernels.largest(numbers + at, std::min(kPiece, n - at)));
  });
  return result.value();
}

// The larger, NaN where one is.
inline double larger_or_nan(double a, double b) { return a <= b || std::isnan(b) ? b : a; }

// Sizes that no number of a state is beyond, so that a step can be known to stay finite before it
// is taken, and nothing need be kept to take it back.
struct Bounds {
  // Below it a product with a learning rate, a quotient by epsilon and a square stay below 1e37.
  static constexpr double kSafe = 1e18;

  double parameter, moments;

  template <typename T>
  static Bounds of(const Kernels<T>& kernels, const Parallel& parallel, const AdamState<T>& state) {
    const auto largest = [&](const T* numbers) {
      return largest_of(kernels, parallel, numbers, state.size);
    };
    return {largest(state.parameter),
            larger_or_nan(largest(state.moment), largest(state.second_moment))};
  }

  // Whether a step by gradients of at most this size is. What is NaN is not below anything.
  bool safe(double gradient, const AdamSettings& settings) const {
    return parameter < kSafe && moments < kSafe && gradient < kSafe && settings.epsilon > 1e-12 &&
           settings.learning_rate < 1;
  }

  // After a step, of which these are the largest sizes; a mean is no larger than what it is of.
  template <typename T>
  void update(const AdamSizes<T>& sizes, double gradient) {
    parameter = sizes.parameter;
    moments = larger_or_nan(larger_or_nan(moments, gradient), sizes.second_moment);
  }
};

// One step on a whole state, range by range. A number that is not finite may come up in any of
// them, when others have been written: then the step is taken back as a whole.
template <typename T>
class AdamStep {
 public:
  // `before` [3 size] belongs to the step until its end; null where the step is safe.
  AdamStep(const Kernels<T>& kernels, const AdamState<T>& state, const AdamSettings& settings,
           T* before)
      : kernels_(kernels), state_(state), before_(before) {
    const double number = static_cast<double>(*state.step + 1.0f);
    range_.apart = state.size;
    range_.step_size =
        static_cast<T>(settings.learning_rate / (1 - std::pow(settings.beta1, number)));
    range_.root_correction = static_cast<T>(1 / std::sqrt(1 - std::pow(settings.beta2, number)));
    range_.beta1 = static_cast<T>(settings.beta1);
    range_.beta2 = static_cast<T>(settings.beta2);
    range_.epsilon = static_cast<T>(settings.epsilon);
  }

  // Step `n` numbers from `offset` on; gradient holds only these.
  AdamSizes<T> take(int64_t offset, int64_t n, const T* gradient, double decay) const {
    AdamRange<T> range = range_;
    range.n = n;
    range.parameter = state_.parameter + offset;
    range.gradient = gradient;
    range.moment = state_.moment + offset;
    range.second_moment = state_.second_moment + offset;
    range.before = before_ ? before_ + offset : nullptr;
    range.decay = static_cast<T>(decay);
    return kernels_.adam(range);
  }

  // Count the step where it is to stay, or take it back; every range must have been taken.
  void end(bool stays) const {
    if (stays || !before_) {
      *state_.step += 1.0f;
      return;
    }
    const T* before = before_;
    T* const taken_back[] = {state_.parameter, state_.moment, state_.second_moment};
    for (T* numbers : taken_back) {
      std::copy_n(before, state_.size, numbers);
      before += state_.size;
    }
  }

 private:
  const Kernels<T>& kernels_;
  const AdamState<T> state_;
  T* const before_;
  AdamRange<T> range_{};
};

}  // namespace mbpo
