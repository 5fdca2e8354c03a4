// Gradient steps of a Gaussian ensemble on tensors.
#pragma once

#include "tensors.h"

namespace mbpo {

// Updates parameters, moments, second_moments and steps, each (flat, minimum, maximum), in place;
// takes ceil(N / batch) steps on index [E, N], the last on what is left; returns each member's loss
// before each, [steps, E]. adam is (learning rate, beta1, beta2, epsilon).
Tensor ensemble_train_step(Tensor inputs, Tensor targets, Tensor index,
                           std::vector<Tensor> parameters, std::vector<Tensor> moments,
                           std::vector<Tensor> second_moments, std::vector<Tensor> steps,
                           std::vector<int64_t> widths, int64_t activation,
                           std::vector<double> decay, double penalty, std::vector<double> adam,
                           int64_t batch, bool bfloat16);

}  // namespace mbpo
