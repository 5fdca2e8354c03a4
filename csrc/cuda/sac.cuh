// One update of soft actor-critic in six launches: critic_rows, weight_gradient, step_critics,
// actor_rows, weight_gradient, finish_sac. mbpo/sac/losses.py and mbpo/sac/agent.py define the
// arithmetic.
#pragma once

#include "adam.cuh"
#include "policy.cuh"
#include "rows.cuh"
#include "weights.cuh"

namespace mbpo::cuda {

constexpr int kCritics = 2;

// What moves, in this order.
enum SacPart { kOfCritics, kOfActor, kOfAlpha, kOfTargets, kSacParts };

// What each block adds up over its rows.
enum SacSum { kCriticLoss, kValue, kActorLoss, kLogProb, kSacSums };

struct SacJob {
  Network actor, critic, critic_target;  // E = 1, 2 and 2
  Record actor_record, critic_record;    // of B and 2 B rows
  Policy policy;
  int rows, obs;                    // B, O
  const float* batch;               // [B, 2 O + A + 2]: obs, action, reward, next_obs, terminated
  const float *next_noise, *noise;  // [B, A], standard normal
  const float* row_weights;         // [B] or null: how much each counts in the critics' loss
  float gamma, tau, target_entropy;
  AdamClock actor_clock, critic_clock, alpha_clock;
  AdamState actor_state, critic_state, log_alpha;
  int64_t actor_size, critic_size;
  float *actor_gradient, *critic_gradient, *targets;  // as the parameters
  Gate gate;
  int blocks;     // of critic_rows, twice those of actor_rows
  float* sums;    // [4][blocks]
  float* report;  // [5]: critic loss, actor loss, alpha, entropy, mean Q

  __device__ __host__ int tiles(int tile_rows) const { return (rows + tile_rows - 1) / tile_rows; }
  __device__ __host__ int width() const { return 2 * obs + policy.actions + 2; }

  __device__ __forceinline__ float row_weight(int64_t row) const {
    return row_weights ? row_weights[row] : 1.0f;
  }
  __device__ __forceinline__ double mean(SacSum which) const {
    const int summed = which == kCriticLoss || which == kValue ? blocks : blocks / kCritics;
    double sum = 0.0;
    for (int b = 0; b < summed; ++b) sum += sums[which * blocks + b];
    return sum / rows;
  }
  // J = -log alpha (mean log pi + target entropy)
  __device__ __forceinline__ float alpha_gradient() const {
    return static_cast<float>(-(mean(kLogProb) + target_entropy));
  }
  __device__ __forceinline__ float moved_target(int64_t at) const {
    return targets[at] + tau * (critic_state.parameter[at] - targets[at]);
  }

