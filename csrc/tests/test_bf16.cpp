// Networks in bfloat16: packing, ragged rows and widths, layers and whole networks, forward and
// backward, against sums in double of the rounded numbers. Without AMX its kernels run too, its
// instructions trapped.
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

// A tile of the caller's rows [count, width].
std::vector<float> tile_of(const std::vector<float>& rows, int64_t width, int64_t count) {
  std::vector<float> tile(width * kTileRows, 0.0f);
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t f = 0; f < width; ++f) tile[f * kTileRows + r] = rows[r * width + f];
  }
  return tile;
}

std::vector<float> waves(int64_t seed, int64_t size) {
  std::vector<float> numbers(size);
  for (int64_t i = 0; i < size; ++i) numbers[i] = static_cast<float>(wave(seed, i));
  return numbers;
}

// A tile's pairs, of features and of rows.
struct Rounded {
  int64_t features_size;
  PairBuffer features, rows;

  Rounded(const Bf16Kernels& kernels, int64_t width)
      : features_size(kernels.depth(width) * kTileRows),
        features(features_size),
        rows(features_size) {}

  Bf16Tile both() { return {features.data(), rows.data()}; }

  void expect_at(const std::string& what, int64_t feature, int64_t row, double want, double near) {
    near += std::abs(want) / 128;
    const Pair of_features = features.data()[feature / 2 * kTileRows + row];
    expect_near(what + " features", half(of_features, feature % 2), want, near);
    const Pair of_rows = rows.data()[feature * kTileDepth<Pair> + row / 2];
    expect_near(what + " rows", half(of_rows, row % 2), want, near);
  }

  // What a depth is padded with.
  void expect_zeros(int64_t width) {
    for (int64_t f = width; f < 2 * features_size / kTileRows; ++f) {
      const double filler = half(features.data()[f / 2 * kTileRows], f % 2);
      expect(filler == 0, "bf16 padding", filler);
    }
  }
};

// Aligned copies: kernels read whole lines.
void fill(Buffer<float>& to, const std::vector<float>& from) {
  std::copy(from.begin(), from.end(), to.data());
  std::fill(to.data() + from.size(), to.data() + to.size(), 0.0f);
}

// From the last piece to the first.
void pack_in_pieces(void (*pack)(const Bf16Weights&, int64_t, int64_t, Pair*),
                    const Bf16Weights& weights, Pair* packed) {
  int64_t last = weights.inputs;
  while (last > 0) {
    const int64_t first = (last - 1) / kPackedRows * kPackedRows;
    pack(weights, first, last, packed);
    last = first;
  }
}

void test_layer(const Bf16Kernels& kernels, int64_t inputs, int64_t outputs, int64_t count,
                Activation activation) {
  const int64_t depth = kernels.depth(inputs), padded = kernels.padded(outputs);
  Buffer<float> weight(inputs * outputs), bias(padded), out(padded * kTileRows),
      slopes(padded * kTileRows), tile(inputs * kTileRows);
  PairBuffer packed(depth * padded);
  Rounded in(kernels, inputs), kept(kernels, outputs);
  const std::vector<float> rows = waves(1, count * inputs);
  fill(tile, tile_of(rows, inputs, count));
  fill(weight, waves(2, inputs * outputs));
  fill(bias, waves(3, outputs));
  kernels.round(tile.data(), inputs, in.both());
  const Bf16Weights weights{weight.data(), inputs, outputs};
  pack_in_pieces(kernels.pack, weights, packed.data());
  Bf16Layer layer{};
  layer.inputs = inputs;
  layer.outputs = outputs;
  layer.weight = packed.data();
  layer.bias = bias.data();
  layer.in = in.features.data();
  layer.out = out.data();
  layer.activation = activation;
  layer.count = count;
  kernels.forward(layer);
  layer.kept = kept.both();
  layer.slope = slopes.data();
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
      kept.expect_at("bf16 layer", j, r, want, near);
      if (activation == Activation::silu || activation == Activation::tanh) {
        const double slope = check::slope(activation, sum);
        const double bits = 2e-4 * (1 + std::abs(sum));  // z times the logistic's 13
        expect_near("bf16 slope", slopes[j * kTileRows + r], slope, bits + 4e-6 * size);
      }
    }
  }
  kept.expect_zeros(outputs);
}

