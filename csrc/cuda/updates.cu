#include "device.h"
#include "memory.h"
#include "ops.h"
#include "sac.cuh"
#include "train.cuh"

namespace mbpo::cuda {
namespace {

using S = Small;

// Parameters with their moments and counted steps, checked; whole updates read and write them.
class States {
 public:
  States(const Tensor& like, const std::vector<Tensor>& parameters,
         const std::vector<Tensor>& moments, const std::vector<Tensor>& second_moments,
         const std::vector<Tensor>& steps, const std::vector<int64_t>& lengths)
      : parameters_(parameters),
        moments_(moments),
        second_moments_(second_moments),
        steps_(steps),
        corrections_(empty(like, {2 * static_cast<int64_t>(lengths.size())})) {
    check_state(like, parameters, moments, second_moments, lengths);
    check_state(like, steps, {}, {}, std::vector<int64_t>(steps.size(), 1));
    STD_TORCH_CHECK(moments.size() == lengths.size() && steps.size() == lengths.size(),
                    "every parameter needs its moments and its count of steps");
  }

  AdamState state(size_t i) const {
    return {floats(parameters_[i]), floats(moments_[i]), floats(second_moments_[i])};
  }

  // `numbers` holds (learning rate, beta1, beta2, epsilon) from place `from` on.
  AdamClock clock(size_t i, const std::vector<double>& numbers, size_t from) const {
    const auto number = [&](size_t k) { return static_cast<float>(numbers[from + k]); };
    return {number(0), number(1),         number(2),
            number(3), floats(steps_[i]), floats(corrections_) + 2 * i};
  }

