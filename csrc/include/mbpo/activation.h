// The activations that the op knows, by the numbers that its schema uses.
#pragma once

#include <cstdint>

namespace mbpo {

// The numbers are part of the operator's schema; mbpo/ops/compiled.py holds the same table.
enum class Activation : int64_t { identity = 0, relu = 1, tanh = 2, silu = 3 };

// What a hidden layer leaves for the backward pass beside h = act(z): silu leaves its derivative,
// which is at hand in the forward pass; of the others h itself tells the derivative.
constexpr bool keeps_slope(Activation activation) { return activation == Activation::silu; }

}  // namespace mbpo
