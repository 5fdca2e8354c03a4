// Whole networks on tiles of rows, and the two passes of their gradients. Free of torch.
#pragma once

#include <cstdint>
#include <vector>

#include "mbpo/kernels.h"

namespace mbpo {

// E perceptrons of one shape: weights [E, I, J] and biases [E, J] by layer, dense. Where hidden
// layers have a norm, its gains and shifts [E, J].
template <typename T>
struct Network {
  int64_t members;
  std::vector<int64_t> widths;  // L + 1
  std::vector<const T*> weights, biases;
  Activation activation;                          // of every layer but the last
  std::vector<const T*> gains = {}, shifts = {};  // L - 1, or none

  int64_t layers() const { return static_cast<int64_t>(widths.size()) - 1; }
  int64_t inputs() const { return widths.front(); }
  int64_t outputs() const { return widths.back(); }
  int64_t widest() const;
  const T* weight(int64_t layer, int64_t member) const {
    return weights[layer] + member * widths[layer] * widths[layer + 1];
  }
  const T* bias(int64_t layer, int64_t member) const {
    return biases[layer] + member * widths[layer + 1];
  }
  bool normalises(int64_t layer) const { return layer < static_cast<int64_t>(gains.size()); }
  const T* gain(int64_t layer, int64_t member) const {
    return gains[layer] + member * widths[layer + 1];
  }
  const T* shift(int64_t layer, int64_t member) const {
    return shifts[layer] + member * widths[layer + 1];
  }
};

// Where one tile's input, hidden activations, slopes and output lie in its memory.
struct Record {
  // With `keep`, everything the backward pass reads stays; else layers take turns in two places.
  template <typename T>
  static Record of(const Network<T>& network, bool keep);

  int64_t input, output;
  std::vector<int64_t> hidden;  // of layer l's output, l < L - 1
  std::vector<int64_t> slope;   // the same, or empty where h tells the derivative or none is kept
  // Of layers with a norm: x, where it is kept, and the scale of each row.
  std::vector<int64_t> normal, scale;
  // Of HalfNetwork, instead of `hidden`: what layer l takes in, l < L; rows only with `keep`.
  std::vector<int64_t> features, rows;
  int64_t size;  // numbers in all
  bool keep;
};

// Rows of one member that share a tile.
struct Tile {
  int64_t member;
  int64_t first;  // of its rows, in the order in which the member's rows are listed
  int64_t count;
};

// ceil(rows / kTileRows) tiles for each member, in order.
std::vector<Tile> make_tiles(int64_t members, int64_t rows);

// Run body(context, first, last) over all of [0, tasks), in parallel where the caller has threads:
// see share_out in pool.h.
struct Parallel {
  using Body = void (*)(void* context, int64_t first, int64_t last);
  void (*run)(int64_t tasks, Body body, void* context);

  // Call f(task) for every task; work below some microseconds stays on this thread.
  template <typename F>
  void over(int64_t tasks, double flops, const F& f) const {
    constexpr double kWorthAThread = 1e6;
    const Body body = [](void* context, int64_t first, int64_t last) {
      for (int64_t task = first; task < last; ++task) (*static_cast<const F*>(context))(task);
    };
    void* context = const_cast<F*>(&f);
    if (tasks < 2 || flops < kWorthAThread) return body(context, 0, tasks);
    run(tasks, body, context);
  }
};

// Memory that each thread keeps from call to call: fresh pages cost more than the work on them.
// A slot's contents last until the same thread asks for the slot again.
enum class Slot {
  shared,
  shared_rows,
  shared_sums,
  before,
  scratch,
  scratch_dz,
  scratch_out,
  packed_actor,
  packed_critic,
  packed_target,
  count
};
template <typename T>
T* workspace(Slot slot, int64_t count);

// From memory + record.input to memory + record.output by the weights of the tile's member. Where
// all is kept, rows past the last are computed too: sums over the rows of a tile meet finite
// numbers.
template <typename T>
void forward_tile(const Kernels<T>& kernels, const Network<T>& network, const Record& record,
                  const Tile& tile, T* memory);

// dL/dz of every layer, transposed for the second pass, and what norms sum in the first. Tiles of
// one member follow each other.
template <typename T>
struct GradientRows {
  std::vector<T*> rows;         // of the first tile, by layer
  std::vector<int64_t> a_tile;  // numbers from one tile to the next, by layer
  // Of layers with a norm: dL/dgain and dL/dshift of the first tile, [2][padded(J)].
  std::vector<T*> sums;

