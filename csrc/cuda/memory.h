// Networks and their records in tensors.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "device.h"
#include "network.cuh"
#include "torch/tensors.h"

namespace mbpo::cuda {

inline void check_float32(const Tensor& tensor, const char* name) {
  STD_TORCH_CHECK(on_device(tensor) && dtype_of(tensor) == aoti_torch_dtype_float32(), name,
                  " must be float32 on a CUDA device");
}

inline void check_layers(const std::vector<int64_t>& widths, int64_t members, int64_t activation) {
  check_widths(widths, activation);
  STD_TORCH_CHECK(widths.size() <= kMostLayers + 1, "at most ", kMostLayers, " layers");
  for (const int64_t width : widths) {
    STD_TORCH_CHECK(width <= kWidest, "a layer is at most ", kWidest, " wide, got ", width);
  }
  STD_TORCH_CHECK(members > 0, "at least one member");
}

// A network without its parameters' places.
inline Network shape_of(const std::vector<int64_t>& widths, int64_t members, int64_t activation) {
  check_layers(widths, members, activation);
  Network network{};
  network.members = static_cast<int>(members);
  network.layers = static_cast<int>(widths.size()) - 1;
  network.activation = static_cast<Activation>(activation);
  std::transform(widths.begin(), widths.end(), network.widths,
                 [](int64_t width) { return static_cast<int>(width); });
  return network;
}

// The same with its parameters in `flat`: layer by layer weights [E, I, J], biases [E, J] and, of a
// hidden layer with a norm, gains and shifts [E, J].
inline Network network_at(const float* flat, const std::vector<int64_t>& widths, int64_t members,
                          int64_t activation, bool norm = false) {
  Network network = shape_of(widths, members, activation);
  for (int l = 0; l < network.layers; ++l) {
    network.weights[l] = flat;
    network.biases[l] = flat += members * widths[l] * widths[l + 1];
    flat += members * widths[l + 1];
    if (!norm || l + 1 == network.layers) continue;
    network.gains[l] = flat;
    network.shifts[l] = flat += members * widths[l + 1];
    flat += members * widths[l + 1];
  }
  return network;
}

// Hands out parts of one tensor, each starting on 16 bytes.
class Parts {
 public:
  int64_t place(int64_t size) {
    const int64_t at = size_;
    size_ += (size + 3) / 4 * 4;
    return at;
  }
  int64_t size() const { return size_; }

 private:
  int64_t size_ = 0;
};

// Where a record of R rows lies in memory. What the forward pass writes and what the backward pass
// adds are apart, so that the first can be kept without the second.
class RecordPlan {
 public:
  RecordPlan(const Network& network, int64_t rows, bool keep_last) {
    for (int l = 0; l < network.layers; ++l) {
      input_.push_back(kept_.place(rows * network.widths[l]));
      const bool norm = l > 0 && network.normalises(l - 1);
      const bool slope = l > 0 && !norm && keeps_slope(network.activation);
      const int64_t tiles = rows / kNormRows + network.members;
      slope_.push_back(slope ? kept_.place(rows * network.widths[l]) : -1);
      normal_.push_back(norm ? kept_.place(rows * network.widths[l]) : -1);
      scale_.push_back(norm ? kept_.place(rows) : -1);
      sums_.push_back(norm ? added_.place(tiles * 2 * network.widths[l]) : -1);
      dz_.push_back(added_.place(rows * network.widths[l + 1]));
    }
    last_ = keep_last ? kept_.place(rows * network.outputs()) : -1;
  }

  int64_t kept_size() const { return kept_.size(); }
  int64_t added_size() const { return added_.size(); }

  Record at(float* kept, float* added) const {
    Record record{};
    for (size_t l = 0; l < input_.size(); ++l) {
      record.input[l] = kept + input_[l];
      if (slope_[l] >= 0) record.slope[l] = kept + slope_[l];
      if (normal_[l] >= 0) {
        record.normal[l] = kept + normal_[l];
        record.scale[l] = kept + scale_[l];
        if (added) record.sums[l] = added + sums_[l];
      }
      if (added) record.dz[l] = added + dz_[l];
    }
    if (last_ >= 0) record.last = kept + last_;
    return record;
  }

 private:
  Parts kept_, added_;
  std::vector<int64_t> input_, slope_, normal_, scale_, sums_, dz_;
  int64_t last_;
};

inline float* floats(const Tensor& tensor) { return data<float>(tensor); }

}  // namespace mbpo::cuda