// The gradient of a layer's input, all of it through an activation below and a part as it is.
void test_backward(const Bf16Kernels& kernels, int64_t inputs, int64_t outputs, int64_t count,
                   Activation activation) {
  const int64_t padded = kernels.padded(inputs), depth = kernels.depth(outputs);
  Buffer<float> weight(inputs * outputs), tile(outputs * kTileRows), h_tile(inputs * kTileRows),
      slopes(padded * kTileRows);
  PairBuffer packed(padded * depth);
  Rounded dz(kernels, outputs), h(kernels, inputs), below(kernels, inputs);
  const std::vector<float> rows = waves(4, count * outputs);
  fill(tile, tile_of(rows, outputs, count));
  fill(weight, waves(2, inputs * outputs));
  fill(slopes, waves(5, inputs * kTileRows));
  std::vector<float> kept = waves(6, inputs * kTileRows);
  for (float& number : kept) number = std::max(number, 0.0f);  // of a ReLU
  fill(h_tile, kept);
  kernels.round(h_tile.data(), inputs, h.both());
  kernels.round(tile.data(), outputs, dz.both());
  const Bf16Weights weights{weight.data(), inputs, outputs};
  pack_in_pieces(kernels.pack_transposed, weights, packed.data());
  Bf16Backward layer{};
  layer.inputs = inputs;
  layer.outputs = outputs;
  layer.weight = packed.data();
  layer.in = dz.features.data();
  layer.slope = slopes.data();
  layer.rows = h.rows.data();
  layer.activation = activation;
  layer.kept = below.both();
  kernels.backward(layer);
  layer.first = inputs / 3;
  layer.last = std::max(layer.first + 1, inputs - 1);
  Buffer<float> part((layer.last - layer.first) * kTileRows);
  layer.kept = {};
  layer.out = part.data();
  kernels.backward(layer);
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < inputs; ++i) {
      double sum = 0, size = 1;
      for (int64_t j = 0; j < outputs; ++j) {
        const double term = rounded(rows[r * outputs + j]) * rounded(weight[i * outputs + j]);
        sum += term;
        size += std::abs(term);
      }
      double slope = 1;
      if (activation == Activation::relu) slope = h_tile[i * kTileRows + r] > 0;
      if (activation == Activation::silu || activation == Activation::tanh) {
        slope = slopes[i * kTileRows + r];
      }
      below.expect_at("bf16 backward", i, r, sum * slope, 4e-6 * size);
      if (i < layer.first || i >= layer.last) continue;
      expect_near("bf16 input", part[(i - layer.first) * kTileRows + r], sum, 4e-6 * size);
    }
  }
  below.expect_zeros(inputs);
}

