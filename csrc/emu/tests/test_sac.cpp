// An update of soft actor-critic, six kernels, against the CPU's update in double, over three
// updates.
#include "../../cuda/sac.cuh"
#include "mbpo/sac_update.h"
#include "optimised.h"

namespace {

using namespace mbpo;
using namespace mbpo::check;

constexpr double kGamma = 0.99, kTau = 0.05, kEntropy = -2, kLogStd[] = {-5, 2};

struct Sizes {
  int rows, obs, actions;
  std::vector<int> hidden;
  Activation activation;
  bool norm = false;  // of the critics
  bool weighted = false;

  Problem actor() const { return net(1, obs, 2 * actions, false); }
  Problem critic() const { return net(2, obs + actions, 1, norm); }
  int width() const { return 2 * obs + actions + 2; }

 private:
  Problem net(int members, int inputs, int outputs, bool normed) const {
    std::vector<int> widths{inputs};
    widths.insert(widths.end(), hidden.begin(), hidden.end());
    widths.push_back(outputs);
    Problem problem{members, rows, widths, activation, false, false};
    return problem.draw(normed);
  }
};

// What both sides learn from.
struct Data {
  std::vector<float> batch, next_noise, noise, center, scale, row_weights;

  explicit Data(const Sizes& sizes)
      : batch(draws(6, int64_t(sizes.rows) * sizes.width(), 1)),
        next_noise(draws(7, int64_t(sizes.rows) * sizes.actions, 2)),
        noise(draws(8, int64_t(sizes.rows) * sizes.actions, 2)),
        center(draws(9, sizes.actions, 0.2)),
        scale(draws(10, sizes.actions, 0.5, 1)),
        row_weights(draws(11, sizes.weighted ? sizes.rows : 0, 1, 1)) {
    for (int r = 0; r < sizes.rows; ++r) {
      batch[(r + 1) * sizes.width() - 1] = r % 5 == 0;
      if (sizes.weighted && r % 7 == 3) row_weights[r] = 0;
    }
  }
};

template <typename T>
struct Learner {
  const Sizes& sizes;
  const Data& data;
  Problem actor_problem{sizes.actor()}, critic_problem{sizes.critic()};
  State<T> actor{flat(actor_problem)}, critic{flat(critic_problem)}, log_alpha{{-1.5f}};
  std::vector<T> target = State<T>(flat(critic_problem)).parameter;

  Learner(const Sizes& s, const Data& d) : sizes(s), data(d) {
    for (T& number : target) number *= T(0.9);
  }

  // All that an update may change, by part in their order.
  std::vector<std::vector<double>> parts() const {
    return {critic.numbers(), actor.numbers(), log_alpha.numbers(), {target.begin(), target.end()}};
  }

  // Make one part's step not finite, and none's before it.
  void spoil(int part) {
    const T infinity = std::numeric_limits<T>::infinity(), largest = std::numeric_limits<T>::max();
    if (part == cuda::kOfCritics) critic.second_moment.back() = infinity;
    if (part == cuda::kOfActor) actor.moment.front() = -infinity;
    if (part == cuda::kOfAlpha) log_alpha.second_moment.back() = infinity;
    if (part != cuda::kOfTargets) return;
    // The bias of a hidden unit: tanh hides its size, and it has no gradient.
    const size_t bias = critic_problem.weights[0].size();
    critic.parameter[bias] = largest;
    target[bias] = -largest;
  }
};

SacValues step_on_cpu(Learner<double>& learner) {
  const Sizes& sizes = learner.sizes;
  const auto doubles = [](const std::vector<float>& floats) {
    return std::vector<double>(floats.begin(), floats.end());
  };
  const std::vector<double> batch = doubles(learner.data.batch),
                            next_noise = doubles(learner.data.next_noise),
                            noise = doubles(learner.data.noise),
                            center = doubles(learner.data.center),
                            scale = doubles(learner.data.scale),
                            row_weights = doubles(learner.data.row_weights);
  const AdamSettings adam{kAdam[0], kAdam[1], kAdam[2], kAdam[3]};
  const double* weights = sizes.weighted ? row_weights.data() : nullptr;
  const int64_t actions = sizes.actions;
  const SacUpdate<double> job{network_in(learner.actor_problem, learner.actor.parameter),
                              network_in(learner.critic_problem, learner.critic.parameter),
                              network_in(learner.critic_problem, learner.target),
                              learner.actor.adam(),
                              learner.critic.adam(),
                              learner.log_alpha.adam(),
                              learner.target.data(),
                              sizes.rows,
                              sizes.obs,
                              actions,
                              {batch.data(), sizes.width(), 1, nullptr, sizes.rows},
                              {next_noise.data(), actions, 1, nullptr, sizes.rows},
                              {noise.data(), actions, 1, nullptr, sizes.rows},
                              center.data(),
                              scale.data(),
                              kLogStd[0],
                              kLogStd[1],
                              kGamma,
                              kTau,
                              kEntropy,
                              adam,
                              adam,
                              adam,
                              1,
                              0,
                              0,
                              {weights, 1, 1, nullptr, sizes.rows}};
  SacValues values;
  sac_updates(job, kernels<double>(), kOneThread, &values);
  return values;
}

template <typename S, Precision P>
struct OnGpu : Learner<float> {
  using Learner<float>::Learner;
  Kept actor_kept{actor_problem}, critic_kept{critic_problem};

