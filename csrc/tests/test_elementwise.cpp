// The kernels against the C library in double: values, derivatives, NaN, infinities and odd sizes.
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "mbpo/elementwise.h"

namespace {

using mbpo::Activation;

int failures = 0;

void expect(bool holds, const char* what, double got, double want) {
  if (holds) return;
  ++failures;
  std::printf("FAILED %s: got %.9g, want %.9g\n", what, got, want);
}

// One test fails once, however many values are off.
void expect_near(const char* what, const std::vector<double>& got, const std::vector<double>& want,
                 double tolerance) {
  for (size_t i = 0; i < want.size(); ++i) {
    const bool same = std::isnan(want[i]) ? std::isnan(got[i])
                      : std::isinf(want[i]) ? got[i] == want[i]
                                            : std::abs(got[i] - want[i]) <=
                                                  tolerance * std::max(1e-3, std::abs(want[i]));
    if (!same) return expect(false, what, got[i], want[i]);
  }
}

double exact(Activation activation, double z) {
  switch (activation) {
    case Activation::relu: return z <= 0 ? 0 : z;
    case Activation::tanh: return std::tanh(z);
    case Activation::silu: return z / (1 + std::exp(-z));
    case Activation::identity: return z;
  }
  return z;
}

double exact_slope(Activation activation, double z) {
  const double s = 1 / (1 + std::exp(-z));
  switch (activation) {
    case Activation::relu: return z <= 0 ? 0 : 1;
    case Activation::tanh: return 1 - std::tanh(z) * std::tanh(z);
    case Activation::silu: return s * (1 + z * (1 - s));
    case Activation::identity: return 1;
  }
  return 1;
}

double wave(int64_t i) { return 4 * std::sin(0.7 * static_cast<double>(i) + 0.3); }

void test_scalars() {
  std::vector<double> got, want;
  for (double x = -86; x <= 0; x += 0.01) {
    got.push_back(mbpo::exp_nonpositive(static_cast<float>(x)) / std::exp(double(float(x))));
    want.push_back(1);
  }
  expect_near("exp", got, want, 3e-7);
  const double inf = std::numeric_limits<double>::infinity();
  const double values[] = {0, 1e-30, 1e-4, -1e-4, 0.3, -0.6, 3, -20, 90, -90, 1e30, -1e30,
                           inf, -inf, std::nan("")};
  for (const double v : values) {
    const float z = static_cast<float>(v);
    expect_near("tanh", {mbpo::tanh_of(z)}, {std::tanh(double(z))}, 1e-6);
    const double plus = z > 30 ? double(z) : std::log1p(std::exp(double(z)));
    expect_near("softplus", {mbpo::softplus(z)}, {plus}, 1e-6);
    expect_near("sigmoid", {mbpo::sigmoid(z)}, {1 / (1 + std::exp(-double(z)))}, 1e-6);
  }
}

void test_bias_activation(Activation activation, int64_t rows, int64_t width) {
  std::vector<float> z(rows * width), bias(width), h(rows * width);
  for (size_t i = 0; i < z.size(); ++i) z[i] = static_cast<float>(wave(static_cast<int64_t>(i)));
  for (int64_t j = 0; j < width; ++j) bias[j] = static_cast<float>(0.1 * wave(j + 5));
  std::vector<double> want;
  for (size_t i = 0; i < z.size(); ++i) want.push_back(exact(activation, z[i] + bias[i % width]));
  std::vector<float> in_place = z;
  mbpo::bias_activation(activation, z.data(), bias.data(), h.data(), rows, width);
  mbpo::bias_activation(activation, in_place.data(), bias.data(), in_place.data(), rows, width);
  expect_near("activation", {h.begin(), h.end()}, want, 2e-6);
  expect_near("activation in place", {in_place.begin(), in_place.end()},
              {h.begin(), h.end()}, 0);
}

void test_hidden_backward(Activation activation, int64_t rows, int64_t width, bool outer) {
  std::vector<double> saved(rows * width), grad(rows * width, -7), h(rows * width), dz, dbias(width),
      dweight(width), next_grad(rows), next_weight(width), want_bias(width), want_weight(width);
  const bool keeps_z = mbpo::saves_preactivation(activation);
  for (int64_t r = 0; r < rows; ++r) next_grad[r] = wave(r);
  for (int64_t j = 0; j < width; ++j) next_weight[j] = wave(3 * j);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < width; ++j) {
      const int64_t i = r * width + j;
      const double z = wave(i), dh = outer ? next_grad[r] * next_weight[j] : wave(i + 9);
      saved[i] = keeps_z ? z : exact(activation, z);
      if (!outer) grad[i] = dh;
      dz.push_back(dh * exact_slope(activation, z));
      want_bias[j] += dz.back();
      want_weight[j] += next_grad[r] * exact(activation, z);
    }
  }
  mbpo::HiddenBackward<double> job{rows, width, 0, width, saved.data(), grad.data(),
                                   keeps_z && !outer ? h.data() : nullptr, dbias.data(),
                                   outer ? next_weight.data() : nullptr, next_grad.data(),
                                   dweight.data()};
  mbpo::hidden_backward(activation, job);
  expect_near("dL/dz", grad, dz, 1e-9);
  expect_near("dL/db", dbias, want_bias, 1e-9);
  if (outer) expect_near("dL/dw", dweight, want_weight, 1e-9);
}