void test_weight_gradient(const Bf16Kernels& kernels, int64_t inputs, int64_t outputs,
                          int64_t tiles) {
  const int64_t h_size = kernels.depth(inputs) * kTileRows,
                dz_size = padded(outputs) * kTileDepth<Pair>;
  PairBuffer h(tiles * h_size), panels(tiles * dz_size);
  std::vector<float> all_h, all_dz;
  for (int64_t t = 0; t < tiles; ++t) {
    Buffer<float> tile(inputs * kTileRows), dz_tile(outputs * kTileRows);
    Rounded dz(kernels, outputs);
    fill(tile, waves(7 + t, inputs * kTileRows));
    fill(dz_tile, waves(70 + t, outputs * kTileRows));
    kernels.round(tile.data(), inputs, {nullptr, h.data() + t * h_size});
    kernels.round(dz_tile.data(), outputs, {nullptr, dz.rows.data()});
    kernels.transpose(dz.rows.data(), outputs, panels.data() + t * dz_size);
    all_h.insert(all_h.end(), tile.data(), tile.data() + tile.size());
    all_dz.insert(all_dz.end(), dz_tile.data(), dz_tile.data() + dz_tile.size());
  }
  for (int64_t first = 0; first < inputs; first += 48) {
    const int64_t last = std::min(first + 48, inputs);
    Buffer<float> dweight((last - first) * outputs, 1), dbias(outputs, 1);
    kernels.weight_gradient({inputs, outputs, tiles, h.data(), h_size, panels.data(),
                             dweight.data(), first == 0 ? dbias.data() : nullptr, first, last});
    const auto sum = [&](int64_t j, auto factor) {
      double total = 0, size = 1;
      for (int64_t t = 0; t < tiles; ++t) {
        for (int64_t r = 0; r < kTileRows; ++r) {
          const double term = factor(t, r) * rounded(all_dz[(t * outputs + j) * kTileRows + r]);
          total += term;
          size += std::abs(term);
        }
      }
      return std::pair(total, 4e-6 * size);
    };
    for (int64_t j = 0; j < outputs; ++j) {
      for (int64_t i = first; i < last; ++i) {
        const auto [want, near] = sum(j, [&](int64_t t, int64_t r) {
          return rounded(all_h[(t * inputs + i) * kTileRows + r]);
        });
        expect_near("bf16 dW", dweight[(i - first) * outputs + j], want, near);
      }
      if (first > 0) continue;
      const auto [want, near] = sum(j, [](int64_t, int64_t) { return 1.0; });
      expect_near("bf16 db", dbias[j], want, near);
    }
  }
}

// SiLU's estimates at the ends of their range: no NaN where z is finite, and NaN where z is.
void test_far_silu(const Bf16Kernels& kernels) {
  constexpr double kZ[] = {0, -0.5, 20, -20, 87, -87, 104, -104, 1e4, -1e4, 3e38, -3e38, kNaN};
  constexpr int64_t kOutputs = 13;
  const int64_t depth = kernels.depth(1), padded = kernels.padded(kOutputs);
  Buffer<float> tile(kTileRows), weight(kOutputs), bias(padded), out(padded * kTileRows),
      slopes(padded * kTileRows);
  PairBuffer packed(depth * padded);
  Rounded in(kernels, 1), kept(kernels, kOutputs);
  std::fill_n(tile.data(), kTileRows, 0.0f);
  std::fill_n(weight.data(), kOutputs, 0.0f);
  for (int64_t j = 0; j < padded; ++j) bias[j] = static_cast<float>(kZ[j % kOutputs]);
  kernels.round(tile.data(), 1, in.both());
  kernels.pack({weight.data(), 1, kOutputs}, 0, 1, packed.data());
  Bf16Layer layer{};
  layer.inputs = 1;
  layer.outputs = kOutputs;
  layer.weight = packed.data();
  layer.bias = bias.data();
  layer.in = in.features.data();
  layer.activation = Activation::silu;
  layer.count = 1;
  layer.out = out.data();
  kernels.forward(layer);
  layer.out = nullptr;
  layer.kept = kept.both();
  layer.slope = slopes.data();
  kernels.forward(layer);
  for (int64_t j = 0; j < kOutputs; ++j) {
    const double want = activate(Activation::silu, kZ[j]);
    expect_near("far silu", out[j * kTileRows], want, 2e-4 * std::abs(want) + 1e-30);
    const double slope = std::abs(kZ[j]) > 80 ? kZ[j] > 0 : check::slope(Activation::silu, kZ[j]);
    expect_near("far slope", slopes[j * kTileRows], std::isnan(kZ[j]) ? kNaN : slope, 4e-4);
  }
}

