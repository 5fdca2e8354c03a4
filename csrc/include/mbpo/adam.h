// Adam over ranges of one flat parameter, in a step that can be taken back.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "mbpo/kernels.h"

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

// One step on a whole state, range by range. A number that is not finite may come up in any of
// them, when others have been written: then the step is taken back as a whole.
template <typename T>
class AdamStep {
 public:
  // `before` [3 size] belongs to the step until its end.
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

  // Step `n` numbers from `offset` on; gradient holds only these. Return whether all is finite.
  bool take(int64_t offset, int64_t n, const T* gradient, double decay) const {
    AdamRange<T> range = range_;
    range.n = n;
    range.parameter = state_.parameter + offset;
    range.gradient = gradient;
    range.moment = state_.moment + offset;
    range.second_moment = state_.second_moment + offset;
    range.before = before_ + offset;
    range.decay = static_cast<T>(decay);
    return kernels_.adam(range);
  }

  // Count the step where it is to stay, or take it back; every range must have been taken.
  void end(bool stays) const {
    if (stays) {
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
