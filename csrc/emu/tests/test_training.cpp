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

  std::vector<double> step() {
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
                                {kAdam[0], kAdam[1], kAdam[2], kAdam[3]}};
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

  std::vector<float> step(Order order) {
    const float nan = static_cast<float>(kNaN);
    std::vector<float> losses(problem.members, nan), sums, gradient(all.parameter.size(), nan);
    float closed = nan;
    cuda::TrainJob job{};
    job.network = network_in(problem, all.parameter);
    job.batch = problem.rows;
    job.head = {problem.outputs(), low.parameter.data(), high.parameter.data()};
    job.inputs = data.inputs.data();
    job.targets = data.targets.data();
    job.index = data.index.data();
    job.record = kept.record();
    job.blocks = job.tiles(S::kRows) * problem.members;
    sums.resize(job.blocks * cuda::kBlockSums * problem.outputs(), nan);
    job.block_sums = sums.data();
    job.all = all.adam();
    job.size = static_cast<int64_t>(gradient.size());
    job.gradient = gradient.data();
    job.gate = {&closed};
    job.clock = all.clock();
    job.minimum = low.adam();
    job.maximum = high.adam();
    job.bound_steps[0] = &low.step;
    job.bound_steps[1] = &high.step;
    job.penalty = static_cast<float>(kPenalty);
    job.losses = losses.data();
    cuda::AdamUpdate<cuda::TrainJob> update{job.all, job.clock, {}, job.gradient, 0, job};
    std::copy(data.decay.begin(), data.decay.end(), update.decay);
    const cuda::WeightJob<cuda::AdamUpdate<cuda::TrainJob>> weights{job.network, job.routing(),
                                                                    job.record, update};

    emu::run(launch(job.blocks, cuda::shared_bytes<S>(job.network.widest(), true), order),
             [&] { cuda::train_rows<S, P>(job); });
    emu::run(launch(cuda::count_squares(job.network), cuda::kSquareBytes, order),
             [&] { cuda::weight_gradient<P>(weights); });
    emu::run(launch(blocks_for(gradient.size()), 0, order), [&] { cuda::finish_training(job); });
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
    const std::vector<double> losses = want.step();
    compare(got.step(order), losses, limit, "losses");
    expect(want.all.step == static_cast<float>(step), "steps counted", want.all.step);
    compare_states(got.all, want.all, limit, "network");
    compare_states(got.low, want.low, limit, "minimum");
    compare_states(got.high, want.high, limit, "maximum");
  }
}

// A step with a number that is not finite in one state moves none of them, on either side.
void test_left_out(Problem problem, Order order) {
  problem.draw();
  const Data data(problem);
  const auto numbers = [](const auto& side) {
    return std::vector<std::vector<double>>{side.all.numbers(), side.low.numbers(),
                                            side.high.numbers()};
  };
  const auto any_nan = [](const auto& losses) {
    return std::any_of(losses.begin(), losses.end(), [](double loss) { return std::isnan(loss); });
  };
  for (int spoilt = 0; spoilt < 4; ++spoilt) {
    OnCpu cpu{problem, data};
    OnGpu<cuda::Small, Precision::fp32> gpu{problem, data};
    const auto spoil = [&](auto& side) {
      if (spoilt == 0) side.all.second_moment.back() = static_cast<float>(kInfinity);
      if (spoilt == 1) side.low.moment.front() = static_cast<float>(kInfinity);
      if (spoilt == 2) side.high.second_moment.back() = static_cast<float>(kInfinity);
    };
    spoil(cpu);
    spoil(gpu);
    const auto cpu_before = numbers(cpu), gpu_before = numbers(gpu);
    const bool moves = spoilt == 3;
    expect(any_nan(cpu.step()) == !moves && any_nan(gpu.step(order)) == !moves, "said", spoilt);
    for (int i = 0; i < 3; ++i) {
      expect((numbers(cpu)[i] != cpu_before[i]) == moves, "what moves on the CPU", i, spoilt);
      expect((numbers(gpu)[i] != gpu_before[i]) == moves, "what moves on the GPU", i, spoilt);
    }
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
  for (const Order order : kOrders) {
    test_left_out({3, 33, {5, 70, 6}, Activation::silu, false, true}, order);
    test_left_out({1, 4, {3, 2}, Activation::tanh, false, true}, order);
  }
  test({3, 40, {14, 100, 100, 24}, Activation::silu, false, true}, Order::ascending);
  test({2, 33, {5, 7, 2}, Activation::tanh, false, true}, Order::descending);
  test({1, 1, {1, 2}, Activation::silu, false, true}, Order::shuffled);
  Problem problem{2, 40, {14, 70, 60, 24}, Activation::silu, false, true};
  problem.draw();
  test_without_waits([&](Order order) { test_training<Precision::tf32>(problem, order, 1); });
  return finish();
}