// A network with its rows x and the gradient dy of its outputs, and what comes of them in double
// where each factor of a product is rounded: y and dx [E, B, ·] and, by layer, dW and db.
struct Case {
  int64_t members, rows;
  Network<float> network;
  std::vector<std::vector<float>> parameters;
  std::vector<float> x, dy;
  std::vector<double> y, dx;
  std::vector<std::vector<double>> dweights, dbiases, dnorms;  // of gain, then of shift, by layer

  Case(int64_t e, int64_t b, const std::vector<int64_t>& widths, Activation activation, bool norm)
      : members(e), rows(b), network{e, widths, {}, {}, activation} {
    const auto draw = [&](int64_t size, double scale) {
      std::vector<float> numbers = waves(static_cast<int64_t>(parameters.size()), size);
      for (float& number : numbers) number *= static_cast<float>(scale);
      return parameters.emplace_back(std::move(numbers)).data();
    };
    parameters.reserve(4 * widths.size());
    for (int64_t l = 0; l < network.layers(); ++l) {
      const double scale = 2 / std::sqrt(static_cast<double>(widths[l]));
      network.weights.push_back(draw(members * widths[l] * widths[l + 1], scale));
      network.biases.push_back(draw(members * widths[l + 1], 0.3));
      dweights.emplace_back(members * widths[l] * widths[l + 1]);
      dbiases.emplace_back(members * widths[l + 1]);
      if (!norm || l + 1 == network.layers()) continue;
      network.gains.push_back(draw(members * widths[l + 1], 1.5));
      network.shifts.push_back(draw(members * widths[l + 1], 0.5));
      dnorms.resize(dnorms.size() + 2, std::vector<double>(members * widths[l + 1]));
    }
    x = waves(98, members * rows * network.inputs());
    dy = waves(99, members * rows * network.outputs());
    for (int64_t row = 0; row < members * rows; ++row) run(row);
  }

  void run(int64_t row) {
    const int64_t e = row / rows, first = network.inputs(), last = network.outputs();
    std::vector<std::vector<double>> h{{x.begin() + row * first, x.begin() + (row + 1) * first}}, z;
    std::vector<NormalisedRow> normal;
    for (int64_t l = 0; l < network.layers(); ++l) {
      const int64_t outputs = network.widths[l + 1];
      z.emplace_back(network.bias(l, e), network.bias(l, e) + outputs);
      for (int64_t i = 0; i < network.widths[l]; ++i) {
        for (int64_t j = 0; j < outputs; ++j) {
          z[l][j] += rounded(h[l][i]) * rounded(network.weight(l, e)[i * outputs + j]);
        }
      }
      if (network.normalises(l)) {
        normal.emplace_back(z[l]);
        for (int64_t j = 0; j < outputs; ++j) {
          z[l][j] = normal[l].x[j] * network.gain(l, e)[j] + network.shift(l, e)[j];
        }
      }
      h.push_back(z[l]);
      if (l + 1 == network.layers()) break;
      for (double& number : h.back()) number = activate(network.activation, number);
    }
    y.insert(y.end(), h.back().begin(), h.back().end());
    std::vector<double> dz(dy.begin() + row * last, dy.begin() + (row + 1) * last);
    for (int64_t l = network.layers() - 1; l >= 0; --l) {
      const int64_t inputs = network.widths[l], outputs = network.widths[l + 1];
      std::vector<double> dh(inputs);
      for (double& number : dz) number = rounded(number);
      for (int64_t j = 0; j < outputs; ++j) dbiases[l][e * outputs + j] += dz[j];
      for (int64_t i = 0; i < inputs; ++i) {
        for (int64_t j = 0; j < outputs; ++j) {
          dweights[l][(e * inputs + i) * outputs + j] += rounded(h[l][i]) * dz[j];
          dh[i] += rounded(network.weight(l, e)[i * outputs + j]) * dz[j];
        }
        if (l > 0) dh[i] *= check::slope(network.activation, z[l - 1][i]);
        if (l == 0 || !network.normalises(l - 1)) continue;
        dnorms[2 * l - 2][e * inputs + i] += dh[i] * normal[l - 1].x[i];
        dnorms[2 * l - 1][e * inputs + i] += dh[i];
        dh[i] *= network.gain(l - 1, e)[i];
      }
      dz = l > 0 && network.normalises(l - 1) ? normal[l - 1].backward(dh) : dh;
    }
    dx.insert(dx.end(), dz.begin(), dz.end());
  }
};

