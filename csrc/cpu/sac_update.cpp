#include "mbpo/sac_update.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace mbpo {
namespace {

constexpr int64_t kCritics = 2;

// Sums over the rows of one tile, added up over tiles in their order, and the largest sizes of what
// the critics and the actor take in and of dL/dz of their last layers.
enum Sum { kCriticLoss, kValue, kActorLoss, kLogProb, kSums };
enum Size { kCriticInput, kCriticDz, kActorInput, kActorDz, kSizes };

// Cuts tiles of so many features from one block of memory.
template <typename T>
class Cutter {
 public:
  explicit Cutter(T* memory) : next_(memory) {}
  T* features(int64_t count) {
    T* result = next_;
    next_ += count * kTileRows;
    return result;
  }

 private:
  T* next_;
};

// In Net's number format: FullNetwork<T> or HalfNetwork.
template <typename Net>
class Update {
  using T = typename Net::Number;

 public:
  Update(const SacUpdate<T>& job, const Kernels<T>& kernels, const Parallel& parallel, Net actor,
         Net critic, Net target)
      : job_(job),
        kernels_(kernels),
        parallel_(parallel),
        actor_(std::move(actor)),
        critic_(std::move(critic)),
        target_(std::move(target)),
        tiles_(make_tiles(1, job.rows)),
        actor_pass_(actor_.record(false)),
        actor_kept_(actor_.record(true)),
        target_pass_(target_.record(false)),
        critic_kept_(critic_.record(true)),
        sums_(workspace<double>(Slot::shared_sums, count() * (kSums + kSizes))),
        sizes_(sums_ + count() * kSums),
        of_actor_(Bounds::of(kernels, parallel, job.actor_state)),
        of_critic_(Bounds::of(kernels, parallel, job.critic_state)),
        of_target_(largest_of(kernels, parallel, job.target_parameters, job.critic_state.size)) {
    pack_all<Net>(parallel_, {&actor_, &critic_, &target_});
  }

  // Take update `number` of the job's.
  SacValues run(int64_t number) {
    batch_ = job_.batch;
    next_noise_ = job_.next_noise;
    noise_ = job_.noise;
    batch_.data += number * job_.batch_apart;
    next_noise_.data += number * job_.noise_apart;
    noise_.data += number * job_.noise_apart;
    row_weights_ = job_.row_weights;
    row_weights_.data += number * job_.row_weights_apart;
    alpha_ = std::exp(*job_.log_alpha.parameter);
    std::fill_n(sums_, count() * (kSums + kSizes), 0.0);
    const bool critics = update_critics(), actor = critics && update_actor();
    const bool alpha = actor && update_temperature(), targets = alpha && move_targets();
    const auto unless_left_out = [](bool moved, double value) {
      return moved ? value : std::numeric_limits<double>::quiet_NaN();
    };
    return {unless_left_out(critics, total(kCriticLoss) / rows()),
            unless_left_out(actor, total(kActorLoss) / rows()),
            unless_left_out(alpha, static_cast<double>(alpha_)), -total(kLogProb) / rows(),
            unless_left_out(targets, total(kValue) / (kCritics * rows()))};
  }

 private:
  int64_t count() const { return static_cast<int64_t>(tiles_.size()); }
  double rows() const { return static_cast<double>(job_.rows); }

  double total(Sum which) const {
    double sum = 0;
    for (int64_t t = 0; t < count(); ++t) sum += sums_[t * kSums + which];
    return sum;
  }

  // What no number of a network's gradient is larger than.
  double gradient_size(const Network<T>& network, const Bounds& of, Size input, Size dz) const {
    double sizes[2] = {0, 0};
    for (int64_t t = 0; t < count(); ++t) {
      sizes[0] = larger_or_nan(sizes[0], sizes_[t * kSizes + input]);
      sizes[1] = larger_or_nan(sizes[1], sizes_[t * kSizes + dz]);
    }
    return gradient_bound(network, job_.rows, sizes[0], of.parameter, sizes[1]);
  }

  bool finite(Sum loss) const { return std::isfinite(static_cast<T>(total(loss) / rows())); }

  Rows<const T> rows_of(Rows<const T> all, const Tile& tile) const {
    return {all.data + tile.first * all.row_stride, all.row_stride, all.column_stride, nullptr,
            tile.count};
  }

  PolicySample<T> policy(const T* raw, const T* noise, T* action, T* log_prob) const {
    return {job_.actions,
            raw,
            noise,
            job_.center,
            job_.scale,
            static_cast<T>(job_.log_std_min),
            static_cast<T>(job_.log_std_max),
            action,
            log_prob};
  }

