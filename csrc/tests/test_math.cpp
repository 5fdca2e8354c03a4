// The vectors' activations, exp and softplus at every size of argument, the extremes included.
#include "check.h"

using namespace mbpo;
using namespace mbpo::check;

namespace {

// Run a network of one weight 1 on 32 numbers at a time: out = act(z), and its slope.
template <typename T>
void run_activation(const Kernels<T>& kernels, Activation activation, const std::vector<double>& z,
                    std::vector<double>& out, std::vector<double>& slopes) {
  const T one = 1, zero = 0;
  Buffer<T> in(kTileRows), h(kTileRows), slope(kTileRows);
  const bool kept = keeps_slope(activation);
  for (size_t at = 0; at < z.size(); at += kTileRows) {
    for (int64_t r = 0; r < kTileRows; ++r) {
      in[r] = static_cast<T>(at + r < z.size() ? z[at + r] : 0);
    }
    kernels.forward({1, 1, &one, &zero, in.data(), h.data(), kept ? slope.data() : nullptr,
                     activation, kTileRows});
    for (int64_t r = 0; r < kTileRows && at + r < z.size(); ++r) {
      out.push_back(h[r]);
      slopes.push_back(kept ? slope[r] : kNaN);
    }
  }
}

template <typename T>
void test_activation(const Kernels<T>& kernels, Activation activation) {
  std::vector<double> z = {0,     -0.0,  1e-45, -1e-45, 1e-40, -1e-40, 1e-30,     -1e-30,     1e-4,
                           -1e-4, 0.5,   -0.5,  88,     -88,   100,    -100,      1e4,        -1e4,
                           1e30,  -1e30, 104,   -104,   709,   -709,   kInfinity, -kInfinity, kNaN};
  for (double x = -30; x <= 30; x += 0.0137) z.push_back(x);
  for (double& x : z) x = static_cast<T>(x);
  std::vector<double> out, slopes;
  run_activation(kernels, activation, z, out, slopes);
  const std::string name = "activation " + std::to_string(static_cast<int>(activation));
  const double relative = sizeof(T) == 4 ? 1e-6 : 1e-14;
  for (size_t i = 0; i < z.size(); ++i) {
    const double want = activate(activation, z[i]);
    const std::string at = name + " at " + std::to_string(z[i]);
    // Where exp is held to its range, -88 leaves 1e-38 of silu and not less.
    const double size = std::min(1.0, std::abs(z[i]));
    const double least = std::abs(z[i]) > 80 ? 1e-7 : std::max(relative * size, 1e-44);
    if (activation == Activation::silu && z[i] == -kInfinity) {
      expect(!std::isfinite(out[i]), at, out[i], want);  // -infinity times what exp leaves
      continue;
    }
    expect_near(at, out[i], want, std::max(relative * std::abs(want), least));
    if (keeps_slope(activation)) {
      expect_near(at + " slope", slopes[i], slope(activation, z[i]), std::max(relative, least));
    }
  }
}

// nll's gradient of the mean is 2 (mean - y) exp(-logvar), here with a difference of one half.
template <typename T>
void test_exp(const Kernels<T>& kernels) {
  Buffer<T> head(2 * kTileRows), target(kTileRows), grad(2 * kTileRows);
  const auto run = [&](const std::vector<double>& x) {
    for (int64_t r = 0; r < kTileRows; ++r) {
      head[r] = T(0.5);
      target[r] = 0;
      head[kTileRows + r] = static_cast<T>(-x[r % x.size()]);
    }
    kernels.nll(1, kTileRows, T(1), head.data(), target.data(), grad.data());
  };
  for (double start = -87; start < 87; start += 0.31) {
    std::vector<double> x;
    for (int64_t r = 0; r < kTileRows; ++r) {
      x.push_back(static_cast<T>(std::min(87.0, start + 0.0097 * static_cast<double>(r))));
    }
    run(x);
    for (int64_t r = 0; r < kTileRows; ++r) {
      expect_near("exp of " + std::to_string(x[r]), grad[r] / std::exp(x[r]), 1,
                  sizeof(T) == 4 ? 3e-7 : 1e-15);
    }
  }
  run({kNaN, 100, -100, kInfinity, -kInfinity, 1e-40, -1e-40, 0});
  expect(std::isnan(grad[0]), "exp of NaN", grad[0], kNaN);
  expect(grad[1] > 6e37, "exp of 100", grad[1], std::exp(100.0));
  expect(grad[2] >= 0 && grad[2] < 2e-38, "exp of -100", grad[2], std::exp(-100.0));
  expect(grad[3] == kInfinity, "exp of infinity", grad[3], kInfinity);
  expect(grad[4] >= 0 && grad[4] < 2e-38, "exp of -infinity", grad[4], 0);
  for (int64_t r = 5; r < 8; ++r) expect_near("exp of almost 0", grad[r], 1, 1e-6);
}

// A raw value's way through the head is two softplus.
template <typename T>
void test_softplus(const Kernels<T>& kernels) {
  const std::vector<double> raws = {0,         1e-40,      -1e-40, 0.5, -10,  11,   30,
                                    -30,       100,        -100,   1e4, -1e4, 1e30, -1e30,
                                    kInfinity, -kInfinity, kNaN,   3,   -3,   80};
  const double bounds[][2] = {{-10, 0.5}, {-0.1, 0.1}, {-30, 10}, {-1, 1}};
  for (const auto& [low, high] : bounds) {
    const T minimum = static_cast<T>(low), maximum = static_cast<T>(high);
    Buffer<T> z(2 * kTileRows);
    z.waves(1);
    for (int64_t r = 0; r < kTileRows; ++r) {
      z[kTileRows + r] = static_cast<T>(raws[r % raws.size()]);
    }
    kernels.head({1, &minimum, &maximum}, z.data());
    for (int64_t r = 0; r < kTileRows; ++r) {
      const double raw = static_cast<T>(raws[r % raws.size()]), got = z[kTileRows + r];
      const double upper = maximum - softplus(maximum - raw);
      const double want = std::min<double>(minimum + softplus(upper - minimum), maximum);
      const std::string what = "soft clamp of " + std::to_string(raw);
      expect_near(what, got, std::isnan(raw) ? kNaN : want, kRounding<T> * 32);
      expect(!(got < minimum || got > maximum), what + " inside its bounds", got, want);
      expect_near("the mean beside it", z[r], static_cast<T>(wave(1, r)), 0);
    }
  }
}

}  // namespace

int main() {
  each_kernels([](const auto& kernels) {
    for (const Activation activation : kActivations) test_activation(kernels, activation);
    test_exp(kernels);
    test_softplus(kernels);
  });
  return finish();
}