// The error of a whole array in parts of its size. A number that rounds to either side of a
// half-way point moves all that follows by a part of 2^-8 of itself.
class Error {
 public:
  void add(double got, double want) {
    error_ += std::pow(got - want, 2);
    size_ += 0.01 + std::pow(want, 2);
  }
  void expect_below(const std::string& what, double tolerance) const {
    expect(std::sqrt(error_ / size_) < tolerance, what, std::sqrt(error_ / size_), tolerance);
  }

 private:
  double error_ = 0, size_ = 0;
};

// Whole networks, each in memory that a wider one has left full of NaN.
void test_network(const Bf16Kernels& kernels, const std::vector<int64_t>& widths, int64_t count,
                  Activation activation, bool norm) {
  constexpr int64_t kMembers = 2;
  const Case c(kMembers, count, widths, activation, norm);
  const int64_t inputs = c.network.inputs(), outputs = c.network.outputs();
  const HalfNetwork network(c.network, kernels, Slot::packed_actor, true);
  for (const GradientTask& task : network.tasks()) network.pack(task);
  const Record record = network.record(true), brief = network.record(false);
  const std::vector<Tile> tiles = make_tiles(kMembers, count);
  const int64_t all = static_cast<int64_t>(tiles.size());
  Buffer<float> memory(all * record.size), short_memory(brief.size), rows(network.rows_size(all)),
      dz(kernels.padded(c.network.widest()) * kTileRows), dinput(inputs * kTileRows);
  const GradientRows<float> dz_rows = network.rows(all, rows.data());
  const Kernels<float>& full = mbpo::kernels<float>();
  Error y, again, dx;
  for (int64_t t = 0; t < all; ++t) {
    const Tile& tile = tiles[t];
    const int64_t first = tile.member * count + tile.first;
    const Rows<const float> x{c.x.data() + first * inputs, inputs, 1, nullptr, tile.count};
    float* kept = memory.data() + t * record.size;
    full.gather(x, inputs, short_memory.data() + brief.input);
    network.forward(brief, tile, short_memory.data());
    full.gather(x, inputs, kept + record.input);
    network.forward(record, tile, kept);
    full.gather({c.dy.data() + first * outputs, outputs, 1, nullptr, tile.count}, outputs,
                dz.data());
    network.backward(tile, {record, kept, dz.data(), &dz_rows, t, dinput.data(), 0, inputs});
    for (int64_t r = 0; r < tile.count; ++r) {
      for (int64_t j = 0; j < outputs; ++j) {
        const double want = c.y[(first + r) * outputs + j];
        y.add(kept[record.output + j * kTileRows + r], want);
        again.add(short_memory[brief.output + j * kTileRows + r], want);
      }
      for (int64_t i = 0; i < inputs; ++i) {
        dx.add(dinput[i * kTileRows + r], c.dx[(first + r) * inputs + i]);
      }
    }
  }
  y.expect_below("bf16 y", 5e-3);
  again.expect_below("bf16 y without a record", 5e-3);
  dx.expect_below("bf16 dx", 2e-2);
  const std::vector<int64_t> offsets = tile_offsets(tiles, kMembers);
  for (const GradientTask& task : network.tasks()) {
    const int64_t in = widths[task.layer], out = widths[task.layer + 1];
    Buffer<float> dweight((task.last - task.first) * out), dbias(out);
    network.weight_gradient(record, memory.data(), dz_rows, offsets[task.member],
                            offsets[task.member + 1], task, dweight.data(), dbias.data());
    Error dw, db;
    const double* want = c.dweights[task.layer].data() + (task.member * in + task.first) * out;
    for (int64_t i = 0; i < dweight.size(); ++i) dw.add(dweight[i], want[i]);
    dw.expect_below("bf16 dW of layer " + std::to_string(task.layer), 3e-2);
    if (task.first > 0) continue;
    for (int64_t j = 0; j < out; ++j) {
      db.add(dbias[j], c.dbiases[task.layer][task.member * out + j]);
    }
    db.expect_below("bf16 db of layer " + std::to_string(task.layer), 3e-2);
    for (int64_t which = 0; which + 1 < rows_behind(c.network, task.layer); ++which) {
      Error of_norm;
      norm_gradient(c.network, dz_rows, task.layer, offsets[task.member], offsets[task.member + 1],
                    which, dbias.data());
      for (int64_t j = 0; j < out; ++j) {
        of_norm.add(dbias[j], c.dnorms[2 * task.layer + which][task.member * out + j]);
      }
      of_norm.expect_below("bf16 norm of layer " + std::to_string(task.layer), 3e-2);
    }
  }
}

