// The backward kernels against backpropagation in double: rows backward, then the weights.
#include "optimised.h"

namespace {

using namespace mbpo;
using namespace mbpo::check;

struct Gradients {
  std::vector<double> dx, low, high;
  std::vector<std::vector<double>> weights, biases;
};

// dL/draw, and what the row adds to the bounds' gradients.
double clamp_back(const Problem& problem, double raw, int j, double g, Gradients& sums) {
  const double low = problem.low[j], high = problem.high[j];
  const double upper = high - softplus(high - raw);
  if (low + softplus(upper - low) > high) {
    sums.high[j] += g;
    return 0;
  }
  const double through = g * sigmoid(upper - low);
  sums.low[j] += g * sigmoid(low - upper);
  sums.high[j] += through * sigmoid(raw - high);
  return through * sigmoid(high - raw);
}

Gradients plain(const Problem& problem, const float* first, const float* second) {
  const int outputs = problem.outputs();
  Gradients result{{}, std::vector<double>(outputs), std::vector<double>(outputs), {}, {}};
  for (int l = 0; l < problem.layers(); ++l) {
    result.weights.emplace_back(problem.weights[l].size());
    result.biases.emplace_back(problem.biases[l].size());
  }
  for (int64_t row = 0; row < problem.all(); ++row) {
    const auto sums = problem.sums(row);
    std::vector<double> dz(first + row * outputs, first + (row + 1) * outputs);
    for (int j = 0; problem.gaussian && j < outputs; ++j) {
      dz.push_back(
          clamp_back(problem, sums.back()[outputs + j], j, second[row * outputs + j], result));
    }
    for (int l = problem.layers() - 1; l >= 0; --l) {
      const int inputs = problem.widths[l], width = problem.widths[l + 1];
      const int e = problem.member[row];
      std::vector<double> below(inputs);
      for (int j = 0; j < width; ++j) result.biases[l][e * width + j] += dz[j];
      for (int i = 0; i < inputs; ++i) {
        const double z = l > 0 ? sums[l - 1][i] : 0;
        const double h = l > 0 ? activate(problem.activation, z) : problem.x[row * inputs + i];
        for (int j = 0; j < width; ++j) {
          result.weights[l][(int64_t(e) * inputs + i) * width + j] += h * dz[j];
          below[i] += dz[j] * problem.weight(l, row, i, j);
        }
        if (l > 0) below[i] *= slope(problem.activation, z);
      }
      dz = below;
    }
    result.dx.insert(result.dx.end(), dz.begin(), dz.end());
  }
  return result;
}

template <Precision P>
void test_gradients(const Problem& problem, Order order) {
  using S = cuda::Small;
  const int outputs = problem.outputs(), inputs = problem.inputs();
  const std::vector<float> first = draws(4, problem.all() * outputs, 1),
                           second = draws(5, problem.all() * outputs, 1);
  const Gradients want = plain(problem, first.data(), second.data());
  Kept kept(problem);
  Buffer<float> y(problem.all() * outputs), logvar(problem.all() * outputs);
  run_forward<S, P>(problem, &kept, y.data(), logvar.data(), order);

  Buffer<float> dx(problem.all() * inputs);
  cuda::BackwardJob rows{};
  rows.network = problem.network();
  rows.routing = problem.routing();
  rows.head = problem.head();
  rows.gradients[0] = problem.matrix(first.data(), outputs);
  rows.gradients[1] = problem.matrix(second.data(), outputs);
  rows.record = kept.record();
  rows.dx = problem.matrix(dx.data(), inputs);
  rows.keep_dz = rows.to_input = true;
  const emu::Launch over = over_rows<S>(problem, rows, true, order);
  Buffer<float> sums(over.blocks * cuda::kBlockSums * outputs);
  rows.block_sums = sums.data();
  emu::run(over, [&] { cuda::backward_rows<S, P>(rows); });

  cuda::WeightJob<cuda::StoreGradient> weights{rows.network, rows.routing, rows.record, {}};
  std::vector<std::vector<float>> dweights, dbiases;
  for (int l = 0; l < problem.layers(); ++l) {
    dweights.emplace_back(problem.weights[l].size(), static_cast<float>(kNaN));
    dbiases.emplace_back(problem.biases[l].size(), static_cast<float>(kNaN));
    weights.update.weights[l] = dweights[l].data();
    weights.update.biases[l] = dbiases[l].data();
  }
  emu::run(launch(cuda::count_squares(weights.network), cuda::kSquareBytes, order),
           [&] { cuda::weight_gradient<P>(weights); });

  // ReLU's slope jumps at 0: where tf32 puts z on the other side, its gradient is another.
  const bool jumps = problem.activation == Activation::relu && P == Precision::tf32;
  const double limit = jumps ? 2e-2 : 2 * allowed(P);
  compare(dx, want.dx, limit, "dx");
  for (int l = 0; l < problem.layers(); ++l) {
    compare(dweights[l], want.weights[l], limit, "dW");
    compare(dbiases[l], want.biases[l], limit, "db");
  }
  if (!problem.gaussian) return;
  for (int which = 0; which < 2; ++which) {
    std::vector<double> total(outputs);
    for (unsigned b = 0; b < over.blocks; ++b) {
      const int64_t at = (b * cuda::kBlockSums + cuda::kToMinimum + which) * outputs;
      for (int j = 0; j < outputs; ++j) total[j] += sums[at + j];
    }
    compare(total, which ? want.high : want.low, limit, "bounds");
  }
}

void test(Problem problem, Order order) {
  running = std::string("order ") + std::to_string(static_cast<int>(order));
  problem.draw();
  test_gradients<Precision::tf32>(problem, order);
  if (order == Order::ascending) test_gradients<Precision::fp32>(problem, order);
}

}  // namespace

int main() {
  for (const Order order : kOrders) {
    test({2, 40, {14, 200, 200, 24}, Activation::silu, false, true}, order);
    test({3, 70, {5, 64, 6}, Activation::relu, true, true}, order);
    test({1, 1, {1, 1}, Activation::tanh, false, false}, order);
    test({2, 33, {17, 33, 256, 3}, Activation::tanh, false, false}, order);
    test({2, 17, {3, 129, 65, 10}, Activation::identity, true, true}, order);
    test({1, 0, {9, 8, 8}, Activation::relu, false, true}, order);
  }
  Problem problem{2, 40, {14, 200, 60, 24}, Activation::silu, false, true};
  problem.draw();
  running = "waits";
  test_without_waits([&](Order order) { test_gradients<Precision::tf32>(problem, order); });
  return finish();
}
