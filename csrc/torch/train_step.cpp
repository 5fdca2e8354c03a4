#include "train_step.h"

#include <algorithm>

#include "ensemble_mlp.h"
#include "mbpo/train_step.h"
#include "parallel.h"

namespace mbpo {
namespace {

template <typename T>
Tensor train_step_as(const Tensor& inputs, const Tensor& targets, const Tensor& index,
                     const std::vector<Tensor>& parameters, const std::vector<Tensor>& moments,
                     const std::vector<Tensor>& second_moments, const std::vector<Tensor>& steps,
                     std::vector<int64_t> widths, int64_t activation, std::vector<double> decay,
                     double penalty, const AdamSettings& adam, int64_t batch, bool bfloat16) {
  const int64_t members = index.size(0);
  const auto state = [&](size_t which) {
    return adam_state<T>(which, parameters, moments, second_moments, steps);
  };
  TrainStep<T> job{network_in<T>(data<const T>(parameters[0]), std::move(widths), members,
                                 static_cast<Activation>(activation)),
                   state(0),
                   state(1),
                   state(2),
                   rows_of<const T>(inputs, 0, inputs.size(0)),
                   rows_of<const T>(targets, 0, targets.size(0)),
                   data<const int64_t>(index),
                   batch,
                   std::move(decay),
                   penalty,
                   adam,
                   index.size(1),
                   index.stride(0)};
  std::vector<double> losses(job.steps() * members);
  if constexpr (std::is_same_v<T, float>) {
    if (bfloat16) {
      train_step(job, kernels<T>(), *bf16_kernels(), torch_parallel(), losses.data());
    }
  }
  if (!bfloat16) train_step(job, kernels<T>(), torch_parallel(), losses.data());
  const Tensor result = empty(inputs, {job.steps(), members});
  std::copy(losses.begin(), losses.end(), data<T>(result));
  return result;
}

void check_index(const Tensor& index, int64_t rows) {
  STD_TORCH_CHECK(index.is_cpu() && dtype_of(index) == aoti_torch_dtype_int64() &&
                      index.dim() == 2 && index.numel() > 0 && index.stride(1) == 1,
                  "index must be int64 [E, N], its rows contiguous, with E and N at least 1");
  for (int64_t e = 0; e < index.size(0); ++e) {
    const int64_t* row = data<const int64_t>(index) + e * index.stride(0);
    for (int64_t i = 0; i < index.size(1); ++i) {
      STD_TORCH_CHECK(row[i] >= 0 && row[i] < rows, "index must lie in [0, ", rows, "), got ",
                      row[i]);
    }
  }
}

}  // namespace

Tensor ensemble_train_step(Tensor inputs, Tensor targets, Tensor index,
                           std::vector<Tensor> parameters, std::vector<Tensor> moments,
                           std::vector<Tensor> second_moments, std::vector<Tensor> steps,
                           std::vector<int64_t> widths, int64_t activation,
                           std::vector<double> decay, double penalty, std::vector<double> adam,
                           int64_t batch, bool bfloat16) {
  check_float(inputs, "inputs");
  check_widths(widths, activation);
  STD_TORCH_CHECK(widths.back() % 2 == 0, "the last width must be 2 * O, got ", widths.back());
  STD_TORCH_CHECK(decay.size() + 1 == widths.size(), "decay must hold one number per layer");
  check_matrix(inputs, inputs, "inputs", inputs.size(0), widths.front());
  check_matrix(inputs, targets, "targets", inputs.size(0), widths.back() / 2);
  check_index(index, inputs.size(0));
  const int64_t outputs = widths.back() / 2;
  check_state(inputs, parameters, moments, second_moments,
              {flat_size(widths, index.size(0)), outputs, outputs});
  check_steps(steps, parameters.size());
  STD_TORCH_CHECK(batch > 0, "batch must be at least 1, got ", batch);
  if (bfloat16) check_bf16(inputs);
  const auto run = is_double(inputs) ? train_step_as<double> : train_step_as<float>;
  return run(inputs, targets, index, parameters, moments, second_moments, steps, std::move(widths),
             activation, std::move(decay), penalty, adam_settings(adam), batch, bfloat16);
}

}  // namespace mbpo
