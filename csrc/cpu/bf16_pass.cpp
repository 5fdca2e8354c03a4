#include <algorithm>

#include "mbpo/bf16.h"

namespace mbpo {

Bf16Pass::Bf16Pass(const Network<float>& network, const Bf16Kernels& kernels)
    : network_(network), kernels_(kernels) {
  constexpr int64_t kLine = 16;  // every part starts on a cache line
  const auto place = [this](std::vector<int64_t>& at, int64_t size) {
    at.push_back(size_);
    size_ += (size + kLine - 1) / kLine * kLine;
  };
  for (int64_t l = 0; l < network.layers(); ++l) {
    const int64_t outputs = kernels.padded(network.widths[l + 1]);
    place(weight_at_, kernels.depth(network.widths[l]) * outputs);
    place(bias_at_, outputs);
  }
  packed_ = workspace<float>(Slot::shared, size_ * network.members);
}

void Bf16Pass::pack(int64_t piece) const {
  const int64_t member = piece / network_.layers(), l = piece % network_.layers();
  const int64_t inputs = network_.widths[l], outputs = network_.widths[l + 1];
  kernels_.pack(network_.weight(l, member), inputs, outputs, weight(l, member));
  std::copy_n(network_.bias(l, member), outputs, bias(l, member));
  std::fill(bias(l, member) + outputs, bias(l, member) + kernels_.padded(outputs), 0.0f);
}

float* Bf16Pass::run(const Rows<const float>& rows, const Tile& tile) const {
  const int64_t turn = kernels_.depth(network_.widest()) * kTileRows, last = network_.layers() - 1;
  float* out = workspace<float>(Slot::scratch_out, kernels_.padded(network_.outputs()) * kTileRows);
  Pair* turns = reinterpret_cast<Pair*>(workspace<float>(Slot::scratch, 2 * turn));
  const Pair* in = turns + turn;
  kernels_.gather(rows, network_.inputs(), turns + turn);
  for (int64_t l = 0; l <= last; ++l) {
    Pair* next = l == last ? nullptr : turns + l % 2 * turn;
    kernels_.forward({network_.widths[l], network_.widths[l + 1], weight(l, tile.member),
                      bias(l, tile.member), in, next, out,
                      l == last ? Activation::identity : network_.activation, tile.count});
    in = next;
  }
  return out;
}

Pair* Bf16Pass::weight(int64_t layer, int64_t member) const {
  return reinterpret_cast<Pair*>(packed_ + member * size_ + weight_at_[layer]);
}

float* Bf16Pass::bias(int64_t layer, int64_t member) const {
  return packed_ + member * size_ + bias_at_[layer];
}

}  // namespace mbpo
