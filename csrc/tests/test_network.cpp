// Whole networks, forward and backward, as the operators run them: against plain loops in double,
// and in double against differences.
#include <thread>

#include "check.h"
#include "mbpo/network.h"

using namespace mbpo;
using namespace mbpo::check;

namespace {

// Every task on one of two threads, so that their workspaces meet.
const Parallel kTwoThreads{[](int64_t tasks, Parallel::Body body, void* context) {
  std::thread other([=] { body(context, 0, tasks / 2); });
  body(context, tasks / 2, tasks);
  other.join();
}};

// E networks with their inputs x [E, B, I] and the gradient dy [E, B, J] of their outputs.
template <typename T>
struct Case {
  int64_t members, rows;
  std::vector<int64_t> widths;
  Activation activation;
  std::vector<std::vector<T>> weights, biases, gains, shifts;
  std::vector<T> x, dy;

  static std::vector<T> waves(int64_t seed, int64_t size, double scale) {
    std::vector<T> result(size);
    for (int64_t i = 0; i < size; ++i) result[i] = static_cast<T>(scale * wave(seed, i));
    return result;
  }

  Case(int64_t e, int64_t b, std::vector<int64_t> sizes, Activation act, bool norm = false)
      : members(e), rows(b), widths(std::move(sizes)), activation(act) {
    for (size_t l = 0; l + 1 < widths.size(); ++l) {
      const double scale = 2 / std::sqrt(static_cast<double>(widths[l]));
      weights.push_back(waves(10 + l, members * widths[l] * widths[l + 1], scale));
      biases.push_back(waves(20 + l, members * widths[l + 1], 0.3));
      if (!norm || l + 2 == widths.size()) continue;
      gains.push_back(waves(30 + l, members * widths[l + 1], 1.5));
      shifts.push_back(waves(40 + l, members * widths[l + 1], 0.5));
    }
    x = waves(1, members * rows * widths.front(), 1);
    dy = waves(2, members * rows * widths.back(), 1);
  }

