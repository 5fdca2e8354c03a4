#include <algorithm>

#include "call.h"
#include "ensemble_mlp.h"
#include "mbpo/bf16.h"

namespace mbpo {
namespace {

// One member's packed weights and padded biases, layer by layer, and the tiles of one thread.
class Bf16Pass {
 public:
  Bf16Pass(const Network<float>& network, const Bf16Kernels& kernels)
      : network_(network), kernels_(kernels) {
    for (int64_t l = 0; l < network.layers(); ++l) {
      weight_at_.push_back(size_);
      size_ += pairs(network.widths[l]) * even(network.widths[l + 1]);
      bias_at_.push_back(size_);
      size_ += even(network.widths[l + 1]);
    }
    packed_ = workspace<float>(Slot::shared, size_ * network.members);
  }

  int64_t pieces() const { return network_.members * network_.layers(); }

  // Pack one layer of one member.
  void pack(int64_t piece) const {
    const int64_t member = piece / network_.layers(), l = piece % network_.layers();
    const int64_t inputs = network_.widths[l], outputs = network_.widths[l + 1];
    kernels_.pack(network_.weight(l, member), inputs, outputs, weight(l, member));
    float* bias = packed_ + member * size_ + bias_at_[l];
    std::copy_n(network_.bias(l, member), outputs, bias);
    std::fill(bias + outputs, bias + even(outputs), 0.0f);
  }

  // The last layer's sums for one tile, [even(J)][kTileRows].
  float* run(const Rows<const float>& rows, const Tile& tile) const {
    const int64_t turn = pairs(network_.widest()) * kTileRows, last = network_.layers() - 1;
    float* out = workspace<float>(Slot::scratch_out, even(network_.outputs()) * kTileRows);
    Pair* turns = reinterpret_cast<Pair*>(workspace<float>(Slot::scratch, 2 * turn));
    const Pair* in = turns + turn;
    kernels_.gather(rows, network_.inputs(), turns + turn);
    for (int64_t l = 0; l <= last; ++l) {
      Pair* next = l == last ? nullptr : turns + l % 2 * turn;
      const float* bias = packed_ + tile.member * size_ + bias_at_[l];
      kernels_.forward({network_.widths[l], network_.widths[l + 1], weight(l, tile.member), bias,
                        in, next, out, l == last ? Activation::identity : network_.activation,
                        tile.count});
      in = next;
    }
    return out;
  }

 private:
  Pair* weight(int64_t layer, int64_t member) const {
    return reinterpret_cast<Pair*>(packed_ + member * size_ + weight_at_[layer]);
  }

  const Network<float>& network_;
  const Bf16Kernels& kernels_;
  std::vector<int64_t> weight_at_, bias_at_;
  int64_t size_ = 0;
  float* packed_;
};

}  // namespace

std::string instruction_set() {
  const std::string name = kernels<float>().name;
  return bf16_kernels() ? name + "+" + bf16_kernels()->name : name;
}

std::vector<Tensor> ensemble_mlp_bf16(Tensor x, std::vector<Tensor> weights,
                                      std::vector<Tensor> biases, std::vector<Tensor> bounds,
                                      std::optional<Tensor> member, int64_t activation) {
  STD_TORCH_CHECK(bf16_kernels(), "this processor has no products of bfloat16");
  STD_TORCH_CHECK(x.is_cpu() && dtype_of(x) == aoti_torch_dtype_float32(),
                  "x must be float32 on the CPU");
  Call<float> call(x, weights, bounds, member, activation);
  call.add_biases(x, biases);
  const int64_t width = call.result_width();
  std::vector<Tensor> results{call.result(x, width)};
  if (call.gaussian) results.push_back(call.result(x, width));
  const Kernels<float>& best = kernels<float>();
  const Bf16Pass pass(call.network, *bf16_kernels());
  torch_parallel().over(pass.pieces(), call.work(), [&](int64_t number) { pass.pack(number); });
  torch_parallel().over(static_cast<int64_t>(call.tiles.size()), call.work(), [&](int64_t number) {
    const Tile& tile = call.tiles[number];
    float* z = pass.run(call.rows_in<const float>(x, tile), tile);
    best.scatter(z, width, call.rows_in<float>(results[0], tile));
    if (!call.gaussian) return;
    best.head(call.head, z);
    best.scatter(z + width * kTileRows, width, call.rows_in<float>(results[1], tile));
  });
  return results;
}

}  // namespace mbpo
