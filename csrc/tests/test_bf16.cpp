// The forward pass in bfloat16: packing, ragged rows and widths, layers and whole networks, against
// sums in double of the rounded numbers. Without AMX its kernels run too, its instructions trapped.
#include <cstring>

#include "check.h"
#include "mbpo/bf16.h"
#include "trapped_amx.h"

namespace {

using namespace mbpo;
using namespace mbpo::check;

// The nearest bfloat16, ties to even.
double rounded(double x) {
  const float single = static_cast<float>(x);
  uint32_t bits;
  std::memcpy(&bits, &single, sizeof bits);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

double half(Pair pair, bool high) {
  const uint32_t bits = high ? pair & 0xffff0000 : pair << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// Aligned memory for `size` pairs, NaN at first, ending where they end.
class PairBuffer {
 public:
  explicit PairBuffer(int64_t size)
      : memory_(static_cast<Pair*>(::operator new(sizeof(Pair) * size, std::align_val_t(64)))) {
    std::fill_n(memory_, size, 0x7fc07fc0);
  }
  PairBuffer(const PairBuffer&) = delete;
  PairBuffer& operator=(const PairBuffer&) = delete;
  ~PairBuffer() { ::operator delete(memory_, std::align_val_t(64)); }
  Pair* data() { return memory_; }

 private:
  Pair* memory_;
};

void test_layer(const Bf16Kernels& kernels, int64_t inputs, int64_t outputs, int64_t count,
                Activation activation) {
  const int64_t depth = kernels.depth(inputs), padded = kernels.padded(outputs);
  Buffer<float> rows(count * inputs), weight(inputs * outputs), bias(padded),
      out(padded * kTileRows);
  PairBuffer tile(depth * kTileRows), packed(depth * padded),
      out_pairs(kernels.depth(outputs) * kTileRows);
  for (int64_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(wave(1, i));
  for (int64_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(wave(2, i));
  for (int64_t j = 0; j < bias.size(); ++j) {
    bias[j] = j < outputs ? static_cast<float>(wave(3, j)) : 0.0f;
  }
  kernels.gather({rows.data(), inputs, 1, nullptr, count}, inputs, tile.data());
  kernels.pack(weight.data(), inputs, outputs, packed.data());
  Bf16Layer layer{inputs,  outputs,    packed.data(), bias.data(), tile.data(),
                  nullptr, out.data(), activation,    count};
  kernels.forward(layer);
  layer.out_pairs = out_pairs.data();
  layer.out = nullptr;
  kernels.forward(layer);
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t j = 0; j < outputs; ++j) {
      double sum = bias[j], size = 1;
      for (int64_t i = 0; i < inputs; ++i) {
        const double term = rounded(rows[r * inputs + i]) * rounded(weight[i * outputs + j]);
        sum += term;
        size += std::abs(term);
      }
      const double want = activate(activation, sum);
      double near = 4e-6 * size;
      if (activation == Activation::silu) near += 2e-4 * std::abs(want);  // 13 bits of logistic
      expect_near("bf16 layer", out[j * kTileRows + r], want, near);
      const double kept = half(out_pairs.data()[j / 2 * kTileRows + r], j % 2);
      expect_near("bf16 pairs", kept, want, near + std::abs(want) / 128);
    }
    for (int64_t j = outputs; j < 2 * kernels.depth(outputs); ++j) {
      const double filler = half(out_pairs.data()[j / 2 * kTileRows + r], j % 2);
      expect(filler == 0, "bf16 padding", filler);
    }
  }
}

// SiLU's estimates at the ends of their range: no NaN where z is finite, and NaN where z is.
void test_far_silu(const Bf16Kernels& kernels) {
  constexpr double kZ[] = {0, -0.5, 20, -20, 87, -87, 104, -104, 1e4, -1e4, 3e38, -3e38, kNaN};
  constexpr int64_t kOutputs = 13;
  const int64_t depth = kernels.depth(1), padded = kernels.padded(kOutputs);
  Buffer<float> row(1), weight(kOutputs), bias(padded), out(padded * kTileRows);
  PairBuffer tile(depth * kTileRows), packed(depth * padded);
  row[0] = 0;
  std::fill_n(weight.data(), kOutputs, 0.0f);
  for (int64_t j = 0; j < padded; ++j) bias[j] = static_cast<float>(kZ[j % kOutputs]);
  kernels.gather({row.data(), 1, 1, nullptr, 1}, 1, tile.data());
  kernels.pack(weight.data(), 1, kOutputs, packed.data());
  kernels.forward({1, kOutputs, packed.data(), bias.data(), tile.data(), nullptr, out.data(),
                   Activation::silu, 1});
  for (int64_t j = 0; j < kOutputs; ++j) {
    const double want = activate(Activation::silu, kZ[j]);
    expect_near("far silu", out[j * kTileRows], want, 2e-4 * std::abs(want) + 1e-30);
  }
}

// What each layer keeps in bfloat16, carried through the network row by row in double.
std::vector<double> plain(const Network<float>& network, int64_t member, std::vector<double> h) {
  for (int64_t l = 0; l < network.layers(); ++l) {
    const int64_t outputs = network.widths[l + 1];
    std::vector<double> z(network.bias(l, member), network.bias(l, member) + outputs);
    for (size_t i = 0; i < h.size(); ++i) {
      const float* weight = network.weight(l, member) + static_cast<int64_t>(i) * outputs;
      for (int64_t j = 0; j < outputs; ++j) z[j] += rounded(h[i]) * rounded(weight[j]);
    }
    if (l + 1 < network.layers()) {
      for (double& number : z) number = activate(network.activation, number);
    }
    h = z;
  }
  return h;
}

// Whole networks, each in memory that a wider one has left full of NaN.
void test_pass(const Bf16Kernels& kernels, const std::vector<int64_t>& widths, int64_t count,
               Activation activation) {
  constexpr int64_t kMembers = 2;
  std::vector<std::vector<float>> parameters;
  Network<float> network{kMembers, widths, {}, {}, activation};
  const auto draw = [&](int64_t size, double scale) {
    std::vector<float> numbers(size);
    const int64_t seed = static_cast<int64_t>(parameters.size());
    for (int64_t i = 0; i < size; ++i) numbers[i] = static_cast<float>(scale * wave(seed, i));
    return parameters.emplace_back(std::move(numbers)).data();
  };
  parameters.reserve(2 * widths.size());
  for (size_t l = 0; l + 1 < widths.size(); ++l) {
    const double scale = 2 / std::sqrt(static_cast<double>(widths[l]));
    network.weights.push_back(draw(kMembers * widths[l] * widths[l + 1], scale));
    network.biases.push_back(draw(kMembers * widths[l + 1], 0.3));
  }
  std::vector<float> rows(count * network.inputs());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(wave(99, i));
  const Bf16Pass pass(network, kernels);
  for (int64_t piece = 0; piece < pass.pieces(); ++piece) pass.pack(piece);
  for (int64_t member = 0; member < kMembers; ++member) {
    const float* out =
        pass.run({rows.data(), network.inputs(), 1, nullptr, count}, {member, 0, count});
    double error = 0, size = 0;
    for (int64_t r = 0; r < count; ++r) {
      const float* row = rows.data() + r * network.inputs();
      const std::vector<double> want = plain(network, member, {row, row + network.inputs()});
      for (int64_t j = 0; j < network.outputs(); ++j) {
        error += std::pow(out[j * kTileRows + r] - want[j], 2);
        size += 0.01 + std::pow(want[j], 2);
      }
    }
    expect(std::sqrt(error / size) < 5e-3, "bf16 network", std::sqrt(error / size), 5e-3);
  }
}

void poison(const Bf16Kernels& kernels) {
  std::vector<float> numbers(400 * 400, static_cast<float>(kNaN));
  const float* all = numbers.data();
  const Network<float> network{1, {400, 400, 400}, {all, all}, {all, all}, Activation::relu};
  const Bf16Pass pass(network, kernels);
  for (int64_t piece = 0; piece < pass.pieces(); ++piece) pass.pack(piece);
  const float* out = pass.run({all, 400, 1, nullptr, kTileRows}, {0, 0, kTileRows});
  expect(std::isnan(out[0]), "NaN passes through", out[0], kNaN);
}

void test(const Bf16Kernels& kernels) {
  running = kernels.name;
  test_far_silu(kernels);
  for (const int64_t inputs : {1, 2, 3, 16, 23, 32, 33, 200}) {
    for (const int64_t outputs : {1, 2, 11, 12, 13, 16, 17, 32, 36, 200}) {
      for (const int64_t count : {1, 15, 16, 17, 32}) {
        for (const Activation activation : kActivations) {
          test_layer(kernels, inputs, outputs, count, activation);
        }
      }
    }
  }
  for (const std::vector<int64_t>& widths : std::vector<std::vector<int64_t>>{
           {1, 1}, {23, 200, 200, 36}, {2, 33, 17, 5}, {64, 32, 1}, {3, 16, 48, 2, 9}}) {
    for (const int64_t count : {1, 16, 17, 32}) {
      for (const Activation activation : kActivations) {
        poison(kernels);
        test_pass(kernels, widths, count, activation);
      }
    }
  }
}

}  // namespace

int main() {
  int count = 0;
  const Bf16Kernels* const* found = available_bf16_kernels(&count);
  if (count == 0) {
    std::printf("no products of bfloat16 here\n");
    return 0;
  }
  for (int i = 0; i < count; ++i) test(*found[i]);
#if MBPO_TRAPS_AMX
  if (found[0] != &amx_bf16::kKernels) {
    trap_amx();
    test(amx_bf16::kKernels);
  }
#endif
  return finish();
}