void test_sums(int64_t rows, int64_t width) {
  std::vector<double> m(rows * width), weight(width), sums(width), want(width), dots(rows), want_dots;
  for (size_t i = 0; i < m.size(); ++i) m[i] = wave(static_cast<int64_t>(i));
  for (int64_t j = 0; j < width; ++j) weight[j] = wave(j + 2);
  for (int64_t r = 0; r < rows; ++r) {
    double dot = 0.5;
    for (int64_t j = 0; j < width; ++j) {
      want[j] += m[r * width + j];
      dot += m[r * width + j] * weight[j];
    }
    want_dots.push_back(dot);
  }
  mbpo::column_sums(m.data(), sums.data(), rows, width, 0, width);
  mbpo::row_dots(m.data(), weight.data(), 0.5, dots.data(), rows, width);
  expect_near("column sums", sums, want, 1e-9);
  expect_near("row dots", dots, want_dots, 1e-9);
}

void test_head_stays_inside() {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> raws = {0, 0.5f, -10, 12, 40, -40, 1e30f, -1e30f, inf, -inf};
  const int64_t half = static_cast<int64_t>(raws.size());
  std::vector<float> z(2 * half, 1), bias(2 * half, 0), low(half, -10), high(half, 0.5f),
      mean(half), logvar(half);
  std::copy(raws.begin(), raws.end(), z.begin() + half);
  const mbpo::Head<float> head{1, half, low.data(), high.data(), nullptr};
  mbpo::head_forward(head, z.data(), bias.data(), mean.data(), logvar.data());
  for (int64_t j = 0; j < half; ++j) {
    expect(logvar[j] >= -10 && logvar[j] <= 0.5f, "logvar inside", logvar[j], raws[j]);
    expect(mean[j] == 1, "mean", mean[j], 1);
  }
}

}  // namespace

int main() {
  test_scalars();
  test_head_stays_inside();
  for (const int64_t width : {1, 15, 16, 17, 63, 64, 65, 200}) {
    for (const int64_t rows : {0, 1, 3, 130}) {
      test_sums(rows, width);
      for (const Activation activation :
           {Activation::identity, Activation::relu, Activation::tanh, Activation::silu}) {
        test_bias_activation(activation, rows, width);
        test_hidden_backward(activation, rows, width, false);
        test_hidden_backward(activation, rows, width, true);
      }
    }
  }
  std::printf(failures ? "%d checks failed\n" : "all checks passed\n", failures);
  return failures ? 1 : 0;
}