  std::vector<float> step(Order order) {
    const float nan = static_cast<float>(kNaN);
    std::vector<float> report(5, nan), closed(cuda::kSacParts, nan), sums;
    std::vector<float> actor_gradient(actor.parameter.size(), nan),
        critic_gradient(critic.parameter.size(), nan);
    cuda::SacJob job{};
    job.actor = network_in(actor_problem, actor.parameter);
    job.critic = network_in(critic_problem, critic.parameter);
    job.critic_target = network_in(critic_problem, target);
    job.actor_record = actor_kept.record();
    job.critic_record = critic_kept.record();
    job.policy = {sizes.actions, data.center.data(), data.scale.data(), float(kLogStd[0]),
                  float(kLogStd[1])};
    job.rows = sizes.rows;
    job.obs = sizes.obs;
    job.batch = data.batch.data();
    job.next_noise = data.next_noise.data();
    job.noise = data.noise.data();
    job.row_weights = sizes.weighted ? data.row_weights.data() : nullptr;
    job.gamma = static_cast<float>(kGamma);
    job.target_entropy = static_cast<float>(kEntropy);
    job.tau = static_cast<float>(kTau);
    job.actor_clock = actor.clock();
    job.critic_clock = critic.clock();
    job.alpha_clock = log_alpha.clock();
    job.actor_state = actor.adam();
    job.critic_state = critic.adam();
    job.log_alpha = log_alpha.adam();
    job.actor_size = static_cast<int64_t>(actor_gradient.size());
    job.critic_size = static_cast<int64_t>(critic_gradient.size());
    job.actor_gradient = actor_gradient.data();
    job.critic_gradient = critic_gradient.data();
    job.targets = target.data();
    job.gate = {closed.data()};
    job.blocks = cuda::kCritics * job.tiles(S::kRows);
    sums.resize(cuda::kSacSums * job.blocks, nan);
    job.sums = sums.data();
    job.report = report.data();
    const size_t bytes = cuda::sac_shared_bytes<S>(job);

    const int64_t all = blocks_for(std::max(actor_gradient.size(), critic_gradient.size()));
    emu::run(launch(job.blocks, bytes, order), [&] { cuda::critic_rows<S, P>(job); });
    look({job.critic_state, job.critic_clock, {}, job.critic_gradient, cuda::kOfCritics, job},
         job.critic, job.critic_record, order);
    emu::run(launch(blocks_for(critic_gradient.size()), 0, order),
             [&] { cuda::step_critics(job); });
    emu::run(launch(job.blocks / cuda::kCritics, bytes, order),
             [&] { cuda::actor_rows<S, P>(job); });
    look({job.actor_state, job.actor_clock, {}, job.actor_gradient, cuda::kOfActor, job}, job.actor,
         job.actor_record, order);
    emu::run(launch(all, 0, order), [&] { cuda::finish_sac(job); });
    return report;
  }

