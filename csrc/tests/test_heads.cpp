// What stands on the last layer, and Adam: against their formulas in double, and their gradients
// against differences of what they compute.
#include <numeric>

#include "check.h"

using namespace mbpo;
using namespace mbpo::check;

namespace {

constexpr int64_t kFeatures[] = {1, 2, 7, 17};
constexpr int64_t kCounts[] = {1, 15, 16, 17, 31, 32};

template <typename T>
void test_head(const Kernels<T>& kernels, int64_t outputs) {
  Buffer<T> low(outputs, 1), high(outputs, 1), z(2 * outputs * kTileRows);
  low.waves(1, 0.5);
  high.waves(2, 0.5);
  for (int64_t j = 0; j < outputs; ++j) low[j] -= T(3);
  z.waves(3, 8);
  const GaussianHead<T> head{outputs, low.data(), high.data()};
  Buffer<T> out(z.size()), grad(z.size()), dz(z.size());
  std::copy_n(z.data(), z.size(), out.data());
  kernels.head(head, out.data());
  grad.waves(4);
  std::vector<double> dbounds(2 * outputs, 0.25), want_dbounds(2 * outputs, 0.25);
  kernels.head_backward(head, z.data(), grad.data(), dz.data(), dbounds.data());
  for (int64_t i = 0; i < outputs * kTileRows; ++i) {
    expect_near("mean", out[i], z[i], 0);
    expect_near("dmean", dz[i], grad[i], 0);
    const int64_t at = outputs * kTileRows + i, j = i / kTileRows;
    const double upper = high[j] - softplus(high[j] - z[at]);
    const double both = low[j] + softplus(upper - low[j]);
    expect_near("logvar", out[at], std::min<double>(both, high[j]), kRounding<T> * 8);
    const bool clamped = both > high[j];
    const double through = clamped ? 0 : grad[at] * sigmoid(upper - low[j]);
    expect_near("dlogvar", dz[at], through * sigmoid(high[j] - z[at]), kRounding<T> * 8);
    want_dbounds[j] += clamped ? 0 : grad[at] * sigmoid(low[j] - upper);
    want_dbounds[outputs + j] += clamped ? grad[at] : through * sigmoid(z[at] - high[j]);
  }
  for (int64_t j = 0; j < 2 * outputs; ++j) {
    expect_near("dbounds", dbounds[j], want_dbounds[j], kRounding<T> * 64);
  }
}

// d(sum of grad * head(z)) by differences, in double, for z and for both bounds.
void test_head_differences(const Kernels<double>& kernels) {
  constexpr int64_t outputs = 3, size = 2 * outputs * kTileRows;
  Buffer<double> bounds(2 * outputs), z(size), grad(size), dz(size), out(size);
  bounds.waves(1, 0.5);
  for (int64_t j = 0; j < outputs; ++j) bounds[j] -= 3;
  z.waves(2, 6);
  grad.waves(3);
  const GaussianHead<double> head{outputs, bounds.data(), bounds.data() + outputs};
  std::vector<double> dbounds(2 * outputs, 0.0);
  kernels.head_backward(head, z.data(), grad.data(), dz.data(), dbounds.data());
  const auto value = [&] {
    std::copy_n(z.data(), size, out.data());
    kernels.head(head, out.data());
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += grad[i] * out[i];
    return sum;
  };
  const auto difference = [&](double& at) {
    const double before = at, step = 1e-5;
    at = before + step;
    const double above = value();
    at = before - step;
    const double below = value();
    at = before;
    return (above - below) / (2 * step);
  };
  for (int64_t i = 0; i < size; ++i)
    expect_near("dz by differences", dz[i], difference(z[i]), 1e-7);
  for (int64_t j = 0; j < 2 * outputs; ++j) {
    expect_near("dbounds by differences", dbounds[j], difference(bounds[j]), 1e-7);
  }
}

template <typename T>
void test_nll(const Kernels<T>& kernels, int64_t outputs, int64_t count) {
  Buffer<T> head(2 * outputs * kTileRows), target(outputs * kTileRows), grad(head.size());
  head.waves(1, 2);
  target.waves(2);
  const double scale = 0.125;
  const double loss =
      kernels.nll(outputs, count, static_cast<T>(scale), head.data(), target.data(), grad.data());
  double want = 0, size = 0;
  for (int64_t i = 0; i < outputs * kTileRows; ++i) {
    const int64_t at = outputs * kTileRows + i;
    const bool inside = i % kTileRows < count;
    const double error = double(head[i]) - target[i], precision = std::exp(-double(head[at]));
    const double weighted = error * error * precision;
    if (inside) want += weighted + head[at];
    if (inside) size += weighted + std::abs(head[at]);
    const double dmean = inside ? scale * 2 * error * precision : 0;
    expect_near("dmean", grad[i], dmean, kRounding<T> * (1 + std::abs(dmean)));
    const double dlogvar = inside ? scale * (1 - weighted) : 0;
    expect_near("dlogvar", grad[at], dlogvar, kRounding<T> * (1 + weighted));
  }
  expect_near("nll", loss, want, kRounding<T> * size);
}

// One sampled action and its log-probability, by the textbook.
struct Draw {
  double action, log_prob;
};

Draw draw(double mean, double raw, double noise, double center, double scale) {
  const double log_std = std::min(std::max(raw, -5.0), 2.0);
  const double z = mean + std::exp(log_std) * noise, squashed = std::tanh(z);
  const double density = -0.5 * noise * noise - log_std - 0.5 * std::log(2 * M_PI);
  // log(1 - tanh(z)^2), whole where the square rounds to one.
  const double log_slope = 2 * (std::log(2.0) - z - softplus(-2 * z));
  return {center + scale * squashed, density - std::log(scale) - log_slope};
}

template <typename T>
struct Policy {
  int64_t actions;
  Buffer<T> raw, noise, center, scale, action, log_prob;

