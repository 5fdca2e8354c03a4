// The operators on a GPU, as csrc/cuda/module.cpp registers them. `tf32` rounds the factors of
// every product to tf32; without it they are float32's to rounding. `precision` is product.cuh's.
// Adam's steps are counted on the device.
#pragma once

#include <optional>
#include <tuple>
#include <vector>

#include "torch/tensors.h"

namespace mbpo::cuda {

std::tuple<std::vector<Tensor>, Tensor> ensemble_mlp_forward(
    Tensor x, std::vector<Tensor> weights, std::vector<Tensor> biases, std::vector<Tensor> bounds,
    std::optional<Tensor> member, int64_t activation, bool save, int64_t precision);

std::vector<Tensor> ensemble_mlp_backward(std::vector<Tensor> grads, Tensor x,
                                          std::vector<Tensor> weights, std::vector<Tensor> bounds,
                                          std::optional<Tensor> member, Tensor saved,
                                          int64_t activation, bool need_x, bool need_params,
                                          bool tf32);

// An imagined step from x [N, O + A]: reward [N] and next_obs [N, O]. `scales` holds mean and
// standard deviation of x and of the targets, `noise` [N, 1 + O] standard normals.
std::tuple<Tensor, Tensor> model_step(Tensor x, std::vector<Tensor> weights,
                                      std::vector<Tensor> biases, std::vector<Tensor> bounds,
                                      Tensor member, std::vector<Tensor> scales, Tensor noise,
                                      int64_t activation, bool tf32);

Tensor ensemble_train_step(Tensor inputs, Tensor targets, Tensor index,
                           std::vector<Tensor> parameters, std::vector<Tensor> moments,
                           std::vector<Tensor> second_moments, std::vector<Tensor> steps,
                           std::vector<int64_t> widths, int64_t activation,
                           std::vector<double> decay, double penalty, std::vector<double> adam,
                           bool tf32);

Tensor sac_update(Tensor batch, Tensor noise, std::optional<Tensor> weights, Tensor center,
                  Tensor scale, std::vector<Tensor> parameters, std::vector<Tensor> moments,
                  std::vector<Tensor> second_moments, std::vector<Tensor> steps, Tensor target,
                  std::vector<int64_t> actor_widths, std::vector<int64_t> critic_widths,
                  int64_t activation, bool critic_norm, std::vector<double> numbers,
                  std::vector<double> adam, bool tf32);

}  // namespace mbpo::cuda