  // By one block, while weight_gradient looks at the rest of the part.
  __device__ __forceinline__ void look(int part) const {
    if (threadIdx.x > 0) return;
    const SacSum loss = part == kOfCritics ? kCriticLoss : kActorLoss;
    if (!finite(static_cast<float>(mean(loss)))) gate.close(part);
    if (part == kOfCritics) return;
    const float gradient = alpha_gradient();
    const bool alpha = finite(*log_alpha.parameter * gradient) &&
                       stepped(log_alpha, alpha_clock, 0, gradient).finite();
    if (!alpha) gate.close(kOfAlpha);
  }
};

// What a block keeps beside the tile, in shared memory: [rows][A] and [rows] numbers.
struct SacScratch {
  Scratch net;
  float *action, *share;              // the sample, and each action's share of log pi or gradient
  float *log_prob, *target, *values;  // values [2][rows]
};

__device__ __host__ inline int widest_of(const SacJob& job) {
  const int actor = job.actor.widest(), critic = job.critic.widest();
  return actor > critic ? actor : critic;
}

template <typename S>
__device__ __host__ size_t sac_shared_bytes(const SacJob& job) {
  const int beside = S::kRows * (2 * job.policy.actions + 2 + kCritics);
  return shared_bytes<S>(widest_of(job), true) + sizeof(float) * beside;
}

template <typename S>
__device__ __forceinline__ SacScratch make_sac_scratch(const SacJob& job) {
  const int widest = widest_of(job), each = S::kRows * job.policy.actions;
  const Scratch net = make_scratch<S>(widest);
  float* next = net.tile + shared_bytes<S>(widest, true) / sizeof(float);
  return {net,
          next,
          next + each,
          next + 2 * each,
          next + 2 * each + S::kRows,
          next + 2 * each + 2 * S::kRows};
}

// From the actor's sums in the tile: the action; and log pi of each row, whose thread keeps it
// until the caller's next barrier.
template <typename S>
__device__ __forceinline__ void sample_rows(const SacJob& job, const Tile& tile,
                                            const SacScratch& scratch, const float* noise) {
  const int actions = job.policy.actions;
  each_place<S>(actions, [&](int row, int j) {
    const bool there = row < tile.count;
    const Sampled drawn =
        sample(job.policy, j, scratch.net.at(row, j), scratch.net.at(row, actions + j),
               there ? noise[(tile.first + row) * actions + j] : 0.0f);
    scratch.action[row * actions + j] = drawn.action;
    scratch.share[row * actions + j] = drawn.log_prob;
  });
  __syncthreads();
  if (threadIdx.x < S::kRows) {
    float sum = 0.0f;
    for (int j = 0; j < actions; ++j) sum += scratch.share[threadIdx.x * actions + j];
    scratch.log_prob[threadIdx.x] = sum;
  }
}

// Fill the tile with (obs, action), obs from column `first` of the batch.
template <typename S, typename Action>
__device__ __forceinline__ void fill_critic_input(const SacJob& job, const Tile& rows,
                                                  const SacScratch& scratch, int first,
                                                  const Action& action) {
  fill_tile<S>(scratch.net, rows.count, job.obs + job.policy.actions, [&](int row, int column) {
    const float* given = job.batch + (rows.first + row) * job.width();
    return column < job.obs ? given[first + column] : action(row, column - job.obs);
  });
}

// The critic's value of each row, from the tile to `values` [rows].
template <typename S>
__device__ __forceinline__ void take_values(const SacScratch& scratch, float* values) {
  if (threadIdx.x < S::kRows) values[threadIdx.x] = scratch.net.at(threadIdx.x, 0);
  __syncthreads();
}

// The first `count` of terms [rows], added up by one thread into sums[which][block].
__device__ __forceinline__ void add_up(const SacJob& job, SacSum which, int blocks, int block,
                                       const float* terms, int count) {
  float sum = 0.0f;
  for (int row = 0; row < count; ++row) sum += terms[row];
  job.sums[which * blocks + block] = sum;
}

// NaN where either is.
__device__ __forceinline__ float least(float a, float b) { return a < b || a != a ? a : b; }

// y = r + gamma (1 - terminated) (min_i target_i(s', a') - alpha log pi(a'|s')), to scratch.target.
template <typename S, Precision P>
__device__ __forceinline__ void soft_target(const SacJob& job, const Tile& rows,
                                            const SacScratch& scratch) {
  const int next_obs = job.obs + job.policy.actions + 1;
  fill_tile<S>(scratch.net, rows.count, job.obs, [&](int row, int column) {
    return job.batch[(rows.first + row) * job.width() + next_obs + column];
  });
  forward<S, P>(job.actor, rows, scratch.net, nullptr);
  sample_rows<S>(job, rows, scratch, job.next_noise);
  for (int e = 0; e < kCritics; ++e) {
    fill_critic_input<S>(job, rows, scratch, next_obs, [&](int row, int j) {
      return scratch.action[row * job.policy.actions + j];
    });
    forward<S, P>(job.critic_target, {e, rows.first, rows.count}, scratch.net, nullptr);
    take_values<S>(scratch, scratch.values + e * S::kRows);
  }
  const int row = static_cast<int>(threadIdx.x);
  if (row >= rows.count) return;
  const float* given = job.batch + (rows.first + row) * job.width();
  const float soft = least(scratch.values[row], scratch.values[S::kRows + row]) -
                     expf(*job.log_alpha.parameter) * scratch.log_prob[row];
  scratch.target[row] = given[next_obs - 1] + job.gamma * (1.0f - given[job.width() - 1]) * soft;
}

// A block for each critic and tile of rows; both find the target.
template <typename S, Precision P>
__global__ void __launch_bounds__(kThreads, 1) critic_rows(const __grid_constant__ SacJob job) {
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    job.gate.reset(kSacParts);
    job.critic_clock.prepare();
    job.actor_clock.prepare();
    job.alpha_clock.prepare();
  }
  const int block = static_cast<int>(blockIdx.x), blocks = job.blocks;
  const Tile tile = find_tile({kCritics, job.rows, nullptr, nullptr}, S::kRows, block);
  const Tile rows = {0, tile.first - int64_t(tile.member) * job.rows, tile.count};
  const SacScratch scratch = make_sac_scratch<S>(job);
  soft_target<S, P>(job, rows, scratch);
  fill_critic_input<S>(job, rows, scratch, 0, [&](int row, int j) {
    return job.batch[(rows.first + row) * job.width() + job.obs + j];
  });
  forward<S, P>(job.critic, tile, scratch.net, &job.critic_record);
  take_values<S>(scratch, scratch.values);
  each_place<S>(8, [&](int row, int column) {
    const bool there = row < tile.count && column == 0;
    const float error = there ? scratch.values[row] - scratch.target[row] : 0.0f;
    const float weighted = there ? job.row_weight(rows.first + row) * error : 0.0f;
    scratch.net.at(row, column) = 2.0f / static_cast<float>(job.rows) * weighted;
    if (column == 0) scratch.log_prob[row] = weighted * error;
  });
  __syncthreads();
  if (threadIdx.x == 0) {
    add_up(job, kCriticLoss, blocks, block, scratch.log_prob, tile.count);
    add_up(job, kValue, blocks, block, scratch.values, tile.count);
  }
  backward<S, P>(job.critic, tile, scratch.net, job.critic_record, true, false);
}

