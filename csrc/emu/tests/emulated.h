// What the tests of emulated kernels stand on: problems in plain arrays with their answers in
// double, and launches.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#include "../../cuda/backward.cuh"
#include "../../cuda/weights.cuh"
#include "../../tests/check.h"
#include "../emulator.h"

namespace mbpo::check {

using cuda::Precision;
using emu::Order;

constexpr Order kOrders[] = {Order::ascending, Order::descending, Order::shuffled};

constexpr double allowed(Precision precision) {
  return precision == Precision::fp32 ? 1e-5 : precision == Precision::tf32 ? 2e-3 : 2e-2;
}

// `size` numbers around `shift`, even in +- `scale`; the same for the same seed.
inline std::vector<float> draws(unsigned seed, int64_t size, double scale, double shift = 0) {
  std::mt19937 random(seed);
  std::vector<float> result(size);
  for (float& number : result) {
    number = static_cast<float>(shift + scale * (2 * (random() / 4294967295.0) - 1));
  }
  return result;
}

// ||got - want|| / ||want||
class RelativeError {
 public:
  void add(double got, double want) {
    error_ += (got - want) * (got - want);
    size_ += want * want;
  }
  void expect_below(double limit, const char* what) const {
    if (error_ == 0) return expect(true, what);
    const double error = std::sqrt(error_ / size_);
    expect(error < limit, what, error, limit);
  }

 private:
  double error_ = 0, size_ = 0;
};

// One call of the op: E networks, their rows, and what is wanted of them.
struct Problem {
  int members, rows;  // E; B of each, or N where routed
  std::vector<int> widths;
  Activation activation;
  bool routed, gaussian;

  std::vector<std::vector<float>> weights{}, biases{}, gains{}, shifts{};
  std::vector<float> x{}, low{}, high{};
  std::vector<int> member{}, offsets{}, order{};  // of all R rows; a counting sort by member

  int layers() const { return static_cast<int>(widths.size()) - 1; }
  int inputs() const { return widths.front(); }
  int last() const { return widths.back(); }
  int outputs() const { return gaussian ? last() / 2 : last(); }
  int64_t all() const { return routed ? rows : int64_t(members) * rows; }

  Problem& draw(bool norm = false) {
    for (int l = 0; l < layers(); ++l) {
      const double scale = 2 / std::sqrt(static_cast<double>(widths[l]));
      weights.push_back(draws(10 + l, int64_t(members) * widths[l] * widths[l + 1], scale));
      biases.push_back(draws(20 + l, int64_t(members) * widths[l + 1], 0.3));
      if (!norm || l + 1 == layers()) continue;
      gains.push_back(draws(30 + l, int64_t(members) * widths[l + 1], 0.5, 1));
      shifts.push_back(draws(40 + l, int64_t(members) * widths[l + 1], 0.5));
    }
    x = draws(1, all() * inputs(), 1);
    low = draws(2, outputs(), 0.2, -1);
    high = draws(3, outputs(), 0.2, 1);
    offsets.assign(members + 1, 0);
    for (int64_t r = 0; r < all(); ++r) {
      // Uneven where routed, and the last of several members without a row.
      const int e =
          static_cast<int>(routed ? (r * r + r / 3) % std::max(1, members - 1) : r / rows);
      member.push_back(e);
      ++offsets[e + 1];
    }
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    order.resize(all());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return member[a] < member[b]; });
    return *this;
  }

  cuda::Network network() const {
    cuda::Network result{members, layers(), {}, {}, {}, activation};
    for (int l = 0; l < layers(); ++l) {
      result.weights[l] = weights[l].data();
      result.biases[l] = biases[l].data();
    }
    std::copy(widths.begin(), widths.end(), result.widths);
    return result;
  }

  cuda::Routing routing() const {
    if (!routed) return {members, rows, nullptr, nullptr};
    return {members, rows, offsets.data(), order.data()};
  }

  cuda::Head head() const {
    return gaussian ? cuda::Head{outputs(), low.data(), high.data()} : cuda::Head{};
  }

  template <typename T>
  cuda::Matrix<T> matrix(T* data, int width) const {
    return {data, int64_t(rows) * width, width, 1};
  }

  // By layer z, each row's in double; the last with its head already on it.
  std::vector<std::vector<double>> sums(int64_t row) const {
    std::vector<std::vector<double>> result;
    std::vector<double> h(x.begin() + row * inputs(), x.begin() + (row + 1) * inputs());
    for (int l = 0; l < layers(); ++l) {
      const float* bias = biases[l].data() + int64_t(member[row]) * widths[l + 1];
      std::vector<double> z(bias, bias + widths[l + 1]);
      for (int i = 0; i < widths[l]; ++i) {
        for (int j = 0; j < widths[l + 1]; ++j) z[j] += h[i] * weight(l, row, i, j);
      }
      result.push_back(z);
      h = z;
      for (double& number : h) number = activate(activation, number);
    }
    return result;
  }

  double weight(int layer, int64_t row, int i, int j) const {
    const int64_t place = (int64_t(member[row]) * widths[layer] + i) * widths[layer + 1] + j;
    return weights[layer][place];
  }

  double logvar(double raw, int j) const {
    const double upper = high[j] - softplus(high[j] - raw);
    return std::min(low[j] + softplus(upper - low[j]), double(high[j]));
  }
};

