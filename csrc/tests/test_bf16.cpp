// The forward pass in bfloat16: packing, ragged rows and widths, against sums in double of the
// rounded numbers.
#include <cstring>

#include "check.h"
#include "mbpo/bf16.h"

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

// Aligned memory for `size` pairs, ending where they end.
class PairBuffer {
 public:
  explicit PairBuffer(int64_t size)
      : memory_(static_cast<Pair*>(::operator new(sizeof(Pair) * size, std::align_val_t(64)))) {}
  PairBuffer(const PairBuffer&) = delete;
  PairBuffer& operator=(const PairBuffer&) = delete;
  ~PairBuffer() { ::operator delete(memory_, std::align_val_t(64)); }
  Pair* data() { return memory_; }

 private:
  Pair* memory_;
};

void test_layer(const Bf16Kernels& kernels, int64_t inputs, int64_t outputs, int64_t count,
                Activation activation) {
  Buffer<float> rows(count * inputs), weight(inputs * outputs), bias(even(outputs)),
      out(even(outputs) * kTileRows);
  PairBuffer tile(pairs(inputs) * kTileRows), packed(pairs(inputs) * even(outputs)),
      out_pairs(pairs(outputs) * kTileRows);
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
  }
}

// SiLU's estimates at the ends of their range: no NaN where z is finite, and NaN where z is.
void test_far_silu(const Bf16Kernels& kernels) {
  constexpr double kZ[] = {0, -0.5, 20, -20, 87, -87, 104, -104, 1e4, -1e4, 3e38, -3e38, kNaN};
  constexpr int64_t kOutputs = 14;
  Buffer<float> row(1), weight(kOutputs), bias(kOutputs), out(kOutputs * kTileRows);
  PairBuffer tile(kTileRows), packed(kOutputs);
  row[0] = 0;
  for (int64_t j = 0; j < kOutputs; ++j) {
    weight[j] = 0;
    bias[j] = static_cast<float>(kZ[j % 13]);
  }
  kernels.gather({row.data(), 1, 1, nullptr, 1}, 1, tile.data());
  kernels.pack(weight.data(), 1, kOutputs, packed.data());
  kernels.forward({1, kOutputs, packed.data(), bias.data(), tile.data(), nullptr, out.data(),
                   Activation::silu, 1});
  for (int64_t j = 0; j < 13; ++j) {
    const double want = activate(Activation::silu, kZ[j]);
    expect_near("far silu", out[j * kTileRows], want, 2e-4 * std::abs(want) + 1e-30);
  }
}

}  // namespace

int main() {
  const Bf16Kernels* kernels = bf16_kernels();
  if (!kernels) {
    std::printf("no products of bfloat16 here\n");
    return 0;
  }
  running = kernels->name;
  test_far_silu(*kernels);
  for (const int64_t inputs : {1, 2, 3, 16, 23, 200}) {
    for (const int64_t outputs : {1, 2, 11, 12, 13, 36, 200}) {
      for (const int64_t count : {1, 15, 16, 17, 32}) {
        for (const Activation activation : kActivations) {
          test_layer(*kernels, inputs, outputs, count, activation);
        }
      }
    }
  }
  return finish();
}