  bool update_critics() {
    const int64_t all = kCritics * count();
    T* memory = workspace<T>(Slot::shared, all * critic_kept_.size);
    const GradientRows<T> dz =
        critic_.rows(all, workspace<T>(Slot::shared_rows, critic_.rows_size(all)));
    const double work = kCritics * flops(job_.critic, job_.rows);
    parallel_.over(count(), work, [&](int64_t t) { differentiate_critics(t, memory, dz); });
    if (!finite(kCriticLoss)) return false;
    const WeightPass<Net> pass{critic_, critic_kept_, memory, dz, {0, count(), all}};
    const double largest = gradient_size(job_.critic, of_critic_, kCriticInput, kCriticDz);
    return step(pass, work, job_.critic_state, job_.critic_adam, largest, of_critic_);
  }

  bool step(const WeightPass<Net>& pass, double work, const AdamState<T>& state,
            const AdamSettings& settings, double gradient, Bounds& bounds) {
    const bool safe = bounds.safe(gradient, settings);
    T* before = safe ? nullptr : workspace<T>(Slot::before, 3 * state.size);
    const AdamStep<T> step(kernels_, state, settings, before);
    Largest<T> parameter, second_moment;
    parallel_.over(pass.count(), work, [&](int64_t number) {
      pass.run(number, [&](int64_t, int64_t offset, int64_t n, const T* dw, bool) {
        const AdamSizes<T> sizes = step.take(offset, n, dw, 0.0);
        parameter.add(sizes.parameter);
        second_moment.add(sizes.second_moment);
      });
      pass.network.pack(pass.tasks[number]);
    });
    const bool stays = parameter.finite() && second_moment.finite();
    step.end(stays);
    if (stays) bounds.template update<T>({parameter.value(), second_moment.value()}, gradient);
    if (!stays) pack_all<Net>(parallel_, {&pass.network});
    return stays;
  }

  void differentiate_critics(int64_t t, T* memory, const GradientRows<T>& dz_rows) {
    const Tile tile = tiles_[t];
    const int64_t obs = job_.obs, actions = job_.actions, width = 2 * obs + actions + 2;
    Cutter<T> cut(workspace<T>(Slot::scratch,
                               (width + 2 + job_.critic.widest()) * kTileRows + target_pass_.size));
    T *columns = cut.features(width), *target = cut.features(1), *weights = cut.features(1);
    T *dz = cut.features(job_.critic.widest()), *next = cut.features(0);
    kernels_.gather(rows_of(batch_, tile), width, columns);
    soft_target(tile, columns, next, target);
    take_row_weights(tile, weights);

    double *sums = sums_ + t * kSums, *sizes = sizes_ + t * kSizes, scale = 2.0 / rows();
    sizes[kCriticInput] = kernels_.largest(columns, (obs + actions) * kTileRows);
    for (int64_t e = 0; e < kCritics; ++e) {
      const int64_t number = e * count() + t;
      T* kept = memory + number * critic_kept_.size;
      std::copy_n(columns, (obs + actions) * kTileRows, kept + critic_kept_.input);
      critic_.forward(critic_kept_, {e, tile.first, tile.count}, kept);
      const T* value = kept + critic_kept_.output;
      for (int64_t r = 0; r < kTileRows; ++r) {
        const double error = r < tile.count ? double(value[r]) - double(target[r]) : 0.0;
        const double weighted = double(weights[r]) * error;
        dz[r] = static_cast<T>(scale * weighted);
        sums[kCriticLoss] += weighted * error;
        sums[kValue] += r < tile.count ? double(value[r]) : 0.0;
      }
      sizes[kCriticDz] = larger_or_nan(sizes[kCriticDz], kernels_.largest(dz, kTileRows));
      critic_.backward({e, tile.first, tile.count},
                       {critic_kept_, kept, dz, &dz_rows, number, nullptr, 0, 0});
    }
  }

  void take_row_weights(const Tile& tile, T* weights) const {
    if (row_weights_.data) return kernels_.gather(rows_of(row_weights_, tile), 1, weights);
    std::fill_n(weights, kTileRows, T(1));
  }

