#include "mbpo/train_step.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace mbpo {
namespace {

// What one tile leaves behind for sums over tiles: its loss, then dL/dmin and dL/dmax; and the
// largest sizes of its inputs and of dL/dz of the last layer.
struct TileSums {
  double* data;
  int64_t outputs;

  int64_t width() const { return 3 + 2 * outputs; }
  double* loss(int64_t tile) const { return data + tile * width(); }
  double* bounds(int64_t tile) const { return loss(tile) + 1; }
  double* sizes(int64_t tile) const { return bounds(tile) + 2 * outputs; }
};

template <typename Net>
class Steps {
  using T = typename Net::Number;

 public:
  Steps(const TrainStep<T>& job, const Kernels<T>& kernels, const Parallel& parallel, Net net)
      : job_(job),
        kernels_(kernels),
        parallel_(parallel),
        net_(std::move(net)),
        record_(net_.record(true)),
        all_(Bounds::of(kernels, parallel, job.parameters)) {}

  void run(double* losses) {
    const int64_t members = job_.network.members;
    pack_all<Net>(parallel_, {&net_});
    for (int64_t s = 0; s < job_.steps(); ++s) {
      const int64_t first = s * job_.batch;
      step(first, std::min(job_.batch, job_.count - first), losses + s * members);
    }
  }

 private:
  void step(int64_t first, int64_t batch, double* losses) {
    const Network<T>& network = job_.network;
    const std::vector<Tile> tiles = make_tiles(network.members, batch);
    const int64_t count = static_cast<int64_t>(tiles.size()), outputs = network.outputs() / 2;
    T* memory = workspace<T>(Slot::shared, count * record_.size);
    const GradientRows<T> rows =
        net_.rows(count, workspace<T>(Slot::shared_rows, net_.rows_size(count)));
    TileSums sums{nullptr, outputs};
    sums.data = workspace<double>(Slot::shared_sums, count * sums.width());
    const double work = flops(network, batch * network.members);

    parallel_.over(count, work, [&](int64_t number) {
      const Tile& tile = tiles[number];
      const int64_t* index = job_.index + tile.member * job_.index_row + first + tile.first;
      differentiate(tile, index, batch, number, rows, memory + number * record_.size, sums);
    });
    std::fill_n(losses, network.members, 0.0);
    for (int64_t t = 0; t < count; ++t) losses[tiles[t].member] += *sums.loss(t);
    const auto finite = [](double loss) { return std::isfinite(static_cast<T>(loss)); };
    if (!std::all_of(losses, losses + network.members, finite)) return;  // nothing moves
    const WeightPass<Net> pass{net_, record_, memory, rows, tile_offsets(tiles, network.members)};
    if (!move(pass, work, gradient_size(batch, count, sums), sums, count)) {
      losses[0] = std::numeric_limits<double>::quiet_NaN();
    }
  }

  void differentiate(const Tile& tile, const int64_t* index, int64_t batch, int64_t number,
                     const GradientRows<T>& rows, T* memory, const TileSums& sums) {
    const Network<T>& network = job_.network;
    const int64_t outputs = sums.outputs, both = 2 * outputs * kTileRows;
    const auto chosen = [&](Rows<const T> all) {
      all.index = index;
      all.count = tile.count;
      return all;
    };
    T* input = memory + record_.input;
    kernels_.gather(chosen(job_.inputs), network.inputs(), input);
    net_.forward(record_, tile, memory);

    T* head = workspace<T>(Slot::scratch, 2 * both + network.widest() * kTileRows);
    T *target = head + both, *grad = target + both / 2;
    T* dz = workspace<T>(Slot::scratch_out, network.widest() * kTileRows);
    const GaussianHead<T> bounds{outputs, job_.minimum.parameter, job_.maximum.parameter};
    std::copy_n(memory + record_.output, both, head);
    kernels_.head(bounds, head);
    kernels_.gather(chosen(job_.targets), outputs, target);
    const double scale = 1.0 / static_cast<double>(batch * outputs);
    *sums.loss(number) =
        scale * kernels_.nll(outputs, tile.count, static_cast<T>(scale), head, target, grad);
    std::fill_n(sums.bounds(number), 2 * outputs, 0.0);
    kernels_.head_backward(bounds, memory + record_.output, grad, dz, sums.bounds(number));
    sums.sizes(number)[0] = kernels_.largest(input, network.inputs() * kTileRows);
    sums.sizes(number)[1] = kernels_.largest(dz, both);
    net_.backward(tile, {record_, memory, dz, &rows, number, nullptr, 0, 0});
  }

