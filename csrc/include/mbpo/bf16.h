// Networks in bfloat16: products of bfloat16, sums and all that is no factor in float. Free of
// torch.
//
// Two neighbours share 32 bits, a pair, the first in the low half. What a pair joins is what a
// product sums over:
//   features   a tile [depth(width)][kTileRows]: for the forward pass and the gradient of the input
//   rows       a tile [2 depth(width)][kTileRows / 2]: for the gradient of the weights
// Depths and widths are padded with zeros to what the instructions take at a time. Weights are
// packed anew for each call.
#pragma once

#include <cstdint>
#include <vector>

#include "mbpo/kernels.h"
#include "mbpo/network.h"

// Where these kernels are built; GCC has had all their instructions since 11.
#if defined(__x86_64__) && !defined(__clang__) && __GNUC__ >= 11
#define MBPO_BF16 1
#else
#define MBPO_BF16 0
#endif

namespace mbpo {

using Pair = uint32_t;  // two bfloat16
template <>
constexpr int64_t kTileDepth<Pair> = kTileRows / 2;

// A tile of floats [width][kTileRows], rounded in one or both ways.
struct Bf16Tile {
  Pair* features;  // or null
  Pair* rows;      // or null
};

struct Bf16Layer {
  int64_t inputs, outputs;  // J
  const Pair* weight;       // as pack leaves it
  const float* bias;        // [padded J]
  const Pair* in;           // [depth(inputs)][kTileRows], pairs of features
  Bf16Tile kept;            // of a hidden layer; pairs of features at least
  float* slope;             // [padded J][kTileRows] or null: act'(z), of a hidden layer
  float* out;               // [padded J][kTileRows], of the last layer or before a norm, or null
  Activation activation;
  int64_t count;  // rows that matter
};

// out = act'(z) * (W in) for all features of the layer's input, as pairs, or for [first, last) as
// floats.
struct Bf16Backward {
  int64_t inputs, outputs;
  const Pair* weight;     // as pack_transposed leaves it
  const Pair* in;         // [depth(outputs)][kTileRows], pairs of features of dL/dz
  const float* slope;     // [padded(inputs)][kTileRows], of the layer below; not read for others
  const Pair* rows;       // [2 depth(inputs)][kTileRows / 2], for a ReLU below: its h
  Activation activation;  // of the layer below
  Bf16Tile kept;          // or pairs of neither, where out takes it
  float* out;             // [last - first][kTileRows] or null
  int64_t first, last;
};

constexpr int64_t kPackedRows = 64;

// One member's W [inputs, J] of a layer.
struct Bf16Weights {
  const float* data;
  int64_t inputs, outputs;
};

struct Bf16Kernels {
  const char* name;
  int64_t depth_step;   // pairs to which a depth is padded
  int64_t output_step;  // features to which their number is padded, even
  // Rows [first, last) of one member's W to their places among depth(inputs) * padded(J) pairs,
  // zeros in the padding; first is a multiple of kPackedRows, last too or the end.
  void (*pack)(const Bf16Weights&, int64_t first, int64_t last, Pair* packed);
  // The same rows to their places among padded(inputs) * depth(J) pairs.
  void (*pack_transposed)(const Bf16Weights&, int64_t first, int64_t last, Pair* packed);
  // A tile of floats, zeros in the padding.
  void (*round)(const float* tile, int64_t width, const Bf16Tile&);
  // A tile of pairs of rows to its panels, [padded(width) / kPanel][kTileRows / 2][kPanel].
  void (*transpose)(const Pair* rows, int64_t width, Pair* panels);
  void (*forward)(const Bf16Layer&);
  void (*backward)(const Bf16Backward&);
  void (*weight_gradient)(const WeightGradient<Pair, float>&);
  // Their results go to a tile, rounded, zeros in its padding; z and dz keep floats as Kernels' do.
  void (*normalise)(const NormLayer<float>&, const Bf16Tile&);
  void (*normalise_backward)(const NormBackward<float>&, const Bf16Tile&);

  int64_t depth(int64_t width) const { return round_up((width + 1) / 2, depth_step); }
  int64_t padded(int64_t width) const { return round_up(width, output_step); }

 private:
  static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }
};

// The kernels that this processor runs, best first; none is a possible answer.
const Bf16Kernels* const* available_bf16_kernels(int* count);
// The best of them, or the one that MBPO_ISA names; null where there is none.
const Bf16Kernels* bf16_kernels();

// A network whose products are of bfloat16, as FullNetwork is one of T.
class HalfNetwork {
 public:
  using Number = float;

  // Its weights are packed in `slot`, for the backward pass too where that is wanted.
  HalfNetwork(const Network<float>& network, const Bf16Kernels& kernels, Slot slot, bool backward);

  const Network<float>& shape() const { return network_; }
  Record record(bool keep) const;
  int64_t rows_size(int64_t tiles) const;
  GradientRows<float> rows(int64_t tiles, float* memory) const;

  std::vector<GradientTask> tasks() const { return gradient_tasks(network_, kPackedRows); }
  bool packs() const { return true; }
  // Pack the rows of a task, and with row 0 the bias: all before the first tile, and each anew once
  // it has changed.
  void pack(const GradientTask& task) const;

  void forward(const Record& record, const Tile& tile, float* memory) const;
  void backward(const Tile& tile, const TileBackward<float>& job) const;
  void weight_gradient(const Record& record, const float* memory, const GradientRows<float>& rows,
                       int64_t first_tile, int64_t last_tile, const GradientTask& task,
                       float* dweight, float* dbias) const;

 private:
  // Where one layer of one member is packed.
  struct Packed {
    Pair* weight;
    Pair* transposed;
    float* bias;
  };
  Packed packed(int64_t layer, int64_t member) const;
  bool keeps_slope() const;

  const Network<float>& network_;
  const Bf16Kernels& kernels_;
  const bool backward_;
  std::vector<int64_t> at_;  // by layer: of the weight, the transposed weight and the bias
  int64_t size_ = 0;         // of one member
  float* packed_;
};

}  // namespace mbpo
