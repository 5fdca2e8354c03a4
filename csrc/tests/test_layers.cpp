// One layer forward and backward and its weights' gradient against plain loops in double.
#include "check.h"

using namespace mbpo;
using namespace mbpo::check;

namespace {

constexpr int64_t kWidths[] = {1, 2, 3, 7, 13, 16, 17, 200, 256};
constexpr int64_t kCounts[] = {1, 15, 16, 17, 31, 32};

// Sums and the sums of their terms' sizes, [features][kTileRows].
struct Sums {
  std::vector<double> value, size;
  explicit Sums(int64_t features) : value(features * kTileRows), size(features * kTileRows) {}
};

// Numbers past `count` are NaN, so that a leak shows.
template <typename T>
void poison(Buffer<T>& tile, int64_t count) {
  for (int64_t i = 0; i < tile.size(); ++i) {
    if (i % kTileRows >= count) tile[i] = static_cast<T>(kNaN);
  }
}

template <typename T>
void test_forward(const Kernels<T>& kernels, int64_t inputs, int64_t outputs) {
  // Weights lie where torch put them, at any multiple of a number's size.
  Buffer<T> weight(inputs * outputs, 1), bias(outputs, 3), whole(inputs * kTileRows);
  weight.waves(1, 1 / std::sqrt(inputs));
  bias.waves(2, 0.5);
  whole.waves(3, 2);
  Sums z(outputs);
  for (int64_t j = 0; j < outputs; ++j) {
    double* value = z.value.data() + j * kTileRows;
    double* size = z.size.data() + j * kTileRows;
    for (int64_t r = 0; r < kTileRows; ++r) {
      value[r] = bias[j];
      size[r] = std::abs(value[r]);
    }
    for (int64_t i = 0; i < inputs; ++i) {
      for (int64_t r = 0; r < kTileRows; ++r) {
        const double term = double(weight[i * outputs + j]) * whole[i * kTileRows + r];
        value[r] += term;
        size[r] += std::abs(term);
      }
    }
  }
  for (const int64_t count : kCounts) {
    if (inputs * outputs > 1000 && count % 16 > 1) continue;
    Buffer<T> in(inputs * kTileRows);
    std::copy_n(whole.data(), whole.size(), in.data());
    poison(in, count);
    for (const Activation activation : kActivations) {
      for (const bool kept : {false, true}) {
        if (kept && !keeps_slope(activation)) continue;
        Buffer<T> out(outputs * kTileRows), slopes(outputs * kTileRows);
        kernels.forward({inputs, outputs, weight.data(), bias.data(), in.data(), out.data(),
                         kept ? slopes.data() : nullptr, activation, count});
        for (int64_t i = 0; i < outputs * kTileRows; ++i) {
          if (i % kTileRows >= count) continue;
          const double tolerance = kRounding<T> * (1 + z.size[i]);
          expect_near("forward", out[i], activate(activation, z.value[i]), tolerance);
          if (kept) expect_near("slope", slopes[i], slope(activation, z.value[i]), tolerance);
        }
      }
    }
  }
}

template <typename T>
void test_backward(const Kernels<T>& kernels, int64_t inputs, int64_t outputs) {
  Buffer<T> weight(inputs * outputs, 1), whole(outputs * kTileRows), z(inputs * kTileRows);
  weight.waves(4, 1 / std::sqrt(outputs));
  whole.waves(5);
  z.waves(6, 2);
  Sums dh(inputs);
  for (int64_t i = 0; i < inputs; ++i) {
    for (int64_t j = 0; j < outputs; ++j) {
      for (int64_t r = 0; r < kTileRows; ++r) {
        const double term = double(weight[i * outputs + j]) * whole[j * kTileRows + r];
        dh.value[i * kTileRows + r] += term;
        dh.size[i * kTileRows + r] += std::abs(term);
      }
    }
  }
  const auto run = [&](Activation activation, int64_t first, int64_t last, int64_t count) {
    Buffer<T> in(outputs * kTileRows), kept(inputs * kTileRows), out((last - first) * kTileRows);
    std::copy_n(whole.data(), whole.size(), in.data());
    for (int64_t i = 0; i < kept.size(); ++i) {
      const auto keep = keeps_slope(activation) ? slope : activate;
      kept[i] = static_cast<T>(keep(activation, z[i]));
    }
    poison(in, count);
    poison(kept, count);
    const bool read = activation != Activation::identity;
    kernels.backward({inputs, outputs, weight.data(), in.data(), read ? kept.data() : nullptr,
                      out.data(), activation, first, last, count});
    for (int64_t i = 0; i < out.size(); ++i) {
      if (i % kTileRows >= count) continue;
      const int64_t at = first * kTileRows + i;
      expect_near("backward", out[i], dh.value[at] * slope(activation, z[at]),
                  kRounding<T> * (1 + 2 * dh.size[at]));
    }
  };
  for (const int64_t count : kCounts) {
    if (inputs * outputs > 1000 && count % 16 > 1) continue;
    for (const Activation activation : kActivations) run(activation, 0, inputs, count);
    if (inputs > 2) run(Activation::silu, 1, inputs - 1, count);
  }
}

// Tiles lie further apart than their features need, with NaN between; so do columns past the last.
template <typename T>
void test_weight_gradient(const Kernels<T>& kernels, int64_t inputs, int64_t outputs,
                          int64_t tiles) {
  const int64_t apart = (inputs + 2) * kTileRows, width = padded(outputs);
  Buffer<T> h(tiles * apart), dz(tiles * kTileRows * width);
  std::vector<double> sums(inputs * outputs), sizes(inputs * outputs), bias(outputs),
      bias_sizes(outputs);
  for (int64_t t = 0; t < tiles; ++t) {
    for (int64_t i = 0; i < inputs * kTileRows; ++i) {
      h[t * apart + i] = static_cast<T>(wave(7 + t, i));
    }
    for (int64_t r = 0; r < kTileRows; ++r) {
      T* panels = dz.data() + t * kTileRows * width;
      for (int64_t j = 0; j < outputs; ++j) {
        T& number = panels[panel_index(r, j)];
        number = static_cast<T>(wave(40 + t, r * outputs + j));
        bias[j] += number;
        bias_sizes[j] += std::abs(number);
      }
      for (int64_t i = 0; i < inputs; ++i) {
        for (int64_t j = 0; j < outputs; ++j) {
          const double term = double(h[t * apart + i * kTileRows + r]) * panels[panel_index(r, j)];
          sums[i * outputs + j] += term;
          sizes[i * outputs + j] += std::abs(term);
        }
      }
    }
  }
  const auto run = [&](int64_t first, int64_t last, bool with_bias) {
    Buffer<T> dweight((last - first) * outputs, 1), dbias(outputs, 3);
    kernels.weight_gradient({inputs, outputs, tiles, h.data(), apart, dz.data(), dweight.data(),
                             with_bias ? dbias.data() : nullptr, first, last});
    for (int64_t i = 0; i < dweight.size(); ++i) {
      const int64_t at = first * outputs + i;
      expect_near("dW", dweight[i], sums[at], kRounding<T> * (1 + sizes[at]));
    }
    for (int64_t j = 0; j < outputs; ++j) {
      const double want = with_bias ? bias[j] : kNaN;
      expect_near("db", dbias[j], want, kRounding<T> * (1 + bias_sizes[j]));
    }
  };
  run(0, inputs, true);
  run(0, inputs, false);
  if (inputs > 2) run(1, inputs - 1, false);
}

}  // namespace

int main() {
  each_kernels([](const auto& kernels) {
    for (const int64_t inputs : kWidths) {
      for (const int64_t outputs : kWidths) {
        test_forward(kernels, inputs, outputs);
        test_backward(kernels, inputs, outputs);
        test_weight_gradient(kernels, inputs, outputs, 2);
      }
    }
    for (const int64_t tiles : {0, 1, 16, 17, 35}) test_weight_gradient(kernels, 13, 17, tiles);
  });
  return finish();
}
