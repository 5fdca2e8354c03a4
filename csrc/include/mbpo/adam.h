// Adam over ranges of one flat parameter.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "mbpo/kernels.h"

namespace mbpo {

// Whether no number is NaN or infinite: those have all bits of the exponent set. Of bits, so that
// the compiler can test several at once.
template <typename T>
bool all_finite(const T* numbers, int64_t count) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  constexpr Bits exponent = sizeof(T) == 4 ? Bits(0x7f800000u) : Bits(0x7ff0000000000000u);
  Bits bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, numbers + i, sizeof(T));
    bad |= (bits & exponent) == exponent;
  }
  return bad == 0;
}

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
