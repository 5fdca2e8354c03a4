// What the tests of whole updates share: parameters with their moments and steps, for both sides.
#pragma once

#include "../../cuda/adam.cuh"
#include "emulated.h"
#include "mbpo/adam.h"
#include "mbpo/network.h"

namespace mbpo::check {

constexpr double kAdam[] = {1e-3, 0.9, 0.999, 1e-8};  // learning rate, betas, epsilon

const Parallel kOneThread{
    [](int64_t tasks, Parallel::Body body, void* context) { body(context, 0, tasks); }};

// A parameter with its moments, and the number of steps it took.
template <typename T>
struct State {
  std::vector<T> parameter, moment, second_moment;
  float step = 0, correction[2] = {static_cast<float>(kNaN), static_cast<float>(kNaN)};

  explicit State(const std::vector<float>& first)
      : parameter(first.begin(), first.end()), moment(first.size()), second_moment(first.size()) {}

  auto adam() {
    if constexpr (sizeof(T) == 8) {
      return mbpo::AdamState<T>{parameter.data(), moment.data(), second_moment.data(), &step,
                                static_cast<int64_t>(parameter.size())};
    } else {
      return cuda::AdamState{parameter.data(), moment.data(), second_moment.data()};
    }
  }

  cuda::AdamClock clock() {
    return {float(kAdam[0]), float(kAdam[1]), float(kAdam[2]), float(kAdam[3]), &step, correction};
  }

  // All that a step may change.
  std::vector<double> numbers() const {
    std::vector<double> result{step};
    for (const std::vector<T>* each : {&parameter, &moment, &second_moment}) {
      result.insert(result.end(), each->begin(), each->end());
    }
    return result;
  }
};

// Blocks with a thread for each of so many numbers.
inline int64_t blocks_for(size_t numbers) {
  return static_cast<int64_t>((numbers + cuda::kThreads - 1) / cuda::kThreads);
}

// A problem's parameters in the order of a flat parameter.
inline std::vector<float> flat(const Problem& problem) {
  std::vector<float> result;
  for (int l = 0; l < problem.layers(); ++l) {
    result.insert(result.end(), problem.weights[l].begin(), problem.weights[l].end());
    result.insert(result.end(), problem.biases[l].begin(), problem.biases[l].end());
    if (l >= static_cast<int>(problem.gains.size())) continue;
    result.insert(result.end(), problem.gains[l].begin(), problem.gains[l].end());
    result.insert(result.end(), problem.shifts[l].begin(), problem.shifts[l].end());
  }
  return result;
}

// The same network with its parameters in `flat`.
inline cuda::Network network_in(const Problem& problem, const std::vector<float>& flat) {
  cuda::Network result = problem.network();
  const float* next = flat.data();
  for (int l = 0; l < problem.layers(); ++l) {
    result.weights[l] = next;
    result.biases[l] = next + problem.weights[l].size();
    next += problem.weights[l].size() + problem.biases[l].size();
    if (l >= static_cast<int>(problem.gains.size())) continue;
    result.gains[l] = next;
    result.shifts[l] = next + problem.gains[l].size();
    next += 2 * problem.gains[l].size();
  }
  return result;
}

inline Network<double> network_in(const Problem& problem, const std::vector<double>& flat) {
  const std::vector<int64_t> widths(problem.widths.begin(), problem.widths.end());
  return mbpo::network_in<double>(flat.data(), widths, problem.members, problem.activation,
                                  !problem.gains.empty());
}

template <typename Got, typename Want>
void compare(Got&& got, const Want& want, double limit, const char* what) {
  RelativeError error;
  for (size_t i = 0; i < want.size(); ++i) error.add(got[i], want[i]);
  error.expect_below(limit, what);
}

// The moments show the gradient.
inline void compare_states(const State<float>& got, const State<double>& want, double limit,
                           const std::string& what) {
  expect(got.step == want.step, what + ", steps", got.step, want.step);
  compare(got.moment, want.moment, 2 * limit, (what + ", moments").c_str());
  compare(got.second_moment, want.second_moment, 4 * limit, (what + ", second moments").c_str());
  compare(got.parameter, want.parameter, limit, what.c_str());
}

}  // namespace mbpo::check