// The memory that the passes over rows leave for the one over weights.
struct Kept {
  std::vector<std::vector<float>> input, slope, normal, scale, sums, dz;
  std::vector<float> last;

  explicit Kept(const Problem& problem) {
    const auto nans = [](int64_t size) {
      return std::vector<float>(size, static_cast<float>(kNaN));
    };
    const auto nan = [&](int width) { return nans(problem.all() * width); };
    const int64_t tiles = problem.all() / cuda::kNormRows + problem.members;
    for (int l = 0; l < problem.layers(); ++l) {
      input.push_back(nan(problem.widths[l]));
      slope.push_back(nan(problem.widths[l]));
      normal.push_back(nan(problem.widths[l]));
      scale.push_back(nan(1));
      sums.push_back(nans(tiles * 2 * problem.widths[l]));
      dz.push_back(nan(problem.widths[l + 1]));
    }
    last = nan(problem.last());
  }

  cuda::Record record() {
    cuda::Record result{};
    for (size_t l = 0; l < input.size(); ++l) {
      result.input[l] = input[l].data();
      result.slope[l] = slope[l].data();
      result.normal[l] = normal[l].data();
      result.scale[l] = scale[l].data();
      result.sums[l] = sums[l].data();
      result.dz[l] = dz[l].data();
    }
    result.last = last.data();
    return result;
  }
};

inline emu::Launch launch(int64_t blocks, size_t shared_bytes, Order order) {
  return {static_cast<unsigned>(blocks), cuda::kThreads, shared_bytes, order,
          order == Order::descending};
}

template <typename S, typename Job>
emu::Launch over_rows(const Problem& problem, const Job& job, bool backward, Order order) {
  return launch(job.routing.most_tiles(problem.all(), S::kRows),
                cuda::shared_bytes<S>(job.network.widest(), backward), order);
}

// Run the forward kernel; `kept` null for none.
template <typename S, Precision P>
void run_forward(const Problem& problem, Kept* kept, float* first, float* second, Order order) {
  cuda::ForwardJob job{};
  job.network = problem.network();
  job.routing = problem.routing();
  job.head = problem.head();
  job.x = problem.matrix(problem.x.data(), problem.inputs());
  job.outputs[0] = problem.matrix(first, problem.outputs());
  job.outputs[1] = problem.matrix(second, problem.outputs());
  job.keep = kept != nullptr;
  if (kept) job.record = kept->record();
  emu::run(over_rows<S>(problem, job, false, order), [&] { cuda::forward_rows<S, P>(job); });
}

// Run f in a process of its own, where it may crash; return whether it did, threw or failed a
// check.
template <typename F>
bool fails(const F& f) {
  const pid_t child = fork();
  if (child == 0) {
    quiet = std::freopen("/dev/null", "w", stderr) != nullptr;
    const int before = failures;
    try {
      f();
    } catch (const std::runtime_error&) {
      ++failures;
    }
    _exit(failures > before);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && status != 0;
}

// A test of test(order): leave out each of its waits in turn, and some order must fail.
template <typename F>
void test_without_waits(const F& test) {
  emu::take_waits();
  for (const Order order : kOrders) test(order);
  for (const std::string& site : emu::take_waits()) {
    emu::leave_out_wait(site);
    const bool seen = std::any_of(std::begin(kOrders), std::end(kOrders),
                                  [&](Order order) { return fails([&] { test(order); }); });
    emu::leave_out_wait("");
    expect(seen, "without the wait at " + site);
  }
}

}  // namespace mbpo::check
