#include "mbpo/network.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>
#include <utility>

namespace mbpo {

template <typename T>
int64_t Network<T>::widest() const {
  return *std::max_element(widths.begin(), widths.end());
}

template <typename T>
Record Record::of(const Network<T>& network, bool keep) {
  Record record{};
  record.keep = keep;
  int64_t end = network.inputs() * kTileRows;
  const auto place = [&end](int64_t width) {
    const int64_t at = end;
    end += width * kTileRows;
    return at;
  };
  const int64_t turns[2] = {keep ? 0 : place(network.widest()), keep ? 0 : place(network.widest())};
  for (int64_t l = 0; l + 1 < network.layers(); ++l) {
    const int64_t width = network.widths[l + 1];
    record.hidden.push_back(keep ? place(width) : turns[l % 2]);
    if (!keep) continue;
    if (network.normalises(l)) {
      record.normal.push_back(place(width));
      record.scale.push_back(place(1));
    } else if (keeps_slope(network.activation)) {
      record.slope.push_back(place(width));
    }
  }
  record.output = place(network.outputs());
  record.size = end;
  return record;
}

template Record Record::of(const Network<float>&, bool);
template Record Record::of(const Network<double>&, bool);

std::vector<Tile> make_tiles(int64_t members, int64_t rows) {
  std::vector<Tile> tiles;
  for (int64_t e = 0; e < members; ++e) {
    for (int64_t first = 0; first < rows; first += kTileRows) {
      tiles.push_back({e, first, std::min(kTileRows, rows - first)});
    }
  }
  return tiles;
}

std::vector<int64_t> tile_offsets(const std::vector<Tile>& tiles, int64_t members) {
  std::vector<int64_t> offsets(members + 1, 0);
  for (const Tile& tile : tiles) ++offsets[tile.member + 1];
  for (int64_t e = 0; e < members; ++e) offsets[e + 1] += offsets[e];
  return offsets;
}

namespace {

struct Block {
  void* data = nullptr;
  size_t bytes = 0;
  ~Block() { std::free(data); }
};

}  // namespace

template <typename T>
T* workspace(Slot slot, int64_t count) {
  thread_local Block blocks[static_cast<int>(Slot::count)];
  Block& block = blocks[static_cast<int>(slot)];
  // Whole cache lines; one at least, so that an empty call gets a pointer too.
  const size_t bytes = (static_cast<size_t>(count) * sizeof(T) / 64 + 1) * 64;
  if (block.bytes < bytes) {
    std::free(block.data);
    block.data = std::aligned_alloc(64, bytes);
    block.bytes = block.data ? bytes : 0;
    if (!block.data) throw std::bad_alloc();
  }
  return static_cast<T*>(block.data);
}

template <typename T>
void forward_tile(const Kernels<T>& kernels, const Network<T>& network, const Record& record,
                  const Tile& tile, T* memory) {
  const int64_t last = network.layers() - 1;
  const int64_t count = record.keep ? kTileRows : tile.count;
  const T* in = memory + record.input;
  for (int64_t l = 0; l <= last; ++l) {
    T* out = memory + (l == last ? record.output : record.hidden[l]);
    T* slope = l == last || record.slope.empty() ? nullptr : memory + record.slope[l];
    const bool norm = network.normalises(l);
    const Activation activation = l == last || norm ? Activation::identity : network.activation;
    T* z = norm && record.keep ? memory + record.normal[l] : out;
    kernels.forward({network.widths[l], network.widths[l + 1], network.weight(l, tile.member),
                     network.bias(l, tile.member), in, z, slope, activation, count});
    if (norm) {
      kernels.normalise(
          {network.widths[l + 1], network.gain(l, tile.member), network.shift(l, tile.member), z,
           out, record.keep ? memory + record.scale[l] : nullptr, network.activation, count});
    }
    in = out;
  }
}

template <typename T>
int64_t GradientRows<T>::size(const Network<T>& network, int64_t tiles, int64_t depth) {
  int64_t size = 0;
  for (int64_t l = 0; l < network.layers(); ++l) {
    size += padded(network.widths[l + 1]) * (depth + (network.normalises(l) ? 2 : 0));
  }
  return size * tiles;
}

template <typename T>
GradientRows<T> GradientRows<T>::cut(const Network<T>& network, int64_t tiles, T* memory,
                                     int64_t depth) {
  GradientRows result;
  for (int64_t l = 0; l < network.layers(); ++l) {
    result.rows.push_back(memory);
    result.a_tile.push_back(depth * padded(network.widths[l + 1]));
    memory += tiles * result.a_tile.back();
  }
  for (int64_t l = 0; network.normalises(l); ++l) {
    result.sums.push_back(memory);
    memory += tiles * 2 * padded(network.widths[l + 1]);
  }
  return result;
}

template <typename T>
void backward_tile(const Kernels<T>& kernels, const Network<T>& network, const Tile& tile,
                   const TileBackward<T>& job) {
  const Record& record = job.record;
  T* dz = job.dz;
  T* other = workspace<T>(Slot::scratch_dz, network.widest() * kTileRows);
  for (int64_t l = network.layers() - 1; l >= 0; --l) {
    const int64_t inputs = network.widths[l], outputs = network.widths[l + 1];
    if (job.rows) kernels.transpose(dz, outputs, job.rows->at(l, job.tile));
    const T* weight = network.weight(l, tile.member);
    if (l == 0) {
      if (!job.dinput) return;
      kernels.backward({inputs, outputs, weight, dz, nullptr, job.dinput, Activation::identity,
                        job.first, job.last, kTileRows});
      return;
    }
    const bool norm = network.normalises(l - 1);
    const Activation activation = norm ? Activation::identity : network.activation;
    const T* kept =
        job.memory + (record.slope.empty() ? record.hidden[l - 1] : record.slope[l - 1]);
    kernels.backward({inputs, outputs, weight, dz, kept, other, activation, 0, inputs, kTileRows});
    if (norm) {
      kernels.normalise_backward(
          {inputs, network.gain(l - 1, tile.member), network.shift(l - 1, tile.member),
           job.memory + record.normal[l - 1], job.memory + record.scale[l - 1], other,
           job.rows ? job.rows->sums_at(network, l - 1, job.tile) : nullptr, network.activation});
    }
    std::swap(dz, other);
  }
}

template <typename T>
std::vector<GradientTask> gradient_tasks(const Network<T>& network, int64_t at_once) {
  std::vector<GradientTask> tasks;
  for (int64_t e = 0; e < network.members; ++e) {
    for (int64_t l = 0; l < network.layers(); ++l) {
      const int64_t rows = network.widths[l];
      for (int64_t first = 0; first < rows; first += at_once) {
        tasks.push_back({l, e, first, std::min(first + at_once, rows)});
      }
    }
  }
  return tasks;
}

template <typename T>
void weight_gradient(const Kernels<T>& kernels, const Network<T>& network, const Record& record,
                     const T* memory, const GradientRows<T>& rows, int64_t first_tile,
                     int64_t last_tile, const GradientTask& task, T* dweight, T* dbias) {
  const int64_t layer = task.layer, outputs = network.widths[layer + 1];
  const int64_t at = layer == 0 ? record.input : record.hidden[layer - 1];
  kernels.weight_gradient({network.widths[layer], outputs, last_tile - first_tile,
                           memory + first_tile * record.size + at, record.size,
                           rows.at(layer, first_tile), dweight, task.first == 0 ? dbias : nullptr,
                           task.first, task.last});
}

template <typename T>
int64_t flat_offset(const Network<T>& network, int64_t layer, int64_t member, int64_t row) {
  int64_t offset = 0;
  for (int64_t l = 0; l < layer; ++l) {
    offset +=
        network.members * (network.widths[l] + rows_behind(network, l)) * network.widths[l + 1];
  }
  const int64_t inputs = network.widths[layer], width = network.widths[layer + 1];
  if (row >= inputs) return offset + (network.members * row + member) * width;
  return offset + (member * inputs + row) * width;
}

template <typename T>
Network<T> network_in(const T* flat, std::vector<int64_t> widths, int64_t members,
                      Activation activation, bool norm) {
  Network<T> network{members, std::move(widths), {}, {}, activation};
  if (norm) network.gains.resize(network.layers() - 1);  // which tells flat_offset of it
  for (int64_t l = 0; l < network.layers(); ++l) {
    const auto at = [&](int64_t row) { return flat + flat_offset(network, l, 0, row); };
    const int64_t inputs = network.widths[l];
    network.weights.push_back(at(0));
    network.biases.push_back(at(inputs));
    if (!network.normalises(l)) continue;
    network.gains[l] = at(inputs + 1);
    network.shifts.push_back(at(inputs + 2));
  }
  return network;
}

template <typename T>
void norm_gradient(const Network<T>& network, const GradientRows<T>& rows, int64_t layer,
                   int64_t first_tile, int64_t last_tile, int64_t which, T* gradient) {
  const int64_t width = network.widths[layer + 1];
  std::fill_n(gradient, width, T(0));
  for (int64_t tile = first_tile; tile < last_tile; ++tile) {
    const T* sums = rows.sums_at(network, layer, tile) + which * padded(width);
    for (int64_t j = 0; j < width; ++j) gradient[j] += sums[j];
  }
}

template <typename T>
double flops(const Network<T>& network, int64_t rows) {
  double count = 0;
  for (int64_t l = 0; l < network.layers(); ++l) {
    count += 2.0 * static_cast<double>(network.widths[l] * network.widths[l + 1]);
  }
  return count * static_cast<double>(rows);
}

template <typename T>
double gradient_bound(const Network<T>& network, int64_t rows, double input, double parameter,
                      double dz) {
  constexpr double kSlack = 1.2;  // for slopes, SiLU's the steepest, and for rounding
  const int64_t layers = network.layers();
  double bound = 0;
  const auto add = [&bound](double term) { bound = term <= bound ? bound : term; };  // or NaN
  const auto root = [&network](int64_t l) { return std::sqrt(double(network.widths[l + 1])); };
  std::vector<double> to_below(layers);  // of dL/dz of each layer
  for (int64_t l = layers - 1; l >= 0; --l) {
    if (network.normalises(l)) {
      add(dz * (1 + root(l)));  // of gain and shift: no x is larger than the root of their number
      dz *= kSlack * parameter * (2 + root(l)) / std::sqrt(kNormEpsilon);
    }
    to_below[l] = dz;
    dz *= kSlack * parameter * static_cast<double>(network.widths[l + 1]);
  }
  for (int64_t l = 0; l < layers; ++l) {
    add((1 + input) * to_below[l]);  // 1 for the bias
    input = kSlack * parameter * (1 + input * static_cast<double>(network.widths[l]));
    if (network.normalises(l)) input = kSlack * parameter * (1 + root(l));
  }
  return kSlack * static_cast<double>(rows) * bound;
}

#define MBPO_INSTANTIATE(T)                                                                        \
  template struct Network<T>;                                                                      \
  template struct GradientRows<T>;                                                                 \
  template T* workspace<T>(Slot, int64_t);                                                         \
  template void forward_tile(const Kernels<T>&, const Network<T>&, const Record&, const Tile&,     \
                             T*);                                                                  \
  template void backward_tile(const Kernels<T>&, const Network<T>&, const Tile&,                   \
                              const TileBackward<T>&);                                             \
  template std::vector<GradientTask> gradient_tasks(const Network<T>&, int64_t);                   \
  template void weight_gradient(const Kernels<T>&, const Network<T>&, const Record&, const T*,     \
                                const GradientRows<T>&, int64_t, int64_t, const GradientTask&, T*, \
                                T*);                                                               \
  template int64_t flat_offset(const Network<T>&, int64_t, int64_t, int64_t);                      \
  template Network<T> network_in(const T*, std::vector<int64_t>, int64_t, Activation, bool);       \
  template void norm_gradient(const Network<T>&, const GradientRows<T>&, int64_t, int64_t,         \
                              int64_t, int64_t, T*);                                               \
  template double flops(const Network<T>&, int64_t);                                               \
  template double gradient_bound(const Network<T>&, int64_t, double, double, double);
MBPO_INSTANTIATE(float)
MBPO_INSTANTIATE(double)
#undef MBPO_INSTANTIATE

}  // namespace mbpo
