#include "train_step.h"

#include "mbpo/train_step.h"

namespace mbpo {
namespace {

template <typename T>
Tensor train_step_as(const Tensor& inputs, const Tensor& targets, const Tensor& index,
                     const std::vector<Tensor>& parameters, const std::vector<Tensor>& moments,
                     const std::vector<Tensor>& second_moments, const std::vector<Tensor>& steps,
                     std::vector<int64_t> widths, int64_t activation, std::vector<double> decay,
                     double penalty, const AdamSettings& adam) {
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
                   index.size(1),
                   std::move(decay),
                   penalty,
                   adam};
  std::vector<double> losses(members);
  train_step(job, kernels<T>(), torch_parallel(), losses.data());
  const Tensor result = empty(inputs, {members});
  for (int64_t e = 0; e < members; ++e) data<T>(result)[e] = static_cast<T>(losses[e]);
  return result;
}

void check_index(const Tensor& index, int64_t rows) {
  STD_TORCH_CHECK(index.is_cpu() && dtype_of(index) == aoti_torch_dtype_int64() &&
                      index.dim() == 2 && index.is_contiguous() && index.numel() > 0,
                  "index must be int64 [E, B], contiguous, with E and B at least 1");
  const int64_t* row = data<const int64_t>(index);
  for (int64_t i = 0; i < index.numel(); ++i) {
    STD_TORCH_CHECK(row[i] >= 0 && row[i] < rows, "index must lie in [0, ", rows, "), got ",
                    row[i]);
  }
}

}  // namespace

Tensor ensemble_train_step(Tensor inputs, Tensor targets, Tensor index,
                           std::vector<Tensor> parameters, std::vector<Tensor> moments,
                           std::vector<Tensor> second_moments, std::vector<Tensor> steps,
                           std::vector<int64_t> widths, int64_t activation,
                           std::vector<double> decay, double penalty, std::vector<double> adam) {
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
  const auto run = is_double(inputs) ? train_step_as<double> : train_step_as<float>;
  return run(inputs, targets, index, parameters, moments, second_moments, steps, std::move(widths),
             activation, std::move(decay), penalty, adam_settings(adam));
}

}  // namespace mbpo
