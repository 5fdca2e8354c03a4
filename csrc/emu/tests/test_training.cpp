// A gradient step of the ensemble, three kernels, against the CPU's step in double, over three
// steps.
#include "../../cuda/train.cuh"
#include "mbpo/train_step.h"
#include "optimised.h"

namespace {

using namespace mbpo;
using namespace mbpo::check;

constexpr double kPenalty = 0.01;
constexpr int64_t kData = 50;

// What both sides train on.
struct Data {
  std::vector<float> inputs, targets;
  std::vector<int64_t> index;
  std::vector<double> decay;

  explicit Data(const Problem& problem)
      : inputs(draws(6, kData * problem.inputs(), 1)),
        targets(draws(7, kData * problem.outputs(), 1)) {
    for (int64_t i = 0; i < problem.all(); ++i) index.push_back((i * 7 + i / 5) % kData);
    for (int l = 0; l < problem.layers(); ++l) decay.push_back(1e-4 * (l + 1));
  }
};

struct OnCpu {
  const Problem& problem;
  const Data& data;
  State<double> all{flat(problem)}, low{problem.low}, high{problem.high};

  std::vector<double> step(int64_t number) {
    const std::vector<double> inputs(data.inputs.begin(), data.inputs.end());
    const std::vector<double> targets(data.targets.begin(), data.targets.end());
    const TrainStep<double> job{network_in(problem, all.parameter),
                                all.adam(),
                                low.adam(),
                                high.adam(),
                                {inputs.data(), problem.inputs(), 1, nullptr, kData},
                                {targets.data(), problem.outputs(), 1, nullptr, kData},
                                data.index.data(),
                                problem.rows,
                                data.decay,
                                kPenalty,
                                {kAdam[0], kAdam[1], kAdam[2], kAdam[3], number}};
    std::vector<double> losses(problem.members);
    train_step(job, kernels<double>(), kOneThread, losses.data());
    return losses;
  }
};

template <typename S, Precision P>
struct OnGpu {
  const Problem& problem;
  const Data& data;
  State<float> all{flat(problem)}, low{problem.low}, high{problem.high};
  Kept kept{problem};
  Clock clock{};
  float bound_steps[2] = {};

  std::vector<float> step(Order order) {
    std::vector<float> losses(problem.members, static_cast<float>(kNaN)), sums;
    cuda::TrainJob job{};
    job.network = network_in(problem, all.parameter);
    job.batch = problem.rows;
    job.head = {problem.outputs(), low.parameter.data(), high.parameter.data()};
    job.inputs = data.inputs.data();
    job.targets = data.targets.data();
    job.index = data.index.data();
    job.record = kept.record();
    const int64_t blocks = int64_t(job.tiles(S::kRows)) * problem.members;
    sums.resize(blocks * cuda::kBlockSums * problem.outputs(), static_cast<float>(kNaN));
    job.block_sums = sums.data();
    job.clock = clock.get();
    job.minimum = low.adam();
    job.maximum = high.adam();
    job.bound_steps[0] = &bound_steps[0];
    job.bound_steps[1] = &bound_steps[1];
    job.penalty = static_cast<float>(kPenalty);
    job.losses = losses.data();
    cuda::WeightJob<cuda::AdamUpdate> weights{job.network, job.routing(), job.record, {}};
    weights.update.state = all.adam();
    weights.update.clock = job.clock;
    std::copy(data.decay.begin(), data.decay.end(), weights.update.decay);

    emu::run(launch(blocks, cuda::shared_bytes<S>(job.network.widest(), true), order),
             [&] { cuda::train_rows<S, P>(job); });
    emu::run(launch(cuda::count_squares(job.network), cuda::kSquareBytes, order),
             [&] { cuda::weight_gradient<P>(weights); });
    emu::run(launch(1, 0, order), [&] { cuda::finish_training<S>(job); });
    return losses;
  }
};

template <Precision P>
void test_training(const Problem& problem, Order order, int64_t steps) {
  const Data data(problem);
  OnCpu want{problem, data};
  OnGpu<cuda::Small, P> got{problem, data};
  const double limit = 3 * allowed(P);
  for (int64_t step = 1; step <= steps; ++step) {
    const std::vector<double> losses = want.step(step);
    compare(got.step(order), losses, limit, "losses");
    for (const float steps : {got.clock.step, got.bound_steps[0], got.bound_steps[1]}) {
      expect(steps == static_cast<float>(step), "steps counted", steps, static_cast<double>(step));
    }
    compare_states(got.all, want.all, limit, "network");
    compare_states(got.low, want.low, limit, "minimum");
    compare_states(got.high, want.high, limit, "maximum");
  }
}

void test(Problem problem, Order order) {
  problem.draw();
  test_training<Precision::fp32>(problem, order, 3);
  test_training<Precision::tf32>(problem, order, 2);
}

}  // namespace

int main() {
  running = "training";
  test({3, 40, {14, 100, 100, 24}, Activation::silu, false, true}, Order::ascending);
  test({2, 33, {5, 7, 2}, Activation::tanh, false, true}, Order::descending);
  test({1, 1, {1, 2}, Activation::silu, false, true}, Order::shuffled);
  Problem problem{2, 40, {14, 70, 60, 24}, Activation::silu, false, true};
  problem.draw();
  test_without_waits([&](Order order) { test_training<Precision::tf32>(problem, order, 1); });
  return finish();
}
