#include "mbpo/network.h"

#include <algorithm>
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
    if (keep && keeps_slope(network.activation)) record.slope.push_back(place(width));
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
    const Activation activation = l == last ? Activation::identity : network.activation;
    kernels.forward({network.widths[l], network.widths[l + 1], network.weight(l, tile.member),
                     network.bias(l, tile.member), in, out, slope, activation, count});
    in = out;
  }
}

template <typename T>
int64_t GradientRows<T>::size(const Network<T>& network, int64_t tiles, int64_t depth) {
  int64_t size = 0;
  for (int64_t l = 0; l < network.layers(); ++l) size += padded(network.widths[l + 1]);
  return size * tiles * depth;
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
    const T* kept =
        job.memory + (record.slope.empty() ? record.hidden[l - 1] : record.slope[l - 1]);
    kernels.backward(
        {inputs, outputs, weight, dz, kept, other, network.activation, 0, inputs, kTileRows});
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
    offset += network.members * (network.widths[l] + 1) * network.widths[l + 1];
  }
  const int64_t inputs = network.widths[layer], width = network.widths[layer + 1];
  if (row == inputs) return offset + (network.members * inputs + member) * width;
  return offset + (member * inputs + row) * width;
}

template <typename T>
Network<T> network_in(const T* flat, std::vector<int64_t> widths, int64_t members,
                      Activation activation) {
  Network<T> network{members, std::move(widths), {}, {}, activation};
  for (int64_t l = 0; l < network.layers(); ++l) {
    network.weights.push_back(flat + flat_offset(network, l, 0, 0));
    network.biases.push_back(flat + flat_offset(network, l, 0, network.widths[l]));
  }
  return network;
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
  std::vector<double> to_below(layers);  // of dL/dz of each layer
  for (int64_t l = layers - 1; l >= 0; --l) {
    to_below[l] = dz;
    dz *= kSlack * parameter * static_cast<double>(network.widths[l + 1]);
  }
  double bound = 0;
  for (int64_t l = 0; l < layers; ++l) {
    const double term = (1 + input) * to_below[l];  // 1 for the bias
    bound = term <= bound ? bound : term;           // NaN where one is
    input = kSlack * parameter * (1 + input * static_cast<double>(network.widths[l]));
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
  template Network<T> network_in(const T*, std::vector<int64_t>, int64_t, Activation);             \
  template double flops(const Network<T>&, int64_t);                                               \
  template double gradient_bound(const Network<T>&, int64_t, double, double, double);
MBPO_INSTANTIATE(float)
MBPO_INSTANTIATE(double)
#undef MBPO_INSTANTIATE

}  // namespace mbpo