void poison(const Bf16Kernels& kernels) {
  std::vector<float> numbers(400 * 400, static_cast<float>(kNaN));
  const float* all = numbers.data();
  const Network<float> shape{1, {400, 400, 400}, {all, all}, {all, all}, Activation::relu};
  const HalfNetwork network(shape, kernels, Slot::packed_actor, true);
  for (const GradientTask& task : network.tasks()) network.pack(task);
  const Record record = network.record(false);
  Buffer<float> memory(record.size), dz(400 * kTileRows), dx(400 * kTileRows);
  network.forward(record, {0, 0, kTileRows}, memory.data());
  expect(std::isnan(memory[record.output]), "NaN passes through", memory[record.output], kNaN);
}

// Where each instruction costs a signal a third of the cases is tried: every size and every number
// of rows, the activations in turn.
void test(const Bf16Kernels& kernels, bool trapped) {
  running = kernels.name;
  auto skipped = [trapped, turn = 0]() mutable { return trapped && ++turn % 3 != 0; };
  test_far_silu(kernels);
  for (const int64_t inputs : {1, 2, 3, 16, 23, 32, 33, 200}) {
    for (const int64_t outputs : {1, 2, 11, 12, 13, 16, 17, 32, 36, 200}) {
      for (const int64_t count : {1, 15, 16, 17, 32}) {
        for (const Activation activation : kActivations) {
          if (skipped()) continue;
          test_layer(kernels, inputs, outputs, count, activation);
          test_backward(kernels, inputs, outputs, count, activation);
        }
      }
      test_weight_gradient(kernels, inputs, outputs, 2);
    }
  }
  for (const int64_t tiles : {0, 1, 16, 17, 35}) test_weight_gradient(kernels, 13, 17, tiles);
  for (const std::vector<int64_t>& widths : std::vector<std::vector<int64_t>>{
           {1, 1}, {23, 200, 200, 36}, {2, 33, 17, 5}, {64, 32, 1}, {3, 16, 48, 2, 9}}) {
    for (const int64_t count : {1, 16, 17, 32, 70}) {
      for (const Activation activation : kActivations) {
        for (const bool norm : {false, true}) {
          if ((norm && count != 1 && count != 17) || skipped()) continue;
          poison(kernels);
          test_network(kernels, widths, count, activation, norm);
        }
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
  for (int i = 0; i < count; ++i) test(*found[i], false);
#if MBPO_TRAPS_AMX
  if (found[0] != &amx_bf16::kKernels) {
    trap_amx();
    test(amx_bf16::kKernels, true);
  }
#endif
  return finish();
}
