// The forward pass in bfloat16: products of bfloat16, sums in float. Free of torch.
//
// Two neighbouring inputs share a lane of 32 bits, the first in the low half. A tile is
// [depth(width)][kTileRows] such pairs, a depth and a number of outputs being padded with zeros to
// what the instructions take at a time. Weights are packed for each call.
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

struct Bf16Layer {
  int64_t inputs, outputs;  // J
  const Pair* weight;       // as pack leaves it
  const float* bias;        // [padded J]
  const Pair* in;           // [depth(inputs)][kTileRows]
  Pair* out_pairs;          // [depth(J)][kTileRows], or null
  float* out;               // [padded J][kTileRows] where out_pairs is null
  Activation activation;
  int64_t count;  // rows that matter
};

struct Bf16Kernels {
  const char* name;
  int64_t depth_step;   // pairs to which a depth is padded
  int64_t output_step;  // outputs to which their number is padded, even
  // One member's W [inputs, J] to depth(inputs) * padded(J) pairs, zeros in the padding.
  void (*pack)(const float* weight, int64_t inputs, int64_t outputs, Pair* packed);
  void (*gather)(const Rows<const float>&, int64_t width, Pair* tile);
  void (*forward)(const Bf16Layer&);

  int64_t depth(int64_t width) const { return round_up((width + 1) / 2, depth_step); }
  int64_t padded(int64_t outputs) const { return round_up(outputs, output_step); }

 private:
  static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }
};

// The kernels that this processor runs, best first; none is a possible answer.
const Bf16Kernels* const* available_bf16_kernels(int* count);
// The best of them, or the one that MBPO_ISA names; null where there is none.
const Bf16Kernels* bf16_kernels();

// A network's weights packed for one call, and its passes over tiles.
class Bf16Pass {
 public:
  Bf16Pass(const Network<float>& network, const Bf16Kernels& kernels);

  // What there is to pack: one layer of one member each, all before the first run.
  int64_t pieces() const { return network_.members * network_.layers(); }
  void pack(int64_t piece) const;

  // The last layer's sums for one tile, [padded J][kTileRows], until this thread's next run.
  float* run(const Rows<const float>& rows, const Tile& tile) const;

 private:
  Pair* weight(int64_t layer, int64_t member) const;
  float* bias(int64_t layer, int64_t member) const;

  const Network<float>& network_;
  const Bf16Kernels& kernels_;
  std::vector<int64_t> weight_at_, bias_at_;
  int64_t size_ = 0;  // of one member
  float* packed_;
};

}  // namespace mbpo
