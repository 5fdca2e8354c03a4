#include "mbpo/train_step.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

namespace mbpo {
namespace {

// What one tile leaves behind for sums over tiles: its loss, then dL/dmin and dL/dmax.
struct TileSums {
  double* data;
  int64_t outputs;

  double* loss(int64_t tile) const { return data + tile * (1 + 2 * outputs); }
  double* bounds(int64_t tile) const { return loss(tile) + 1; }
};

template <typename T>
void differentiate_tile(const TrainStep<T>& job, const Kernels<T>& kernels, const Record& record,
                        const GradientRows<T>& rows, const Tile& tile, int64_t number, T* memory,
                        const TileSums& sums) {
  const Network<T>& network = job.network;
  const int64_t outputs = sums.outputs, both = 2 * outputs * kTileRows;
  const int64_t* index = job.index + tile.member * job.batch + tile.first;
  const auto chosen = [&](Rows<const T> all) {
    all.index = index;
    all.count = tile.count;
    return all;
  };
  kernels.gather(chosen(job.inputs), network.inputs(), memory + record.input);
  forward_tile(kernels, network, record, tile, memory);

  T* head = workspace<T>(Slot::scratch, 2 * both + network.widest() * kTileRows);
  T *target = head + both, *grad = target + both / 2;
  T* dz = workspace<T>(Slot::scratch_out, network.widest() * kTileRows);
  const GaussianHead<T> bounds{outputs, job.minimum.parameter, job.maximum.parameter};
  std::copy_n(memory + record.output, both, head);
  kernels.head(bounds, head);
  kernels.gather(chosen(job.targets), outputs, target);
  const double scale = 1.0 / static_cast<double>(job.batch * outputs);
  *sums.loss(number) =
      scale * kernels.nll(outputs, tile.count, static_cast<T>(scale), head, target, grad);
  std::fill_n(sums.bounds(number), 2 * outputs, 0.0);
  kernels.head_backward(bounds, memory + record.output, grad, dz, sums.bounds(number));
  backward_tile(kernels, network, tile, {record, memory, dz, &rows, number, nullptr, 0, 0});
}

template <typename T>
bool step_bounds(const AdamStep<T> (&bounds)[2], double penalty, const TileSums& sums,
                 int64_t tiles) {
  bool finite = true;
  T* gradient = workspace<T>(Slot::scratch, sums.outputs);
  for (int64_t which = 0; which < 2; ++which) {
    for (int64_t j = 0; j < sums.outputs; ++j) {
      double sum = which == 0 ? -penalty : penalty;
      for (int64_t t = 0; t < tiles; ++t) sum += sums.bounds(t)[which * sums.outputs + j];
      gradient[j] = static_cast<T>(sum);
    }
    finite &= bounds[which].take(0, sums.outputs, gradient, 0.0);
  }
  return finite;
}

}  // namespace

template <typename T>
void train_step(const TrainStep<T>& job, const Kernels<T>& kernels, const Parallel& parallel,
                double* losses) {
  const Network<T>& network = job.network;
  const Record record = Record::of(network, true);
  const std::vector<Tile> tiles = make_tiles(network.members, job.batch);
  const int64_t count = static_cast<int64_t>(tiles.size()), outputs = network.outputs() / 2;
  T* memory = workspace<T>(Slot::shared, count * record.size);
  const GradientRows<T> rows = GradientRows<T>::cut(
      network, count, workspace<T>(Slot::shared_rows, GradientRows<T>::size(network, count)));
  const TileSums sums{workspace<double>(Slot::shared_sums, count * (1 + 2 * outputs)), outputs};
  const double work = flops(network, job.batch * network.members);

  parallel.over(count, work, [&](int64_t number) {
    differentiate_tile(job, kernels, record, rows, tiles[number], number,
                       memory + number * record.size, sums);
  });
  std::fill_n(losses, network.members, 0.0);
  for (int64_t t = 0; t < count; ++t) losses[tiles[t].member] += *sums.loss(t);
  const auto finite = [](double loss) { return std::isfinite(static_cast<T>(loss)); };
  if (!std::all_of(losses, losses + network.members, finite)) return;  // nothing moves

  T* before = workspace<T>(Slot::before, 3 * (job.parameters.size + 2 * outputs));
  const AdamStep<T> step(kernels, job.parameters, job.adam, before);
  T* rest = before + 3 * job.parameters.size;
  const AdamStep<T> bounds[] = {{kernels, job.minimum, job.adam, rest},
                                {kernels, job.maximum, job.adam, rest + 3 * outputs}};
  std::atomic<bool> stays = step_bounds(bounds, job.penalty, sums, count);
  const WeightPass<T> pass{kernels, network, record,
                           memory,  rows,    tile_offsets(tiles, network.members)};
  parallel.over(pass.count(), work, [&](int64_t number) {
    pass.run(number, [&](int64_t layer, int64_t offset, int64_t n, const T* gradient, bool bias) {
      if (!step.take(offset, n, gradient, bias ? 0.0 : job.decay[layer])) stays = false;
    });
  });
  for (const AdamStep<T>* each : {&step, &bounds[0], &bounds[1]}) each->end(stays);
  if (!stays) losses[0] = std::numeric_limits<double>::quiet_NaN();
}

template void train_step(const TrainStep<float>&, const Kernels<float>&, const Parallel&, double*);
template void train_step(const TrainStep<double>&, const Kernels<double>&, const Parallel&,
                         double*);

}  // namespace mbpo
