// Adam over ranges of one flat parameter.
#pragma once

#include <cmath>

#include "mbpo/kernels.h"

namespace mbpo {

struct AdamSettings {
  double learning_rate, beta1, beta2, epsilon;
  int64_t step;  // 1 at the first
};

// A parameter with its running moments, all of one length.
template <typename T>
struct AdamState {
  T* parameter;
  T* moment;
  T* second_moment;

  // The step on `n` numbers from `offset` on; gradient holds only these.
  AdamRange<T> range(int64_t offset, int64_t n, const T* gradient, double decay,
                     const AdamSettings& settings) const {
    const double steps = static_cast<double>(settings.step);
    return {n,
            parameter + offset,
            gradient,
            moment + offset,
            second_moment + offset,
            static_cast<T>(decay),
            static_cast<T>(settings.learning_rate / (1 - std::pow(settings.beta1, steps))),
            static_cast<T>(1 / std::sqrt(1 - std::pow(settings.beta2, steps))),
            static_cast<T>(settings.beta1),
            static_cast<T>(settings.beta2),
            static_cast<T>(settings.epsilon),
            nullptr,
            T(0)};
  }
};

}  // namespace mbpo
