// One call of the op, checked: the sizes that every loop trusts, and where its rows lie.
#pragma once

#include <optional>
#include <type_traits>
#include <vector>

#include "tensors.h"

namespace mbpo {

void check_like(const Tensor& x, const Tensor& other, const char* name);

// Rows grouped by member with a stable counting sort, so that equal calls add in equal order.
struct Routing {
  std::vector<int64_t> order;    // [N]: grouped position to caller's row
  std::vector<int64_t> offsets;  // [E + 1]
};

Routing route(const Tensor& member, int64_t members);

// One call, checked: the sizes that every loop below trusts.
template <typename T>
struct Call {
  Network<T> network;
  bool routed, gaussian;
  int64_t rows;  // B, or N where routed
  Routing routing;
  std::vector<Tile> tiles;
  std::vector<Tensor> kept_alive;
  GaussianHead<T> head;

  Call(const Tensor& x, const std::vector<Tensor>& weights, const std::vector<Tensor>& bounds,
       const std::optional<Tensor>& member, int64_t activation)
      : routed(member.has_value()), gaussian(!bounds.empty()) {
    STD_TORCH_CHECK(!weights.empty(), "weights must hold one tensor per layer, got none");
    STD_TORCH_CHECK(activation >= 0 && activation <= 3, "unknown activation ", activation);
    network.activation = static_cast<Activation>(activation);
    network.members = weights[0].dim() == 3 ? weights[0].size(0) : 0;
    STD_TORCH_CHECK(network.members > 0, "weights must be [E, I, J] with E at least 1");
    STD_TORCH_CHECK(x.is_cpu() && x.dim() == (routed ? 2 : 3),
                    "x must be [E, B, I], or [N, I] with member, on the CPU");
    add_layers(x, weights);
    add_rows(x, member);
    if (gaussian) add_bounds(x, bounds);
  }

  void add_layers(const Tensor& x, const std::vector<Tensor>& weights) {
    network.widths.push_back(x.size(routed ? 1 : 2));
    for (const Tensor& weight : weights) {
      check_like(x, weight, "weights");
      STD_TORCH_CHECK(weight.dim() == 3 && weight.size(0) == network.members &&
                          weight.size(1) == network.widths.back(),
                      "weights must be [", network.members, ", ", network.widths.back(), ", J]");
      network.widths.push_back(weight.size(2));
      network.weights.push_back(keep(weight));
    }
  }

  void add_rows(const Tensor& x, const std::optional<Tensor>& member) {
    rows = x.size(routed ? 0 : 1);
    if (!routed) {
      STD_TORCH_CHECK(x.size(0) == network.members, "x must be [", network.members, ", B, I]");
      tiles = make_tiles(network.members, rows);
      return;
    }
    STD_TORCH_CHECK(member->is_cpu() && dtype_of(*member) == aoti_torch_dtype_int64() &&
                        member->dim() == 1 && member->size(0) == rows,
                    "member must be int64 [", rows, "]");
    routing = route(*member, network.members);
    for (int64_t e = 0; e < network.members; ++e) {
      for (Tile tile : make_tiles(1, routing.offsets[e + 1] - routing.offsets[e])) {
        tiles.push_back({e, tile.first, tile.count});
      }
    }
  }

  void add_biases(const Tensor& x, const std::vector<Tensor>& biases) {
    STD_TORCH_CHECK(biases.size() == network.weights.size(), "biases must be as many as weights");
    for (size_t l = 0; l < biases.size(); ++l) {
      const int64_t width = network.widths[l + 1];
      check_like(x, biases[l], "biases");
      STD_TORCH_CHECK(biases[l].dim() == 2 && biases[l].size(0) == network.members &&
                          biases[l].size(1) == width,
                      "biases must be [", network.members, ", ", width, "]");
      network.biases.push_back(keep(biases[l]));
    }
  }

  void add_bounds(const Tensor& x, const std::vector<Tensor>& bounds) {
    const int64_t half = network.outputs() / 2;
    STD_TORCH_CHECK(bounds.size() == 2 && half * 2 == network.outputs(),
                    "bounds must be (min, max) and the last layer 2 * O wide");
    for (const Tensor& bound : bounds) {
      check_like(x, bound, "logvar_bounds");
      STD_TORCH_CHECK(bound.dim() == 1 && bound.size(0) == half, "logvar_bounds must be [", half,
                      "]");
    }
    head = {half, keep(bounds[0]), keep(bounds[1])};
  }

  const T* keep(const Tensor& tensor) {
    kept_alive.push_back(dense(tensor));
    return data<T>(kept_alive.back());
  }

  // How many tiles there can be: routing fills the last tile of each member only in part.
  int64_t most_tiles() const {
    return routed ? rows / kTileRows + network.members : static_cast<int64_t>(tiles.size());
  }

  double work() const { return flops(network, routed ? rows : rows * network.members); }

  int64_t result_width() const { return gaussian ? head.outputs : network.outputs(); }

  Tensor result(const Tensor& x, int64_t width) const {
    if (routed) return empty(x, {rows, width});
    return empty(x, {network.members, rows, width});
  }

  // A tile's rows within a tensor that has x's leading dimensions.
  template <typename U>
  Rows<U> rows_in(const Tensor& tensor, const Tile& tile) const {
    U* start = data<std::remove_const_t<U>>(tensor);
    if (routed) {
      return {start, tensor.stride(0), tensor.stride(1),
              routing.order.data() + routing.offsets[tile.member] + tile.first, tile.count};
    }
    start += tile.member * tensor.stride(0) + tile.first * tensor.stride(1);
    return {start, tensor.stride(1), tensor.stride(2), nullptr, tile.count};
  }
};

}  // namespace mbpo
