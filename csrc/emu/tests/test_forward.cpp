// The forward kernel against sums in double: both tile shapes, each precision, ragged widths and
// rows, rows of their own and routed ones, and each order of threads.
#include "emulated.h"

namespace {

using namespace mbpo;
using namespace mbpo::check;

template <typename S, Precision P>
void test_forward(const Problem& problem, Order order) {
  const int outputs = problem.outputs();
  Buffer<float> first(problem.all() * outputs), second(problem.all() * outputs);
  run_forward<S, P>(problem, nullptr, first.data(), second.data(), order);
  RelativeError error;
  for (int64_t row = 0; row < problem.all(); ++row) {
    const std::vector<double> z = problem.sums(row).back();
    for (int j = 0; j < outputs; ++j) {
      error.add(first[row * outputs + j], z[j]);
      if (!problem.gaussian) continue;
      error.add(second[row * outputs + j], problem.logvar(z[outputs + j], j));
    }
  }
  error.expect_below(allowed(P), "forward");
}

void test(Problem problem, Order order) {
  running = std::string("order ") + std::to_string(static_cast<int>(order));
  problem.draw();
  test_forward<cuda::Small, Precision::tf32>(problem, order);
  test_forward<cuda::Large, Precision::tf32>(problem, order);
  if (order != Order::ascending) return;
  test_forward<cuda::Small, Precision::fp32>(problem, order);
  test_forward<cuda::Small, Precision::bf16>(problem, order);
  test_forward<cuda::Large, Precision::bf16>(problem, order);
}

// NaN in a row stays in that row.
void test_nan() {
  Problem problem{2, 40, {5, 33, 3}, Activation::silu, false, false};
  problem.draw();
  problem.x[7 * 5 + 2] = static_cast<float>(kNaN);
  Buffer<float> y(80 * 3);
  run_forward<cuda::Small, Precision::tf32>(problem, nullptr, y.data(), nullptr, Order::ascending);
  for (int row = 0; row < 80; ++row) {
    for (int j = 0; j < 3; ++j) {
      expect(std::isnan(y[row * 3 + j]) == (row == 7), "NaN stays in its row", row, 7);
    }
  }
}

}  // namespace

int main() {
  for (const Order order : kOrders) {
    test({2, 40, {14, 200, 200, 24}, Activation::silu, false, true}, order);
    test({3, 70, {5, 64, 6}, Activation::relu, true, true}, order);
    test({1, 1, {1, 1}, Activation::tanh, false, false}, order);
    test({2, 33, {17, 33, 256, 3}, Activation::tanh, false, false}, order);
    test({1, 0, {9, 8, 8}, Activation::identity, false, false}, order);
  }
  test_nan();
  Problem problem{2, 40, {14, 200, 60, 24}, Activation::silu, false, true};
  problem.draw();
  running = "small";
  test_without_waits(
      [&](Order order) { test_forward<cuda::Small, Precision::tf32>(problem, order); });
  running = "large";
  test_without_waits(
      [&](Order order) { test_forward<cuda::Large, Precision::tf32>(problem, order); });
  return finish();
}
