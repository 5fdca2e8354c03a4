// _host: the kernels on numpy arrays, for tests. CMake builds it; the package does not hold it.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "mbpo/network.h"

namespace py = pybind11;

namespace mbpo {
namespace {

// Arrays of another number type are refused, not converted: a test must run what it names.
template <typename T>
using Array = py::array_t<T, py::array::c_style>;
template <typename T>
using Arrays = std::vector<Array<T>>;

template <typename T>
const Kernels<T>& kernels_named(const std::string& name) {
  int count = 0;
  const Kernels<T>* const* found = available_kernels<T>(&count);
  for (int i = 0; i < count; ++i) {
    if (name == found[i]->name) return *found[i];
  }
  throw py::value_error("this processor has no instruction set '" + name + "'");
}

std::vector<std::string> instruction_sets() {
  int count = 0;
  const Kernels<float>* const* found = available_kernels<float>(&count);
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(found[i]->name);
  return names;
}

// A network on the arrays of one call, [E, I, J] and [E, J] by layer, and its rows x [E, B, I].
template <typename T>
struct Call {
  Network<T> network;
  int64_t rows;
  std::vector<Tile> tiles;

  Call(const Array<T>& x, const Arrays<T>& weights, const Arrays<T>& biases, int64_t activation) {
    const auto refuse = [](const char* why) { throw py::value_error(why); };
    if (activation < 0 || activation > 3) refuse("activation must lie in [0, 3]");
    if (x.ndim() != 3 || weights.empty() || weights.size() != biases.size()) {
      refuse("x must be [E, B, I], and weights and biases one array per layer");
    }
    rows = x.shape(1);
    network = {x.shape(0), {x.shape(2)}, {}, {}, static_cast<Activation>(activation)};
    for (size_t l = 0; l < weights.size(); ++l) {
      const Array<T>&weight = weights[l], &bias = biases[l];
      if (weight.ndim() != 3 || weight.shape(0) != network.members ||
          weight.shape(1) != network.widths.back() || bias.ndim() != 2 ||
          bias.shape(0) != network.members || bias.shape(1) != weight.shape(2)) {
        refuse("weights must be [E, I, J] and biases [E, J], layer after layer");
      }
      network.widths.push_back(weight.shape(2));
      network.weights.push_back(weight.data());
      network.biases.push_back(bias.data());
    }
    tiles = make_tiles(network.members, rows);
  }

  int64_t count() const { return static_cast<int64_t>(tiles.size()); }

  Array<T> result(int64_t width) const { return Array<T>({network.members, rows, width}); }