  // y = r + gamma (1 - terminated) (min_i target_i(s', a') - alpha log pi(a'|s')).
  void soft_target(const Tile& tile, const T* columns, T* memory, T* target) {
    const int64_t obs = job_.obs, actions = job_.actions;
    const T* reward = columns + (obs + actions) * kTileRows;
    const T* next_obs = reward + kTileRows;
    const T* terminated = next_obs + obs * kTileRows;
    Cutter<T> cut(
        workspace<T>(Slot::scratch_out, actor_pass_.size + (actions + 1 + kCritics) * kTileRows));
    T *noise = cut.features(actions), *log_prob = cut.features(1);
    T *values = cut.features(kCritics), *actor = cut.features(0);
    std::copy_n(next_obs, obs * kTileRows, actor + actor_pass_.input);
    actor_.forward(actor_pass_, tile, actor);
    kernels_.gather(rows_of(next_noise_, tile), actions, noise);
    T* input = memory + target_pass_.input;
    std::copy_n(next_obs, obs * kTileRows, input);
    kernels_.sample(policy(actor + actor_pass_.output, noise, input + obs * kTileRows, log_prob));
    for (int64_t e = 0; e < kCritics; ++e) {
      target_.forward(target_pass_, {e, tile.first, tile.count}, memory);
      std::copy_n(memory + target_pass_.output, kTileRows, values + e * kTileRows);
    }
    const T gamma = static_cast<T>(job_.gamma);
    for (int64_t r = 0; r < kTileRows; ++r) {
      const T soft = least(values[r], values[kTileRows + r]) - alpha_ * log_prob[r];
      target[r] = reward[r] + gamma * (1 - terminated[r]) * soft;
    }
  }

  bool update_actor() {
    T* memory = workspace<T>(Slot::shared, count() * actor_kept_.size);
    const GradientRows<T> dz =
        actor_.rows(count(), workspace<T>(Slot::shared_rows, actor_.rows_size(count())));
    const double work = flops(job_.actor, job_.rows);
    parallel_.over(count(), work, [&](int64_t t) { differentiate_actor(t, memory, dz); });
    if (!finite(kActorLoss)) return false;
    const WeightPass<Net> pass{actor_, actor_kept_, memory, dz, {0, count()}};
    const double largest = gradient_size(job_.actor, of_actor_, kActorInput, kActorDz);
    return step(pass, work, job_.actor_state, job_.actor_adam, largest, of_actor_);
  }

  void differentiate_actor(int64_t t, T* memory, const GradientRows<T>& dz_rows) {
    const Tile tile = tiles_[t];
    const int64_t obs = job_.obs, actions = job_.actions;
    const int64_t widest = std::max(job_.actor.widest(), job_.critic.widest());
    Cutter<T> cut(workspace<T>(
        Slot::scratch, (4 * actions + 1 + widest) * kTileRows + kCritics * critic_kept_.size));
    T *noise = cut.features(actions), *action = cut.features(actions);
    T *daction = cut.features(actions), *part = cut.features(actions);
    T *log_prob = cut.features(1), *dz = cut.features(widest);
    T* critics[kCritics] = {cut.features(critic_kept_.size / kTileRows), cut.features(0)};

    T* kept = memory + t * actor_kept_.size;
    kernels_.gather(rows_of(batch_, tile), obs, kept + actor_kept_.input);
    actor_.forward(actor_kept_, tile, kept);
    kernels_.gather(rows_of(noise_, tile), actions, noise);
    const PolicySample<T> sample = policy(kept + actor_kept_.output, noise, action, log_prob);
    kernels_.sample(sample);
    for (int64_t e = 0; e < kCritics; ++e) {
      T* input = critics[e] + critic_kept_.input;
      std::copy_n(kept + actor_kept_.input, obs * kTileRows, input);
      std::copy_n(action, actions * kTileRows, input + obs * kTileRows);
      critic_.forward(critic_kept_, {e, tile.first, tile.count}, critics[e]);
    }
    const T* values[kCritics] = {critics[0] + critic_kept_.output,
                                 critics[1] + critic_kept_.output};
    double* sums = sums_ + t * kSums;
    for (int64_t r = 0; r < tile.count; ++r) {
      sums[kLogProb] += log_prob[r];
      sums[kActorLoss] += alpha_ * log_prob[r] - least(values[0][r], values[1][r]);
    }
    std::fill_n(daction, actions * kTileRows, T(0));
    for (int64_t e = 0; e < kCritics; ++e) {
      least_gradient(tile.count, values[e], values[1 - e], dz);
      critic_.backward({e, tile.first, tile.count},
                       {critic_kept_, critics[e], dz, nullptr, 0, part, obs, obs + actions});
      for (int64_t i = 0; i < actions * kTileRows; ++i) daction[i] += part[i];
    }
    kernels_.sample_backward(sample, daction, static_cast<T>(alpha_ / rows()), dz);
    for (int64_t j = 0; j < 2 * actions; ++j) {
      std::fill(dz + j * kTileRows + tile.count, dz + (j + 1) * kTileRows, T(0));
    }
    double* sizes = sizes_ + t * kSizes;
    sizes[kActorInput] = kernels_.largest(kept + actor_kept_.input, obs * kTileRows);
    sizes[kActorDz] = kernels_.largest(dz, 2 * actions * kTileRows);
    actor_.backward(tile, {actor_kept_, kept, dz, &dz_rows, t, nullptr, 0, 0});
  }