 private:
  void look(const cuda::AdamUpdate<cuda::SacJob>& update, const cuda::Network& network,
            const cuda::Record& record, Order order) {
    const cuda::Routing routing{network.members, sizes.rows, nullptr, nullptr};
    const cuda::WeightJob<cuda::AdamUpdate<cuda::SacJob>> job{network, routing, record, update};
    emu::run(launch(cuda::count_squares(network), cuda::kSquareBytes, order),
             [&] { cuda::weight_gradient<P>(job); });
  }
};

template <Precision P>
void test_updates(const Sizes& sizes, Order order, int64_t updates) {
  const Data data(sizes);
  Learner<double> want(sizes, data);
  OnGpu<cuda::Small, P> got(sizes, data);
  // The least of two critics and ReLU's slope jump: a rounded number may fall on the other side.
  const double limit = P == Precision::fp32 ? 5e-5 : 2e-2;
  for (int64_t step = 1; step <= updates; ++step) {
    const SacValues v = step_on_cpu(want);
    const std::vector<double> values{v.critic_loss, v.actor_loss, v.alpha, v.entropy, v.q_mean};
    compare(got.step(order), values, limit, "report");
    compare_states(got.actor, want.actor, limit, "actor");
    compare_states(got.critic, want.critic, limit, "critic");
    compare_states(got.log_alpha, want.log_alpha, limit, "temperature");
    compare(got.target, want.target, limit, "targets");
  }
}

void test(const Sizes& sizes, Order order) {
  test_updates<Precision::fp32>(sizes, order, 3);
  test_updates<Precision::tf32>(sizes, order, 2);
}

// A part that is not finite stays as it was with all after it, on both sides; those before it move.
void test_left_out(const Sizes& sizes, Order order) {
  const Data data(sizes);
  for (int spoilt = 0; spoilt <= cuda::kSacParts; ++spoilt) {
    Learner<double> cpu(sizes, data);
    OnGpu<cuda::Small, Precision::fp32> gpu(sizes, data);
    cpu.spoil(spoilt);
    gpu.spoil(spoilt);
    const auto cpu_before = cpu.parts(), gpu_before = gpu.parts();
    const SacValues v = step_on_cpu(cpu);
    const std::vector<float> report = gpu.step(order);
    const double said[][2] = {{v.critic_loss, report[0]},
                              {v.actor_loss, report[1]},
                              {v.alpha, report[2]},
                              {v.q_mean, report[4]}};
    for (int part = 0; part < cuda::kSacParts; ++part) {
      const bool moves = part < spoilt;
      expect((cpu.parts()[part] != cpu_before[part]) == moves, "what moves on the CPU", part,
             spoilt);
      expect((gpu.parts()[part] != gpu_before[part]) == moves, "what moves on the GPU", part,
             spoilt);
      for (const double value : said[part]) {
        expect(std::isnan(value) == !moves, "what is said to move", part, spoilt);
      }
    }
  }
}

}  // namespace

int main() {
  running = "sac";
  // First what is small and has all there is: most faults are found here.
  test({33, 3, 1, {20, 9}, Activation::tanh, true, true}, Order::shuffled);
  for (const Order order : kOrders) {
    test_left_out({33, 3, 2, {20, 9}, Activation::tanh}, order);
    test_left_out({5, 2, 1, {70}, Activation::tanh}, order);
  }
  test({1, 1, 2, {8}, Activation::silu}, Order::shuffled);
  test({1, 1, 2, {8}, Activation::silu, true}, Order::descending);
  test({1, 1, 2, {8}, Activation::silu, false, true}, Order::ascending);
  test({33, 3, 1, {20, 9}, Activation::tanh}, Order::descending);
  test({33, 3, 1, {20, 9}, Activation::tanh, true}, Order::ascending);
  test({40, 11, 3, {64, 64}, Activation::tanh}, Order::ascending);
  test_updates<Precision::fp32>({40, 11, 3, {64, 64}, Activation::relu}, Order::ascending, 3);
  test_updates<Precision::fp32>({40, 11, 3, {64, 64}, Activation::relu, true}, Order::ascending, 3);
  test({70, 11, 3, {64, 64}, Activation::tanh, true}, Order::shuffled);
  test({70, 11, 3, {64, 64}, Activation::tanh, false, true}, Order::descending);
  for (const bool norm : {false, true}) {
    const Sizes sizes{34, 3, 3, {24, 40}, Activation::tanh, norm};
    test_without_waits([&](Order order) { test_updates<Precision::tf32>(sizes, order, 1); });
  }
  return finish();
}