  Network<T> network() const {
    Network<T> result{members, widths, {}, {}, activation};
    for (size_t l = 0; l < weights.size(); ++l) {
      result.weights.push_back(weights[l].data());
      result.biases.push_back(biases[l].data());
    }
    for (size_t l = 0; l < gains.size(); ++l) {
      result.gains.push_back(gains[l].data());
      result.shifts.push_back(shifts[l].data());
    }
    return result;
  }
};

struct Results {
  std::vector<double> y, dx;
  std::vector<std::vector<double>> dweights, dbiases, dgains, dshifts;
};

// Backpropagation row by row.
template <typename T>
Results plain(const Case<T>& c) {
  const int64_t layers = static_cast<int64_t>(c.weights.size());
  Results result;
  for (int64_t l = 0; l < layers; ++l) {
    result.dweights.emplace_back(c.weights[l].size());
    result.dbiases.emplace_back(c.biases[l].size());
  }
  for (const std::vector<T>& gain : c.gains) {
    result.dgains.emplace_back(gain.size());
    result.dshifts.emplace_back(gain.size());
  }
  const int64_t norms = static_cast<int64_t>(c.gains.size());
  for (int64_t row = 0; row < c.members * c.rows; ++row) {
    const int64_t e = row / c.rows, last = c.widths.back(), first = c.widths.front();
    const auto at = c.x.begin() + row * first;
    std::vector<std::vector<double>> h{{at, at + first}}, z;
    std::vector<NormalisedRow> normal;
    for (int64_t l = 0; l < layers; ++l) {
      const int64_t in = c.widths[l], out = c.widths[l + 1];
      z.emplace_back(out);
      h.emplace_back(out);
      for (int64_t j = 0; j < out; ++j) {
        z[l][j] = c.biases[l][e * out + j];
        for (int64_t i = 0; i < in; ++i) {
          z[l][j] += h[l][i] * c.weights[l][(e * in + i) * out + j];
        }
      }
      if (l < norms) normal.emplace_back(z[l]);
      for (int64_t j = 0; j < out; ++j) {
        const int64_t n = e * out + j;
        if (l < norms) z[l][j] = normal[l].x[j] * c.gains[l][n] + c.shifts[l][n];
        h[l + 1][j] = l + 1 < layers ? activate(c.activation, z[l][j]) : z[l][j];
      }
    }
    result.y.insert(result.y.end(), h[layers].begin(), h[layers].end());
    std::vector<double> dz(c.dy.begin() + row * last, c.dy.begin() + (row + 1) * last);
    for (int64_t l = layers - 1; l >= 0; --l) {
      const int64_t in = c.widths[l], out = c.widths[l + 1];
      std::vector<double> dh(in);
      for (int64_t j = 0; j < out; ++j) result.dbiases[l][e * out + j] += dz[j];
      for (int64_t i = 0; i < in; ++i) {
        for (int64_t j = 0; j < out; ++j) {
          const int64_t w = (e * in + i) * out + j;
          result.dweights[l][w] += h[l][i] * dz[j];
          dh[i] += c.weights[l][w] * dz[j];
        }
        if (l > 0) dh[i] *= slope(c.activation, z[l - 1][i]);
        if (l == 0 || l > norms) continue;
        result.dgains[l - 1][e * in + i] += dh[i] * normal[l - 1].x[i];
        result.dshifts[l - 1][e * in + i] += dh[i];
        dh[i] *= c.gains[l - 1][e * in + i];
      }
      dz = l > 0 && l <= norms ? normal[l - 1].backward(dh) : dh;
    }
    result.dx.insert(result.dx.end(), dz.begin(), dz.end());
  }
  return result;
}

// The same by the kernels: forward without and with a record, then both passes backward.
template <typename T>
Results by_kernels(const Kernels<T>& kernels, const Case<T>& c) {
  const Network<T> network = c.network();
  const int64_t inputs = network.inputs(), outputs = network.outputs();
  const std::vector<Tile> tiles = make_tiles(c.members, c.rows);
  const int64_t count = static_cast<int64_t>(tiles.size());
  const Record record = Record::of(network, true), brief = Record::of(network, false);
  Buffer<T> memory(count * record.size), rows_memory(GradientRows<T>::size(network, count));
  const GradientRows<T> rows = GradientRows<T>::cut(network, count, rows_memory.data());
  std::vector<T> y(c.members * c.rows * outputs), again(y.size()), dx(c.x.size());
  const double work = 1e9;
  kTwoThreads.over(count, work, [&](int64_t t) {
    const Tile& tile = tiles[t];
    const int64_t first = tile.member * c.rows + tile.first;
    const Rows<const T> x{c.x.data() + first * inputs, inputs, 1, nullptr, tile.count};
    const Rows<const T> dy{c.dy.data() + first * outputs, outputs, 1, nullptr, tile.count};
    Buffer<T> short_memory(brief.size), dz(network.widest() * kTileRows),
        dinput(inputs * kTileRows);
    kernels.gather(x, inputs, short_memory.data() + brief.input);
    forward_tile(kernels, network, brief, tile, short_memory.data());
    kernels.scatter(short_memory.data() + brief.output, outputs,
                    {again.data() + first * outputs, outputs, 1, nullptr, tile.count});
    T* kept = memory.data() + t * record.size;
    kernels.gather(x, inputs, kept + record.input);
    forward_tile(kernels, network, record, tile, kept);
    kernels.scatter(kept + record.output, outputs,
                    {y.data() + first * outputs, outputs, 1, nullptr, tile.count});
    kernels.gather(dy, outputs, dz.data());
    backward_tile(kernels, network, tile,
                  {record, kept, dz.data(), &rows, t, dinput.data(), 0, inputs});
    kernels.scatter(dinput.data(), inputs,
                    {dx.data() + first * inputs, inputs, 1, nullptr, tile.count});
  });
  bool same = true;
  for (size_t i = 0; i < y.size(); ++i) same = same && y[i] == again[i];
  expect(same, "the record changes nothing");

  Results result{{y.begin(), y.end()}, {dx.begin(), dx.end()}, {}, {}, {}, {}};
  const std::vector<int64_t> offsets = tile_offsets(tiles, c.members);
  for (int64_t l = 0; l < network.layers(); ++l) {
    result.dweights.emplace_back(c.weights[l].size());
    result.dbiases.emplace_back(c.biases[l].size());
  }
  for (const GradientTask& task : gradient_tasks(network)) {
    const int64_t in = network.widths[task.layer], out = network.widths[task.layer + 1];
    Buffer<T> dweight((task.last - task.first) * out, 1), dbias(out, 1);
    weight_gradient(kernels, network, record, memory.data(), rows, offsets[task.member],
                    offsets[task.member + 1], task, dweight.data(), dbias.data());
    std::copy_n(dweight.data(), dweight.size(),
                result.dweights[task.layer].begin() + (task.member * in + task.first) * out);
    if (task.first > 0) continue;
    std::copy_n(dbias.data(), out, result.dbiases[task.layer].begin() + task.member * out);
  }
  for (int64_t l = 0; network.normalises(l); ++l) {
    for (std::vector<std::vector<double>>* to : {&result.dgains, &result.dshifts}) {
      const int64_t width = network.widths[l + 1], which = to == &result.dshifts;
      std::vector<double>& all = to->emplace_back();
      for (int64_t e = 0; e < c.members; ++e) {
        Buffer<T> gradient(width, 1);
        norm_gradient(network, rows, l, offsets[e], offsets[e + 1], which, gradient.data());
        all.insert(all.end(), gradient.data(), gradient.data() + width);
      }
    }
  }
  return result;
}

// The error of a whole array in parts of its size.
void expect_close(const std::string& what, const std::vector<double>& got,
                  const std::vector<double>& want, double tolerance) {
  double error = 0, size = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    error += (got[i] - want[i]) * (got[i] - want[i]);
    size += want[i] * want[i];
  }
  size = std::max(size, 1e-2 * static_cast<double>(want.size()));
  expect(got.size() == want.size() && std::sqrt(error) <= tolerance * std::sqrt(size), what,
         std::sqrt(error), tolerance * std::sqrt(size));
}