  // dL/dvalue of -mean min(value, other): a tie gives half to each, as torch's amin does.
  void least_gradient(int64_t count, const T* value, const T* other, T* dz) const {
    const T whole = static_cast<T>(-1.0 / rows());
    for (int64_t r = 0; r < kTileRows; ++r) {
      const T share = value[r] < other[r] ? T(1) : value[r] == other[r] ? T(0.5) : T(0);
      dz[r] = r < count ? whole * share : T(0);
    }
  }

  // J = -log alpha (mean log pi + target entropy).
  bool update_temperature() {
    const T gradient = static_cast<T>(-(total(kLogProb) / rows() + job_.target_entropy));
    if (!std::isfinite(*job_.log_alpha.parameter * gradient)) return false;
    T before[3];
    const AdamStep<T> step(kernels_, job_.log_alpha, job_.alpha_adam, before);
    const AdamSizes<T> sizes = step.take(0, 1, &gradient, 0.0);
    const bool stays = std::isfinite(sizes.parameter) && std::isfinite(sizes.second_moment);
    step.end(stays);
    return stays;
  }

  bool move_targets() {
    const Network<T>& shape = job_.critic_target;
    const int64_t size = job_.critic_state.size;
    const bool safe = of_target_ < Bounds::kSafe && of_critic_.parameter < Bounds::kSafe;
    T* before = safe ? nullptr : workspace<T>(Slot::before, size);
    const std::vector<GradientTask> tasks = target_.tasks();
    Largest<T> largest;
    const auto move = [&](int64_t at, int64_t n) {
      largest.add(kernels_.follow({n, job_.critic_state.parameter + at, job_.target_parameters + at,
                                   before ? before + at : nullptr, static_cast<T>(job_.tau)}));
    };
    parallel_.over(static_cast<int64_t>(tasks.size()), 3.0 * static_cast<double>(size),
                   [&](int64_t number) {
                     over_ranges(shape, tasks[number], move);
                     target_.pack(tasks[number]);
                   });
    const bool stays = largest.finite();
    if (stays) of_target_ = largest.value();
    if (stays || safe) return stays;
    std::copy_n(before, size, job_.target_parameters);
    pack_all<Net>(parallel_, {&target_});
    return false;
  }

  // NaN where either is.
  static T least(T a, T b) { return a < b || std::isnan(a) ? a : b; }

  const SacUpdate<T>& job_;
  const Kernels<T>& kernels_;
  const Parallel& parallel_;
  const Net actor_, critic_, target_;
  const std::vector<Tile> tiles_;
  const Record actor_pass_, actor_kept_, target_pass_, critic_kept_;
  double *const sums_, *const sizes_;
  Bounds of_actor_, of_critic_;
  double of_target_;
  // Of the update under way.
  Rows<const T> batch_{}, next_noise_{}, noise_{}, row_weights_{};
  T alpha_{};
};

template <typename Net>
void run_all(Update<Net> update, const SacUpdate<typename Net::Number>& job, SacValues* values) {
  for (int64_t number = 0; number < job.updates; ++number) values[number] = update.run(number);
}

}  // namespace

template <typename T>
void sac_updates(const SacUpdate<T>& job, const Kernels<T>& kernels, const Parallel& parallel,
                 SacValues* values) {
  using Net = FullNetwork<T>;
  run_all(Update<Net>(job, kernels, parallel, Net(job.actor, kernels), Net(job.critic, kernels),
                      Net(job.critic_target, kernels)),
          job, values);
}

template void sac_updates(const SacUpdate<float>&, const Kernels<float>&, const Parallel&,
                          SacValues*);
template void sac_updates(const SacUpdate<double>&, const Kernels<double>&, const Parallel&,
                          SacValues*);

void sac_updates(const SacUpdate<float>& job, const Kernels<float>& kernels,
                 const Bf16Kernels& products, const Parallel& parallel, SacValues* values) {
  using Net = HalfNetwork;
  run_all(Update<Net>(job, kernels, parallel, Net(job.actor, products, Slot::packed_actor, true),
                      Net(job.critic, products, Slot::packed_critic, true),
                      Net(job.critic_target, products, Slot::packed_target, false)),
          job, values);
}

}  // namespace mbpo