  T* at(int64_t layer, int64_t tile) const { return rows[layer] + tile * a_tile[layer]; }
  T* sums_at(const Network<T>& network, int64_t layer, int64_t tile) const {
    return sums[layer] + tile * 2 * padded(network.widths[layer + 1]);
  }
  // Cut `memory`, of size() numbers, into one part per layer; a number holds `depth` rows in
  // kTileRows / depth.
  static GradientRows cut(const Network<T>& network, int64_t tiles, T* memory,
                          int64_t depth = kTileRows);
  static int64_t size(const Network<T>& network, int64_t tiles, int64_t depth = kTileRows);
};

// From dz [J][kTileRows], dL/dz of the last layer, down to the input; dz is overwritten.
template <typename T>
struct TileBackward {
  const Record& record;         // with keep
  const T* memory;              // as forward_tile left it
  T* dz;                        // [widest][kTileRows]
  const GradientRows<T>* rows;  // or null where no weight wants a gradient
  int64_t tile;                 // number among all tiles
  T* dinput;                    // [last - first][kTileRows] or null: dL/dx for these features
  int64_t first, last;
};
template <typename T>
void backward_tile(const Kernels<T>& kernels, const Network<T>& network, const Tile& tile,
                   const TileBackward<T>& job);

// One piece of the second pass: rows [first, last) of dW of one layer and member.
struct GradientTask {
  int64_t layer, member, first, last;
};
template <typename T>
std::vector<GradientTask> gradient_tasks(const Network<T>& network, int64_t rows = 48);

// offsets[e] .. offsets[e + 1] are the tiles of member e.
std::vector<int64_t> tile_offsets(const std::vector<Tile>& tiles, int64_t members);

// dweight [last - first, J]; dbias [J] is written where the task holds row 0.
template <typename T>
void weight_gradient(const Kernels<T>& kernels, const Network<T>& network, const Record& record,
                     const T* memory, const GradientRows<T>& rows, int64_t first_tile,
                     int64_t last_tile, const GradientTask& task, T* dweight, T* dbias);

// Multiplications and additions of one pass of `rows` rows through one member.
template <typename T>
double flops(const Network<T>& network, int64_t rows);

// What no number of a gradient is larger than, summed over `rows` rows, where no number of the
// inputs, the parameters and dL/dz of the last layer is larger than these sizes. Far above what
// really comes, and told without a look at any of it.
template <typename T>
double gradient_bound(const Network<T>& network, int64_t rows, double input, double parameter,
                      double dz);

// A network whose products are of T: the functions above, as the passes of an update call them.
template <typename T>
class FullNetwork {
 public:
  using Number = T;

  FullNetwork(const Network<T>& network, const Kernels<T>& kernels)
      : network_(network), kernels_(kernels) {}

  const Network<T>& shape() const { return network_; }
  Record record(bool keep) const { return Record::of(network_, keep); }
  int64_t rows_size(int64_t tiles) const { return GradientRows<T>::size(network_, tiles); }
  GradientRows<T> rows(int64_t tiles, T* memory) const {
    return GradientRows<T>::cut(network_, tiles, memory);
  }
  std::vector<GradientTask> tasks() const { return gradient_tasks(network_); }
  // Weights are read where they lie.
  bool packs() const { return false; }
  void pack(const GradientTask&) const {}

  void forward(const Record& record, const Tile& tile, T* memory) const {
    forward_tile(kernels_, network_, record, tile, memory);
  }
  void backward(const Tile& tile, const TileBackward<T>& job) const {
    backward_tile(kernels_, network_, tile, job);
  }
  void weight_gradient(const Record& record, const T* memory, const GradientRows<T>& rows,
                       int64_t first_tile, int64_t last_tile, const GradientTask& task, T* dweight,
                       T* dbias) const {
    mbpo::weight_gradient(kernels_, network_, record, memory, rows, first_tile, last_tile, task,
                          dweight, dbias);
  }

