#include <algorithm>
#include <utility>

#include "mbpo/bf16.h"

namespace mbpo {
namespace {

// Cuts places of whole cache lines from memory of floats or pairs.
class Places {
 public:
  int64_t place(int64_t count) {
    constexpr int64_t kLine = 16;
    const int64_t at = end_;
    end_ += (count + kLine - 1) / kLine * kLine;
    return at;
  }
  int64_t end() const { return end_; }

 private:
  int64_t end_ = 0;
};

Pair* pairs(float* numbers) { return reinterpret_cast<Pair*>(numbers); }
const Pair* pairs(const float* numbers) { return reinterpret_cast<const Pair*>(numbers); }

}  // namespace

HalfNetwork::HalfNetwork(const Network<float>& network, const Bf16Kernels& kernels, Slot slot,
                         bool backward)
    : network_(network), kernels_(kernels), backward_(backward) {
  Places places;
  for (int64_t l = 0; l < network.layers(); ++l) {
    const int64_t inputs = network.widths[l], outputs = network.widths[l + 1];
    at_.push_back(places.place(kernels.depth(inputs) * kernels.padded(outputs)));
    at_.push_back(places.place(backward ? kernels.padded(inputs) * kernels.depth(outputs) : 0));
    at_.push_back(places.place(kernels.padded(outputs)));
  }
  size_ = places.end();
  packed_ = workspace<float>(slot, size_ * network.members);
}

HalfNetwork::Packed HalfNetwork::packed(int64_t layer, int64_t member) const {
  float* start = packed_ + member * size_;
  const int64_t* at = &at_[3 * layer];
  return {pairs(start + at[0]), pairs(start + at[1]), start + at[2]};
}

void HalfNetwork::pack(const GradientTask& task) const {
  const int64_t l = task.layer, e = task.member, outputs = network_.widths[l + 1];
  const Bf16Weights weights{network_.weight(l, e), network_.widths[l], outputs};
  const Packed to = packed(l, e);
  kernels_.pack(weights, task.first, task.last, to.weight);
  if (backward_) kernels_.pack_transposed(weights, task.first, task.last, to.transposed);
  if (task.first > 0) return;
  std::copy_n(network_.bias(l, e), outputs, to.bias);
  std::fill(to.bias + outputs, to.bias + kernels_.padded(outputs), 0.0f);
}

bool HalfNetwork::keeps_slope() const {
  return network_.activation == Activation::silu || network_.activation == Activation::tanh;
}

Record HalfNetwork::record(bool keep) const {
  Record record{};
  record.keep = keep;
  Places places;
  const int64_t turn = kernels_.depth(network_.widest()) * kTileRows;
  const int64_t turns[2] = {keep ? 0 : places.place(turn), keep ? 0 : places.place(turn)};
  record.input = places.place(network_.inputs() * kTileRows);
  record.output = places.place(kernels_.padded(network_.outputs()) * kTileRows);
  for (int64_t l = 0; l < network_.layers(); ++l) {
    const int64_t width = network_.widths[l];
    const int64_t size = kernels_.depth(width) * kTileRows;
    record.features.push_back(keep ? places.place(size) : turns[l % 2]);
    if (!keep) continue;
    record.rows.push_back(places.place(size));
    if (l > 0 && keeps_slope() && !network_.normalises(l - 1)) {
      record.slope.push_back(places.place(kernels_.padded(width) * kTileRows));
    }
  }
  for (int64_t l = 0; network_.normalises(l); ++l) {
    const bool turns = !keep && l > 0;  // one place for all
    const int64_t width = keep ? network_.widths[l + 1] : network_.widest();
    record.normal.push_back(turns ? record.normal[0]
                                  : places.place(kernels_.padded(width) * kTileRows));
    if (keep) record.scale.push_back(places.place(kTileRows));
  }
  record.size = places.end();
  return record;
}

void HalfNetwork::forward(const Record& record, const Tile& tile, float* memory) const {
  const int64_t last = network_.layers() - 1;
  const auto kept = [&](int64_t l) {
    return Bf16Tile{pairs(memory + record.features[l]),
                    record.keep ? pairs(memory + record.rows[l]) : nullptr};
  };
  kernels_.round(memory + record.input, network_.inputs(), kept(0));
  for (int64_t l = 0; l <= last; ++l) {
    const Packed at = packed(l, tile.member);
    Bf16Layer layer{};
    layer.inputs = network_.widths[l];
    layer.outputs = network_.widths[l + 1];
    layer.weight = at.weight;
    layer.bias = at.bias;
    layer.in = kept(l).features;
    const bool norm = network_.normalises(l);
    layer.activation = l == last || norm ? Activation::identity : network_.activation;
    layer.count = record.keep ? kTileRows : tile.count;
    if (norm) {
      layer.out = memory + record.normal[l];
    } else if (l == last) {
      layer.out = memory + record.output;
    } else {
      layer.kept = kept(l + 1);
      layer.slope = record.slope.empty() ? nullptr : memory + record.slope[l];
    }
    kernels_.forward(layer);
    if (!norm) continue;
    kernels_.normalise(
        {layer.outputs, network_.gain(l, tile.member), network_.shift(l, tile.member), layer.out,
         nullptr, record.keep ? memory + record.scale[l] : nullptr, network_.activation,
         layer.count},
        kept(l + 1));
  }
}

int64_t HalfNetwork::rows_size(int64_t tiles) const {
  return GradientRows<float>::size(network_, tiles, kTileDepth<Pair>);
}

GradientRows<float> HalfNetwork::rows(int64_t tiles, float* memory) const {
  return GradientRows<float>::cut(network_, tiles, memory, kTileDepth<Pair>);
}

void HalfNetwork::backward(const Tile& tile, const TileBackward<float>& job) const {
  const Record& record = job.record;
  const int64_t turn = kernels_.depth(network_.widest()) * kTileRows, last = network_.layers() - 1;
  float* floats = workspace<float>(Slot::scratch_dz, 5 * turn);  // pairs of 3, and floats
  Pair* memory = pairs(floats);
  Bf16Tile dz{memory, job.rows ? memory + 2 * turn : nullptr};
  kernels_.round(job.dz, network_.outputs(), dz);
  for (int64_t l = last; l >= 0; --l) {
    const int64_t inputs = network_.widths[l], outputs = network_.widths[l + 1];
    if (job.rows) kernels_.transpose(dz.rows, outputs, pairs(job.rows->at(l, job.tile)));
    if (l == 0 && !job.dinput) return;
    Bf16Backward step{};
    step.inputs = inputs;
    step.outputs = outputs;
    step.weight = packed(l, tile.member).transposed;
    step.in = dz.features;
    step.activation = l == 0 ? Activation::identity : network_.activation;
    if (l == 0) {
      step.out = job.dinput;
      step.first = job.first;
      step.last = job.last;
    } else {
      step.rows = pairs(job.memory + record.rows[l]);
      step.slope = record.slope.empty() ? nullptr : job.memory + record.slope[l - 1];
      dz.features = memory + (last - l + 1) % 2 * turn;
      step.kept = dz;
    }
    const bool norm = l > 0 && network_.normalises(l - 1);
    if (norm) {
      step.out = floats + 3 * turn;
      step.last = inputs;
    }
    kernels_.backward(step);
    if (!norm) continue;
    kernels_.normalise_backward(
        {inputs, network_.gain(l - 1, tile.member), network_.shift(l - 1, tile.member),
         job.memory + record.normal[l - 1], job.memory + record.scale[l - 1], step.out,
         job.rows ? job.rows->sums_at(network_, l - 1, job.tile) : nullptr, network_.activation},
        dz);
  }
}

void HalfNetwork::weight_gradient(const Record& record, const float* memory,
                                  const GradientRows<float>& rows, int64_t first_tile,
                                  int64_t last_tile, const GradientTask& task, float* dweight,
                                  float* dbias) const {
  kernels_.weight_gradient({network_.widths[task.layer], network_.widths[task.layer + 1],
                            last_tile - first_tile,
                            pairs(memory + first_tile * record.size + record.rows[task.layer]),
                            record.size, pairs(rows.at(task.layer, first_tile)), dweight,
                            task.first == 0 ? dbias : nullptr, task.first, task.last});
}

}  // namespace mbpo