  template <typename U>
  Rows<U> rows_in(U* data, int64_t width, const Tile& tile) const {
    return {data + (tile.member * rows + tile.first) * width, width, 1, nullptr, tile.count};
  }
};

template <typename T>
Array<T> forward(const std::string& name, const Array<T>& x, const Arrays<T>& weights,
                 const Arrays<T>& biases, int64_t activation) {
  const Kernels<T>& kernels = kernels_named<T>(name);
  const Call<T> call(x, weights, biases, activation);
  const Network<T>& network = call.network;
  const Record record = Record::of(network, false);
  Array<T> y = call.result(network.outputs());
  T* memory = workspace<T>(Slot::shared, record.size);
  for (const Tile& tile : call.tiles) {
    kernels.gather(call.rows_in(x.data(), network.inputs(), tile), network.inputs(),
                   memory + record.input);
    forward_tile(kernels, network, record, tile, memory);
    kernels.scatter(memory + record.output, network.outputs(),
                    call.rows_in(y.mutable_data(), network.outputs(), tile));
  }
  return y;
}

// y, dx, dweights, dbiases for the gradient dy of y.
template <typename T>
py::tuple gradients(const std::string& name, const Array<T>& x, const Arrays<T>& weights,
                    const Arrays<T>& biases, int64_t activation, const Array<T>& dy) {
  const Kernels<T>& kernels = kernels_named<T>(name);
  const Call<T> call(x, weights, biases, activation);
  const Network<T>& network = call.network;
  const int64_t inputs = network.inputs(), outputs = network.outputs(), count = call.count();
  Array<T> y = call.result(outputs), dx = call.result(inputs);
  if (dy.ndim() != 3 || dy.size() != y.size()) throw py::value_error("dy must have y's shape");
  const Record record = Record::of(network, true);
  T* all = workspace<T>(Slot::shared, count * record.size);
  const GradientRows<T> rows = GradientRows<T>::cut(
      network, count, workspace<T>(Slot::shared_rows, GradientRows<T>::size(network, count)));
  T* dz = workspace<T>(Slot::scratch, network.widest() * kTileRows);
  T* dinput = workspace<T>(Slot::scratch_out, inputs * kTileRows);
  for (int64_t t = 0; t < count; ++t) {
    const Tile& tile = call.tiles[t];
    T* memory = all + t * record.size;
    kernels.gather(call.rows_in(x.data(), inputs, tile), inputs, memory + record.input);
    forward_tile(kernels, network, record, tile, memory);
    kernels.scatter(memory + record.output, outputs, call.rows_in(y.mutable_data(), outputs, tile));
    kernels.gather(call.rows_in(dy.data(), outputs, tile), outputs, dz);
    backward_tile(kernels, network, tile, {record, memory, dz, &rows, t, dinput, 0, inputs});
    kernels.scatter(dinput, inputs, call.rows_in(dx.mutable_data(), inputs, tile));
  }
  Arrays<T> dweights, dbiases;
  for (int64_t l = 0; l < network.layers(); ++l) {
    dweights.emplace_back(Array<T>({network.members, network.widths[l], network.widths[l + 1]}));
    dbiases.emplace_back(Array<T>({network.members, network.widths[l + 1]}));
  }
  const std::vector<int64_t> offsets = tile_offsets(call.tiles, network.members);
  for (const GradientTask& task : gradient_tasks(network)) {
    const int64_t in = network.widths[task.layer], out = network.widths[task.layer + 1];
    weight_gradient(kernels, network, record, all, rows, offsets[task.member],
                    offsets[task.member + 1], task,
                    dweights[task.layer].mutable_data() + (task.member * in + task.first) * out,
                    dbiases[task.layer].mutable_data() + task.member * out);
  }
  return py::make_tuple(y, dx, dweights, dbiases);
}

py::dict record_layout(std::vector<int64_t> widths, int64_t activation, bool keep) {
  const Network<float> network{1, std::move(widths), {}, {}, static_cast<Activation>(activation)};
  const Record record = Record::of(network, keep);
  py::dict result;
  result["input"] = record.input;
  result["output"] = record.output;
  result["hidden"] = record.hidden;
  result["slope"] = record.slope;
  result["size"] = record.size;
  return result;
}

// [member, first, count] of every tile.
std::vector<std::vector<int64_t>> plan_tiles(int64_t members, int64_t rows) {
  std::vector<std::vector<int64_t>> result;
  for (const Tile& tile : make_tiles(members, rows)) {
    result.push_back({tile.member, tile.first, tile.count});
  }
  return result;
}

// [layer, member, first, last] of every piece of the weights' gradient.
std::vector<std::vector<int64_t>> plan_gradient(int64_t members, std::vector<int64_t> widths) {
  const Network<float> network{members, std::move(widths), {}, {}, Activation::silu};
  std::vector<std::vector<int64_t>> result;
  for (const GradientTask& task : gradient_tasks(network)) {
    result.push_back({task.layer, task.member, task.first, task.last});
  }
  return result;
}

py::dict build_info() {
  py::dict result;
  result["compiler"] = __VERSION__;
  result["cplusplus"] = static_cast<int64_t>(__cplusplus);
  result["tile_rows"] = kTileRows;
#ifdef MBPO_SANITIZED
  result["sanitized"] = true;
#else
  result["sanitized"] = false;
#endif
  return result;
}

template <typename T>
void add_kernels(py::module_& m) {
  using namespace py::literals;
  m.def("forward", &forward<T>, "isa"_a, "x"_a.noconvert(), "weights"_a.noconvert(),
        "biases"_a.noconvert(), "activation"_a);
  m.def("gradients", &gradients<T>, "isa"_a, "x"_a.noconvert(), "weights"_a.noconvert(),
        "biases"_a.noconvert(), "activation"_a, "dy"_a.noconvert());
}

}  // namespace
}  // namespace mbpo

PYBIND11_MODULE(_host, m) {
  m.def("instruction_sets", &mbpo::instruction_sets);
  m.def("record_layout", &mbpo::record_layout);
  m.def("plan_tiles", &mbpo::plan_tiles);
  m.def("plan_gradient", &mbpo::plan_gradient);
  m.def("build_info", &mbpo::build_info);
  mbpo::add_kernels<float>(m);
  mbpo::add_kernels<double>(m);
}