template <typename T>
void test_network(const Kernels<T>& kernels, int64_t members, int64_t rows,
                  const std::vector<int64_t>& widths, Activation activation, bool norm = false) {
  const Case<T> c(members, rows, widths, activation, norm);
  const Results got = by_kernels(kernels, c), want = plain(c);
  // A norm divides by a deviation that may be small, and errors with it.
  const double tolerance = (sizeof(T) == 4 ? 1e-5 : 1e-13) * (norm ? 10 : 1);
  expect_close("y", got.y, want.y, tolerance);
  expect_close("dx", got.dx, want.dx, tolerance);
  for (size_t l = 0; l < c.weights.size(); ++l) {
    expect_close("dW " + std::to_string(l), got.dweights[l], want.dweights[l], tolerance);
    expect_close("db " + std::to_string(l), got.dbiases[l], want.dbiases[l], tolerance);
  }
  for (size_t l = 0; l < c.gains.size(); ++l) {
    expect_close("dgain " + std::to_string(l), got.dgains[l], want.dgains[l], tolerance);
    expect_close("dshift " + std::to_string(l), got.dshifts[l], want.dshifts[l], tolerance);
  }
}

// d(sum of dy * y) by differences of the kernels' own forward pass.
void test_differences(const Kernels<double>& kernels, Activation activation, bool norm) {
  Case<double> c(2, 17, {3, 13, 7, 2}, activation, norm);
  const Results got = by_kernels(kernels, c);
  const auto difference = [&](double& at) {
    const double before = at, step = 1e-6;
    double sums[2];
    for (int side = 0; side < 2; ++side) {
      at = side ? before - step : before + step;
      const std::vector<double> y = by_kernels(kernels, c).y;
      sums[side] = 0;
      for (size_t i = 0; i < y.size(); ++i) sums[side] += y[i] * c.dy[i];
    }
    at = before;
    return (sums[0] - sums[1]) / (2 * step);
  };
  for (size_t i = 0; i < c.x.size(); i += 11) {
    expect_near("dx by differences", got.dx[i], difference(c.x[i]), 1e-6);
  }
  for (size_t l = 0; l < c.weights.size(); ++l) {
    for (size_t i = 0; i < c.weights[l].size(); i += 9) {
      expect_near("dW by differences", got.dweights[l][i], difference(c.weights[l][i]), 1e-6);
    }
    for (size_t i = 0; i < c.biases[l].size(); i += 3) {
      expect_near("db by differences", got.dbiases[l][i], difference(c.biases[l][i]), 1e-6);
    }
  }
  for (size_t l = 0; l < c.gains.size(); ++l) {
    for (size_t i = 0; i < c.gains[l].size(); i += 3) {
      expect_near("dgain by differences", got.dgains[l][i], difference(c.gains[l][i]), 1e-6);
      expect_near("dshift by differences", got.dshifts[l][i], difference(c.shifts[l][i]), 1e-6);
    }
  }
}

}  // namespace

int main() {
  each_kernels([](const auto& kernels) {
    for (const Activation activation : kActivations) {
      for (const int64_t rows : {1, 15, 16, 17, 31, 32, 33, 65}) {
        test_network(kernels, 3, rows, {3, 13, 17, 2}, activation);
        test_network(kernels, 3, rows, {3, 13, 17, 2}, activation, true);
      }
      test_network(kernels, 2, 40, {5, 4}, activation);
      test_network(kernels, 1, 33, {1, 1, 1}, activation);
      test_network(kernels, 1, 33, {1, 1, 1}, activation, true);
      test_network(kernels, 2, 40, {5, 4}, activation, true);
    }
    test_network(kernels, 2, 70, {23, 200, 200, 36}, Activation::silu);
    test_network(kernels, 2, 33, {7, 256, 256, 1}, Activation::relu);
    test_network(kernels, 2, 33, {7, 256, 256, 1}, Activation::relu, true);
  });
  each_kernels_of<double>("double", [](const Kernels<double>& kernels) {
    for (const Activation activation : kActivations) {
      for (const bool norm : {false, true}) test_differences(kernels, activation, norm);
    }
  });
  return finish();
}
