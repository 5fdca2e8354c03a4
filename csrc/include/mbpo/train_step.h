// Gradient steps of a Gaussian ensemble, from minibatch to updated parameters. Free of torch.
#pragma once

#include <vector>

#include "mbpo/adam.h"
#include "mbpo/bf16.h"
#include "mbpo/network.h"

namespace mbpo {

// The loss, with the mean over B rows and O outputs, the sum over members e and outputs j:
//   sum_e mean [(mean - y)^2 exp(-logvar) + logvar] + penalty * sum_j (max_j - min_j)
// and decay_l * W added to the gradient of layer l's weights.
template <typename T>
struct TrainStep {
  Network<T> network;             // its pointers lie inside `parameters`
  AdamState<T> parameters;        // by layer: weights [E, I, J], then biases [E, J]
  AdamState<T> minimum, maximum;  // [O]
  Rows<const T> inputs, targets;  // [N, I] and [N, O]; index and count are set per tile
  const int64_t* index;           // [E, count] rows of inputs and targets
  int64_t batch;                  // B, of each step but the last, which takes what is left
  std::vector<double> decay;      // by layer
  double penalty;
  AdamSettings adam;
  int64_t count = batch;      // of index, each member's
  int64_t index_row = count;  // from one member's to the next

  int64_t steps() const { return (count + batch - 1) / batch; }
};

// Take steps() steps, one after the other. Write each member's loss before each, without the
// penalty, to losses [steps, E]. Where a loss, a gradient, a new moment or a new weight is not
// finite nothing moves in that step and a loss of it is not finite.
template <typename T>
void train_step(const TrainStep<T>& job, const Kernels<T>& kernels, const Parallel& parallel,
                double* losses);

// The same with products of bfloat16.
void train_step(const TrainStep<float>& job, const Kernels<float>& kernels,
                const Bf16Kernels& products, const Parallel& parallel, double* losses);

}  // namespace mbpo