  double gradient_size(int64_t batch, int64_t count, const TileSums& sums) const {
    double sizes[2] = {0, 0};
    for (int64_t t = 0; t < count; ++t) {
      for (int which : {0, 1}) sizes[which] = larger_or_nan(sizes[which], sums.sizes(t)[which]);
    }
    const double decay = *std::max_element(job_.decay.begin(), job_.decay.end());
    return decay * all_.parameter +
           gradient_bound(job_.network, batch, sizes[0], all_.parameter, sizes[1]);
  }

  bool move(const WeightPass<Net>& pass, double work, double gradient, const TileSums& sums,
            int64_t tiles) {
    const int64_t size = job_.parameters.size, outputs = sums.outputs;
    T* before = workspace<T>(Slot::before, 3 * (size + 2 * outputs));
    T* rest = before + 3 * size;
    const AdamStep<T> bounds[] = {{kernels_, job_.minimum, job_.adam, rest},
                                  {kernels_, job_.maximum, job_.adam, rest + 3 * outputs}};
    const bool safe = all_.safe(gradient, job_.adam);
    const AdamStep<T> step(kernels_, job_.parameters, job_.adam, safe ? nullptr : before);
    const bool bounds_stay = step_bounds(bounds, sums, tiles);
    const bool stays = bounds_stay && step_weights(step, pass, work, gradient);
    for (const AdamStep<T>& each : bounds) each.end(stays);
    return stays;
  }

  bool step_weights(const AdamStep<T>& step, const WeightPass<Net>& pass, double work,
                    double gradient) {
    Largest<T> parameter, second_moment;
    parallel_.over(pass.count(), work, [&](int64_t number) {
      pass.run(number, [&](int64_t layer, int64_t offset, int64_t n, const T* dw, bool bias) {
        const AdamSizes<T> sizes = step.take(offset, n, dw, bias ? 0.0 : job_.decay[layer]);
        parameter.add(sizes.parameter);
        second_moment.add(sizes.second_moment);
      });
      net_.pack(pass.tasks[number]);
    });
    const bool stays = parameter.finite() && second_moment.finite();
    step.end(stays);
    if (stays) all_.update<T>({parameter.value(), second_moment.value()}, gradient);
    if (!stays) pack_all<Net>(parallel_, {&net_});
    return stays;
  }

  bool step_bounds(const AdamStep<T> (&bounds)[2], const TileSums& sums, int64_t tiles) {
    bool finite = true;
    T* gradient = workspace<T>(Slot::scratch, sums.outputs);
    for (int64_t which = 0; which < 2; ++which) {
      for (int64_t j = 0; j < sums.outputs; ++j) {
        double sum = which == 0 ? -job_.penalty : job_.penalty;
        for (int64_t t = 0; t < tiles; ++t) sum += sums.bounds(t)[which * sums.outputs + j];
        gradient[j] = static_cast<T>(sum);
      }
      const AdamSizes<T> sizes = bounds[which].take(0, sums.outputs, gradient, 0.0);
      finite &= std::isfinite(sizes.parameter) && std::isfinite(sizes.second_moment);
    }
    return finite;
  }

  const TrainStep<T>& job_;
  const Kernels<T>& kernels_;
  const Parallel& parallel_;
  const Net net_;
  const Record record_;
  Bounds all_;
};

}  // namespace

template <typename T>
void train_step(const TrainStep<T>& job, const Kernels<T>& kernels, const Parallel& parallel,
                double* losses) {
  Steps<FullNetwork<T>>(job, kernels, parallel, {job.network, kernels}).run(losses);
}

void train_step(const TrainStep<float>& job, const Kernels<float>& kernels,
                const Bf16Kernels& products, const Parallel& parallel, double* losses) {
  HalfNetwork net(job.network, products, Slot::packed_actor, true);
  Steps<HalfNetwork>(job, kernels, parallel, std::move(net)).run(losses);
}

template void train_step(const TrainStep<float>&, const Kernels<float>&, const Parallel&, double*);
template void train_step(const TrainStep<double>&, const Kernels<double>&, const Parallel&,
                         double*);

}  // namespace mbpo