// A block for each tile of rows.
template <typename S, Precision P>
__global__ void __launch_bounds__(kThreads, 1) actor_rows(const __grid_constant__ SacJob job) {
  const int block = static_cast<int>(blockIdx.x), blocks = job.blocks;
  const int actions = job.policy.actions, obs = job.obs;
  const Tile tile = find_tile({1, job.rows, nullptr, nullptr}, S::kRows, block);
  const SacScratch scratch = make_sac_scratch<S>(job);
  const float alpha = expf(*job.log_alpha.parameter), count = static_cast<float>(job.rows);
  fill_tile<S>(scratch.net, tile.count, obs, [&](int row, int column) {
    return job.batch[(tile.first + row) * job.width() + column];
  });
  forward<S, P>(job.actor, tile, scratch.net, &job.actor_record);
  float* raw = job.actor_record.last + tile.first * 2 * actions;
  each_place<S>(2 * actions, [&](int row, int column) {
    if (row < tile.count) raw[row * 2 * actions + column] = scratch.net.at(row, column);
  });
  sample_rows<S>(job, tile, scratch, job.noise);

  const auto member = [&](int e) {
    return Tile{e, tile.first + int64_t(e) * job.rows, tile.count};
  };
  for (int e = 0; e < kCritics; ++e) {
    fill_critic_input<S>(job, tile, scratch, 0,
                         [&](int row, int j) { return scratch.action[row * actions + j]; });
    forward<S, P>(job.critic, member(e), scratch.net, &job.critic_record);
    take_values<S>(scratch, scratch.values + e * S::kRows);
  }
  const int own = static_cast<int>(threadIdx.x);
  if (own < tile.count) {
    const float value = least(scratch.values[own], scratch.values[S::kRows + own]);
    scratch.target[own] = alpha * scratch.log_prob[own] - value;
  }
  each_place<S>(actions, [&](int row, int j) { scratch.share[row * actions + j] = 0.0f; });
  for (int e = 0; e < kCritics; ++e) {
    // dL/dvalue of -mean min(value, other): a tie gives half to each, as torch's amin does.
    each_place<S>(8, [&](int row, int column) {
      const float value = scratch.values[e * S::kRows + row];
      const float other = scratch.values[(1 - e) * S::kRows + row];
      const float share = value < other ? 1.0f : value == other ? 0.5f : 0.0f;
      scratch.net.at(row, column) = row < tile.count && column == 0 ? -share / count : 0.0f;
    });
    backward<S, P>(job.critic, member(e), scratch.net, job.critic_record, false, true);
    each_place<S>(actions, [&](int row, int j) {
      scratch.share[row * actions + j] += scratch.net.at(row, obs + j);
    });
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    add_up(job, kActorLoss, blocks, block, scratch.target, tile.count);
    add_up(job, kLogProb, blocks, block, scratch.log_prob, tile.count);
  }
  each_place<S>(actions, [&](int row, int j) {
    SampleGradient to = {0.0f, 0.0f};
    if (row < tile.count) {
      to = sample_gradient(job.policy, j, raw[row * 2 * actions + j],
                           raw[row * 2 * actions + actions + j],
                           job.noise[(tile.first + row) * actions + j],
                           scratch.share[row * actions + j], alpha / count);
    }
    scratch.net.at(row, j) = to.mean;
    scratch.net.at(row, actions + j) = to.raw_std;
  });
  clear_padding<S>(scratch.net, 2 * actions);
  backward<S, P>(job.actor, tile, scratch.net, job.actor_record, true, false);
}