 private:
  const Network<T>& network_;
  const Kernels<T>& kernels_;
};

// Pack all weights of these networks.
template <typename Net>
void pack_all(const Parallel& parallel, const std::vector<const Net*>& networks) {
  constexpr double kPerWeight = 10;  // about what packing costs, in multiplications
  for (const Net* network : networks) {
    if (!network->packs()) continue;
    const std::vector<GradientTask> tasks = network->tasks();
    const double work = kPerWeight * flops(network->shape(), network->shape().members);
    parallel.over(static_cast<int64_t>(tasks.size()), work,
                  [&](int64_t number) { network->pack(tasks[number]); });
  }
}

// Where a row of weights, or from row I on the bias, gain and shift, lies in a network's flat
// parameter: layer by layer, weights [E, I, J], biases [E, J] and, of a layer with a norm, gains
// and shifts [E, J].
template <typename T>
int64_t flat_offset(const Network<T>& network, int64_t layer, int64_t member, int64_t row);

// The network whose parameters are `flat`, in that order.
template <typename T>
Network<T> network_in(const T* flat, std::vector<int64_t> widths, int64_t members,
                      Activation activation, bool norm = false);

// How many of the rows behind I a layer has: the bias, and what its norm learns.
template <typename T>
int64_t rows_behind(const Network<T>& network, int64_t layer) {
  return network.normalises(layer) ? 3 : 1;
}

// Call f(offset, n) for the ranges of a flat parameter that a task holds: its rows of weights
// and, with row 0, those behind.
template <typename T, typename F>
void over_ranges(const Network<T>& network, const GradientTask& task, const F& f) {
  const int64_t inputs = network.widths[task.layer], width = network.widths[task.layer + 1];
  f(flat_offset(network, task.layer, task.member, task.first), (task.last - task.first) * width);
  if (task.first > 0) return;
  for (int64_t row = inputs; row < inputs + rows_behind(network, task.layer); ++row) {
    f(flat_offset(network, task.layer, task.member, row), width);
  }
}

// The gradient [J] of a gain (`which` 0) or shift (1): what the tiles summed, added up in their
// order.
template <typename T>
void norm_gradient(const Network<T>& network, const GradientRows<T>& rows, int64_t layer,
                   int64_t first_tile, int64_t last_tile, int64_t which, T* gradient);

// The second pass where each piece of the gradient is used at once and then forgotten.
template <typename Net>
struct WeightPass {
  using T = typename Net::Number;

  const Net& network;
  const Record& record;
  const T* memory;
  const GradientRows<T>& rows;
  std::vector<int64_t> offsets;  // tile_offsets
  std::vector<GradientTask> tasks = network.tasks();

  int64_t count() const { return static_cast<int64_t>(tasks.size()); }

  // Call update(layer, offset, n, gradient, behind) for the ranges of one task; `behind` is true of
  // all but weights.
  template <typename F>
  void run(int64_t number, const F& update) const {
    const GradientTask& task = tasks[number];
    const Network<T>& shape = network.shape();
    const int64_t inputs = shape.widths[task.layer], width = shape.widths[task.layer + 1];
    const int64_t n = (task.last - task.first) * width;
    T* dweight = workspace<T>(Slot::scratch, n + width);
    network.weight_gradient(record, memory, rows, offsets[task.member], offsets[task.member + 1],
                            task, dweight, dweight + n);
    update(task.layer, flat_offset(shape, task.layer, task.member, task.first), n, dweight, false);
    if (task.first > 0) return;
    update(task.layer, flat_offset(shape, task.layer, task.member, inputs), width, dweight + n,
           true);
    for (int64_t row = 1; row < rows_behind(shape, task.layer); ++row) {
      norm_gradient(shape, rows, task.layer, offsets[task.member], offsets[task.member + 1],
                    row - 1, dweight);
      update(task.layer, flat_offset(shape, task.layer, task.member, inputs + row), width, dweight,
             true);
    }
  }
};

}  // namespace mbpo
