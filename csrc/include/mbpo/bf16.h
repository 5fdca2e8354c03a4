// The forward pass in bfloat16: products of bfloat16, sums in float. Free of torch.
//
// Two neighbouring inputs share a lane of 32 bits, the first in the low half. Weights are packed so
// for each call, [ceil(I / 2)][even(J)], and a tile is [ceil(width / 2)][kTileRows] pairs.
#pragma once

#include <cstdint>

#include "mbpo/kernels.h"

namespace mbpo {

using Pair = uint32_t;  // two bfloat16

inline int64_t pairs(int64_t width) { return (width + 1) / 2; }
inline int64_t even(int64_t width) { return 2 * pairs(width); }

struct Bf16Layer {
  int64_t inputs, outputs;
  const Pair* weight;  // [pairs(inputs)][even(outputs)]
  const float* bias;   // [even(outputs)]
  const Pair* in;      // [pairs(inputs)][kTileRows]
  Pair* out_pairs;     // [pairs(outputs)][kTileRows], or null
  float* out;          // [even(outputs)][kTileRows] where out_pairs is null
  Activation activation;
  int64_t count;  // rows that matter
};

struct Bf16Kernels {
  const char* name;
  // One member's W [inputs, outputs] to pairs, zeros in the padding.
  void (*pack)(const float* weight, int64_t inputs, int64_t outputs, Pair* packed);
  void (*gather)(const Rows<const float>&, int64_t width, Pair* tile);
  void (*forward)(const Bf16Layer&);
};

// The kernels for this processor, or null where it has no products of bfloat16.
const Bf16Kernels* bf16_kernels();

}  // namespace mbpo