// A thread for each number of the critics: their step, and a look at their targets'.
[[maybe_unused]] static __global__ void __launch_bounds__(kThreads, 1)
    step_critics(const __grid_constant__ SacJob job) {
  const int64_t at = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= job.critic_size || !job.gate.open(kOfCritics)) return;
  adam(job.critic_state, job.critic_clock, at, job.critic_gradient[at]);
  if (!finite(job.moved_target(at))) job.gate.close(kOfTargets);
  if (at == 0) job.critic_clock.count();
}

// A thread for each number of the actor or the critics, whichever are more: the actor's step, the
// targets' move, and by the first one the temperature's step and the report.
[[maybe_unused]] static __global__ void __launch_bounds__(kThreads, 1)
    finish_sac(const __grid_constant__ SacJob job) {
  const Gate& gate = job.gate;
  const int64_t at = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (at < job.actor_size && gate.open(kOfActor)) {
    adam(job.actor_state, job.actor_clock, at, job.actor_gradient[at]);
  }
  if (at < job.critic_size && gate.open(kOfTargets)) job.targets[at] = job.moved_target(at);
  if (at > 0) return;
  job.report[0] = gate.unless_left_out(kOfCritics, job.mean(kCriticLoss));
  job.report[1] = gate.unless_left_out(kOfActor, job.mean(kActorLoss));
  job.report[2] = gate.unless_left_out(kOfAlpha, expf(*job.log_alpha.parameter));
  job.report[3] = static_cast<float>(-job.mean(kLogProb));
  job.report[4] = gate.unless_left_out(kOfTargets, job.mean(kValue) / kCritics);
  if (gate.open(kOfActor)) job.actor_clock.count();
  if (!gate.open(kOfAlpha)) return;
  adam(job.log_alpha, job.alpha_clock, 0, job.alpha_gradient());
  job.alpha_clock.count();
}

}  // namespace mbpo::cuda