 private:
  const std::vector<Tensor>&parameters_, &moments_, &second_moments_, &steps_;
  Tensor corrections_;
};

template <typename Job>
void launch_weights(const Device& device, const WeightJob<AdamUpdate<Job>>& job, bool tf32) {
  device.launch(tf32 ? weight_gradient<Precision::tf32, AdamUpdate<Job>>
                     : weight_gradient<Precision::fp32, AdamUpdate<Job>>,
                count_squares(job.network), kSquareBytes, job);
}

// Blocks with a thread for each of so many numbers.
int64_t blocks_for(int64_t numbers) { return (numbers + kThreads - 1) / kThreads; }

// Memory for a record of R rows, from place `at` of one tensor on.
Record record_in(const RecordPlan& plan, const Tensor& memory, int64_t at) {
  return plan.at(floats(memory) + at, floats(memory) + at + plan.kept_size());
}

}  // namespace

Tensor ensemble_train_step(Tensor inputs, Tensor targets, Tensor index,
                           std::vector<Tensor> parameters, std::vector<Tensor> moments,
                           std::vector<Tensor> second_moments, std::vector<Tensor> steps,
                           std::vector<int64_t> widths, int64_t activation,
                           std::vector<double> decay, double penalty, std::vector<double> adam,
                           bool tf32) {
  const Device device(inputs);
  check_float32(inputs, "inputs");
  STD_TORCH_CHECK(on_device(index) && dtype_of(index) == aoti_torch_dtype_int64() &&
                      index.dim() == 2 && index.is_contiguous() && index.numel() > 0,
                  "index must be int64 [E, B] on the device, contiguous, with E and B at least 1");
  const int64_t members = index.size(0), batch = index.size(1);
  check_layers(widths, members, activation);
  STD_TORCH_CHECK(widths.back() % 2 == 0, "the last width must be 2 * O, got ", widths.back());
  STD_TORCH_CHECK(decay.size() + 1 == widths.size() && adam.size() == 4,
                  "decay must hold one number per layer, and adam four");
  const int64_t outputs = widths.back() / 2;
  check_matrix(inputs, inputs, "inputs", inputs.size(0), widths.front());
  check_matrix(inputs, targets, "targets", inputs.size(0), outputs);
  const States states(inputs, parameters, moments, second_moments, steps,
                      {flat_size(widths, members), outputs, outputs});
  const Tensor x = dense(inputs), y = dense(targets), losses = empty(inputs, {members});

  TrainJob job{};
  job.network = network_at(floats(parameters[0]), widths, members, activation);
  job.batch = static_cast<int>(batch);
  job.head = {static_cast<int>(outputs), floats(parameters[1]), floats(parameters[2])};
  job.inputs = floats(x);
  job.targets = floats(y);
  job.index = data<const int64_t>(index);
  const RecordPlan plan(job.network, members * batch, false);
  const Tensor memory = empty(inputs, {plan.kept_size() + plan.added_size()});
  job.record = record_in(plan, memory, 0);
  job.blocks = static_cast<int>(members) * job.tiles(S::kRows);
  job.all = states.state(0);
  job.size = parameters[0].numel();
  const Tensor sums = empty(inputs, {job.blocks * kBlockSums * outputs}),
               gradient = empty(inputs, {job.size}), closed = empty(inputs, {1});
  job.block_sums = floats(sums);
  job.gradient = floats(gradient);
  job.gate = {floats(closed)};
  job.clock = states.clock(0, adam, 0);
  job.minimum = states.state(1);
  job.maximum = states.state(2);
  job.bound_steps[0] = floats(steps[1]);
  job.bound_steps[1] = floats(steps[2]);
  job.penalty = static_cast<float>(penalty);
  job.losses = floats(losses);
  AdamUpdate<TrainJob> update{job.all, job.clock, {}, job.gradient, 0, job};
  std::copy(decay.begin(), decay.end(), update.decay);

  device.launch(tf32 ? train_rows<S, Precision::tf32> : train_rows<S, Precision::fp32>, job.blocks,
                shared_bytes<S>(job.network.widest(), true), job);
  launch_weights<TrainJob>(device, {job.network, job.routing(), job.record, update}, tf32);
  device.launch(finish_training, blocks_for(job.size), 0, job);
  return losses;
}

Tensor sac_update(Tensor batch, Tensor noise, std::optional<Tensor> weights, Tensor center,
                  Tensor scale, std::vector<Tensor> parameters, std::vector<Tensor> moments,
                  std::vector<Tensor> second_moments, std::vector<Tensor> steps, Tensor target,
                  std::vector<int64_t> actor_widths, std::vector<int64_t> critic_widths,
                  int64_t activation, bool critic_norm, std::vector<double> numbers,
                  std::vector<double> adam, bool tf32) {
  const Device device(batch);
  check_float32(batch, "batch");
  check_layers(actor_widths, 1, activation);
  check_layers(critic_widths, kCritics, activation);
  const int64_t obs = actor_widths.front(), actions = actor_widths.back() / 2;
  STD_TORCH_CHECK(actor_widths.back() == 2 * actions && critic_widths.front() == obs + actions &&
                      critic_widths.back() == 1,
                  "the actor must map O to 2 * A and the critics O + A to 1");
  STD_TORCH_CHECK(batch.dim() == 2 && batch.size(0) > 0, "batch must be [B, W] with B at least 1");
  const int64_t rows = batch.size(0), critic_size = flat_size(critic_widths, kCritics, critic_norm);
  check_matrix(batch, batch, "batch", rows, 2 * obs + actions + 2);
  STD_TORCH_CHECK(alike(batch, noise) && noise.dim() == 3 && noise.size(0) == 2 &&
                      noise.size(1) == rows && noise.size(2) == actions,
                  "noise must be [2, ", rows, ", ", actions, "] like batch");
  STD_TORCH_CHECK(
      !weights || (alike(batch, *weights) && weights->dim() == 1 && weights->size(0) == rows),
      "weights must be [", rows, "] like batch");
  const States states(batch, parameters, moments, second_moments, steps,
                      {flat_size(actor_widths, 1), critic_size, 1});
  check_state(batch, {target, center, scale}, {}, {}, {critic_size, actions, actions});
  STD_TORCH_CHECK(numbers.size() == 5 && adam.size() == 12, "5 numbers and 12 of adam expected");
  const Tensor dense_batch = dense(batch), dense_noise = dense(noise), report = empty(batch, {5});
  if (weights) weights = dense(*weights);

  SacJob job{};
  job.actor = network_at(floats(parameters[0]), actor_widths, 1, activation);
  const auto critic = [&](const Tensor& flat) {
    return network_at(floats(flat), critic_widths, kCritics, activation, critic_norm);
  };
  job.critic = critic(parameters[1]);
  job.critic_target = critic(target);
  const RecordPlan actor_plan(job.actor, rows, true),
      critic_plan(job.critic, kCritics * rows, false);
  const int64_t actor_size = actor_plan.kept_size() + actor_plan.added_size();
  const Tensor memory =
      empty(batch, {actor_size + critic_plan.kept_size() + critic_plan.added_size()});
  job.actor_record = record_in(actor_plan, memory, 0);
  job.critic_record = record_in(critic_plan, memory, actor_size);
  job.policy = {static_cast<int>(actions), floats(center), floats(scale),
                static_cast<float>(numbers[3]), static_cast<float>(numbers[4])};
  job.rows = static_cast<int>(rows);
  job.obs = static_cast<int>(obs);
  job.batch = floats(dense_batch);
  job.next_noise = floats(dense_noise);
  job.noise = job.next_noise + rows * actions;
  job.row_weights = weights ? floats(*weights) : nullptr;
  job.gamma = static_cast<float>(numbers[0]);
  job.tau = static_cast<float>(numbers[1]);
  job.target_entropy = static_cast<float>(numbers[2]);
  job.actor_clock = states.clock(0, adam, 0);
  job.critic_clock = states.clock(1, adam, 4);
  job.alpha_clock = states.clock(2, adam, 8);
  job.actor_state = states.state(0);
  job.critic_state = states.state(1);
  job.log_alpha = states.state(2);
  job.actor_size = parameters[0].numel();
  job.critic_size = critic_size;
  job.blocks = kCritics * job.tiles(S::kRows);
  const Tensor sums = empty(batch, {kSacSums * job.blocks}), closed = empty(batch, {kSacParts}),
               actor_gradient = empty(batch, {job.actor_size}),
               critic_gradient = empty(batch, {critic_size});
  job.actor_gradient = floats(actor_gradient);
  job.critic_gradient = floats(critic_gradient);
  job.targets = floats(target);
  job.gate = {floats(closed)};
  job.sums = floats(sums);
  job.report = floats(report);

  const size_t bytes = sac_shared_bytes<S>(job);
  const auto look = [&](const Network& network, const Record& record,
                        const AdamUpdate<SacJob>& update) {
    const Routing routing{network.members, job.rows, nullptr, nullptr};
    launch_weights<SacJob>(device, {network, routing, record, update}, tf32);
  };
  device.launch(tf32 ? critic_rows<S, Precision::tf32> : critic_rows<S, Precision::fp32>,
                job.blocks, bytes, job);
  look(job.critic, job.critic_record,
       {job.critic_state, job.critic_clock, {}, job.critic_gradient, kOfCritics, job});
  device.launch(step_critics, blocks_for(critic_size), 0, job);
  device.launch(tf32 ? actor_rows<S, Precision::tf32> : actor_rows<S, Precision::fp32>,
                job.blocks / kCritics, bytes, job);
  look(job.actor, job.actor_record,
       {job.actor_state, job.actor_clock, {}, job.actor_gradient, kOfActor, job});
  device.launch(finish_sac, blocks_for(std::max(job.actor_size, critic_size)), 0, job);
  return report;
}

}  // namespace mbpo::cuda
