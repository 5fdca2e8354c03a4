// One gradient step of a Gaussian ensemble on tensors.
#pragma once

#include "tensors.h"

namespace mbpo {

// Updates parameters, moments, second_moments and steps, each (flat, minimum, maximum), in place;
// returns each member's loss [E]. adam is (learning rate, beta1, beta2, epsilon).
Tensor ensemble_train_step(Tensor inputs, Tensor targets, Tensor index,
                           std::vector<Tensor> parameters, std::vector<Tensor> moments,
                           std::vector<Tensor> second_moments, std::vector<Tensor> steps,
                           std::vector<int64_t> widths, int64_t activation,
                           std::vector<double> decay, double penalty, std::vector<double> adam);

}  // namespace mbpo
