// The op on tensors: checks, routing, and the passes over tiles.
#pragma once

#include <string>
#include <tuple>

#include "tensors.h"

namespace mbpo {

// outputs: [y], or [mean, logvar] with bounds. saved: [tiles, features, kTileRows] for the backward
// pass, or [0] where save is false.
std::tuple<std::vector<Tensor>, Tensor> ensemble_mlp_forward(Tensor x, std::vector<Tensor> weights,
                                                             std::vector<Tensor> biases,
                                                             std::vector<Tensor> bounds,
                                                             std::optional<Tensor> member,
                                                             int64_t activation, bool save);

// [dx if need_x, then dweights and dbiases if need_params, then dmin and dmax with bounds]
std::vector<Tensor> ensemble_mlp_backward(std::vector<Tensor> grads, Tensor x,
                                          std::vector<Tensor> weights, std::vector<Tensor> bounds,
                                          std::optional<Tensor> member, Tensor saved,
                                          int64_t activation, bool need_x, bool need_params);

// The forward pass with products of bfloat16 and sums in float; x and the results are float32.
std::vector<Tensor> ensemble_mlp_bf16(Tensor x, std::vector<Tensor> weights,
                                      std::vector<Tensor> biases, std::vector<Tensor> bounds,
                                      std::optional<Tensor> member, int64_t activation);
// The instruction set in use.
std::string instruction_set();
// That of bfloat16, or nothing. The first call may ask the system for AMX's registers.
std::string bf16_instruction_set();
// Refuse a call in bfloat16 where the processor has none, or of other tensors than float's.
void check_bf16(const Tensor& tensor);

}  // namespace mbpo