  explicit Policy(int64_t count)
      : actions(count),
        raw(2 * count * kTileRows),
        noise(count * kTileRows),
        center(count, 1),
        scale(count, 1),
        action(count * kTileRows),
        log_prob(kTileRows) {
    raw.waves(1, 4);  // some log_std lie below and above their clamp, which is [-5, 2]
    for (int64_t i = actions * kTileRows; i < raw.size(); ++i) raw[i] = raw[i] * 2 - T(1);
    noise.waves(2, 2);
    center.waves(3);
    for (int64_t j = 0; j < actions; ++j) scale[j] = T(0.5) + static_cast<T>(j);
  }

  PolicySample<T> job() {
    return {actions, raw.data(), noise.data(),  center.data(),  scale.data(),
            T(-5),   T(2),       action.data(), log_prob.data()};
  }
};

template <typename T>
void test_sample(const Kernels<T>& kernels, int64_t actions) {
  Policy<T> policy(actions);
  kernels.sample(policy.job());
  for (int64_t r = 0; r < kTileRows; ++r) {
    double log_prob = 0, size = 0;
    for (int64_t j = 0; j < actions; ++j) {
      const int64_t at = j * kTileRows + r;
      const Draw want = draw(policy.raw[at], policy.raw[actions * kTileRows + at], policy.noise[at],
                             policy.center[j], policy.scale[j]);
      // z, and so its squash and its logarithm, are off by what rounding the spread leaves.
      const double spread = 1 + std::abs(policy.raw[at]) + 15;
      expect_near("action", policy.action[at], want.action,
                  kRounding<T> * spread * policy.scale[j]);
      log_prob += want.log_prob;
      size += std::abs(want.log_prob) + 2 * spread;
    }
    expect_near("log_prob", policy.log_prob[r], log_prob, kRounding<T> * size);
  }
}

template <typename T>
void test_sample_backward(const Kernels<T>& kernels, int64_t actions) {
  Policy<T> policy(actions);
  Buffer<T> daction(actions * kTileRows), draws(policy.raw.size());
  daction.waves(5);
  const double dlog_prob = 0.3;
  kernels.sample_backward(policy.job(), daction.data(), static_cast<T>(dlog_prob), draws.data());
  for (int64_t i = 0; i < actions * kTileRows; ++i) {
    const int64_t j = i / kTileRows, at = actions * kTileRows + i;
    const auto value = [&](double mean, double raw) {
      const Draw d = draw(mean, raw, policy.noise[i], policy.center[j], policy.scale[j]);
      return daction[i] * d.action + dlog_prob * d.log_prob;
    };
    const double mean = policy.raw[i], raw = policy.raw[at], step = 1e-6;
    const double size = std::abs(daction[i]) * policy.scale[j] + 1;
    const double tolerance = (sizeof(T) == 4 ? 1e-5 : 1e-7) * 20 * size;
    expect_near("dmean by differences", draws[i],
                (value(mean + step, raw) - value(mean - step, raw)) / (2 * step), tolerance);
    if (std::abs(raw + 5) < 1e-3 || std::abs(raw - 2) < 1e-3) continue;  // at the clamp's corner
    expect_near("dlog_std by differences", draws[at],
                (value(mean, raw + step) - value(mean, raw - step)) / (2 * step), tolerance);
  }
}

template <typename T>
std::vector<T> copy_of(Buffer<T>& buffer) {
  return {buffer.data(), buffer.data() + buffer.size()};
}

template <typename T>
void test_adam(const Kernels<T>& kernels, int64_t n) {
  Buffer<T> parameter(n, 1), gradient(n, 2), moment(n, 3), second(n, 1), target(n, 1);
  Buffer<T> before(3 * n + 2, 1), target_before(n, 3);
  parameter.waves(1);
  moment.waves(2, 0);
  second.waves(3, 0);
  target.waves(4);
  std::vector<double> p(n), m(n), v(n), mean_p(n);
  for (int64_t i = 0; i < n; ++i) p[i] = parameter[i], mean_p[i] = target[i];
  const double rate = 3e-3, decay = 0.01, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, tau = 0.05;
  for (int step = 1; step <= 3; ++step) {
    gradient.waves(10 + step, 0.1);
    gradient.data()[0] = 0;
    const double one = 1 - std::pow(beta1, step), two = 1 - std::pow(beta2, step);
    const std::vector<T> old[] = {copy_of(parameter), copy_of(moment), copy_of(second)};
    const std::vector<T> old_target = copy_of(target);
    const AdamSizes<T> sizes = kernels.adam(
        {n, parameter.data(), gradient.data(), moment.data(), second.data(), before.data(), n + 1,
         static_cast<T>(decay), static_cast<T>(rate / one), static_cast<T>(1 / std::sqrt(two)),
         static_cast<T>(beta1), static_cast<T>(beta2), static_cast<T>(epsilon)});
    const T follows = kernels.follow(
        {n, parameter.data(), target.data(), target_before.data(), static_cast<T>(tau)});
    const auto size = [](T most, T x) { return std::max(most, std::abs(x)); };
    const auto largest = [&](Buffer<T>& of) {
      return std::accumulate(of.data(), of.data() + n, T(0), size);
    };
    expect(sizes.parameter == largest(parameter), "the largest weight");
    expect(sizes.second_moment == largest(second), "the largest second moment");
    expect(follows == largest(target), "the largest weight of the target");
    expect(kernels.largest(moment.data(), n) == largest(moment), "the largest number");
    for (int64_t i = 0; i < n; ++i) {
      for (int which = 0; which < 3; ++which) {
        expect(before[which * (n + 1) + i] == old[which][i], "kept from before the step");
      }
      expect(target_before[i] == old_target[i], "the target kept from before the step");
      const double g = gradient[i] + decay * p[i];
      m[i] = beta1 * m[i] + (1 - beta1) * g;
      v[i] = beta2 * v[i] + (1 - beta2) * g * g;
      p[i] -= rate * (m[i] / one) / (std::sqrt(v[i] / two) + epsilon);
      mean_p[i] += tau * (p[i] - mean_p[i]);
    }
  }
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-14;
  for (int64_t i = 0; i < n; ++i) {
    expect_near("parameter", parameter[i], p[i], tolerance);
    expect_near("moment", moment[i], m[i], tolerance);
    expect_near("second moment", second[i], v[i], tolerance);
    expect_near("target", target[i], mean_p[i], tolerance);
  }
}

// Put a number that is not finite, or whose square is not, in one place of each operand.
template <typename T>
void test_adam_that_is_not_finite(const Kernels<T>& kernels, int64_t n, int64_t place) {
  const T largest = std::numeric_limits<T>::max(), infinity = static_cast<T>(kInfinity);
  const T square = std::sqrt(largest) * 100, nan = static_cast<T>(kNaN);
  const auto step = [&](int operand, T bad) {
    Buffer<T> numbers[] = {Buffer<T>(n, 1), Buffer<T>(n, 2), Buffer<T>(n, 3), Buffer<T>(n, 1)};
    Buffer<T> before(3 * n);
    for (Buffer<T>& each : numbers) each.waves(1);
    for (int64_t i = 0; i < n; ++i) numbers[3][i] = std::abs(numbers[3][i]);
    numbers[operand][place] = bad;
    const AdamSizes<T> sizes =
        kernels.adam({n, numbers[0].data(), numbers[1].data(), numbers[2].data(), numbers[3].data(),
                      before.data(), n, T(0), T(1e-3), T(1), T(0.9), T(0.999), T(1e-8)});
    return std::isfinite(sizes.parameter) && std::isfinite(sizes.second_moment);
  };
  for (int operand = 0; operand < 4; ++operand) {
    for (const T bad : {nan, infinity, -infinity}) {
      expect(!step(operand, bad), "not finite, in operand " + std::to_string(operand));
    }
  }
  expect(!step(1, square) && !step(1, -square), "a second moment that overflows");
  expect(step(0, largest) && step(2, T(1e10)) && step(3, largest), "large and finite");

  Buffer<T> parameter(n), target(n), before(n);
  parameter.waves(1);
  target.waves(2);
  target[place] = -largest;
  const auto follow = [&] {
    return std::isfinite(
        kernels.follow({n, parameter.data(), target.data(), before.data(), T(0.5)}));
  };
  expect(follow(), "far apart");
  target[place] = -largest;
  parameter[place] = largest;
  expect(!follow(), "a target that overflows");
}

}  // namespace

int main() {
  each_kernels([](const auto& kernels) {
    for (const int64_t features : kFeatures) {
      test_head(kernels, features);
      for (const int64_t count : kCounts) test_nll(kernels, features, count);
      test_sample(kernels, features);
      test_sample_backward(kernels, features);
    }
    for (const int64_t n : {1, 7, 16, 33, 1000}) {
      test_adam(kernels, n);
      for (const int64_t place : {int64_t(0), n / 2, n - 1}) {
        test_adam_that_is_not_finite(kernels, n, place);
      }
    }
  });
  each_kernels_of<double>("double", test_head_differences);
  return finish();
}
