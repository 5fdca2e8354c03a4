#include "call.h"
#include "ensemble_mlp.h"
#include "mbpo/bf16.h"
#include "parallel.h"

namespace mbpo {

std::string instruction_set() { return kernels<float>().name; }

std::string bf16_instruction_set() { return bf16_kernels() ? bf16_kernels()->name : ""; }

void check_bf16(const Tensor& tensor) {
  STD_TORCH_CHECK(bf16_kernels(), "this processor has no products of bfloat16");
  STD_TORCH_CHECK(tensor.is_cpu() && dtype_of(tensor) == aoti_torch_dtype_float32(),
                  "bfloat16 takes float32 tensors on the CPU");
}

std::vector<Tensor> ensemble_mlp_bf16(Tensor x, std::vector<Tensor> weights,
                                      std::vector<Tensor> biases, std::vector<Tensor> bounds,
                                      std::optional<Tensor> member, int64_t activation) {
  check_bf16(x);
  Call<float> call(x, weights, bounds, member, activation);
  call.add_biases(x, biases);
  const int64_t width = call.result_width();
  std::vector<Tensor> results{call.result(x, width)};
  if (call.gaussian) results.push_back(call.result(x, width));
  const Kernels<float>& best = kernels<float>();
  const HalfNetwork network(call.network, *bf16_kernels(), Slot::packed_actor, false);
  const Record record = network.record(false);
  pack_all<HalfNetwork>(torch_parallel(), {&network});
  torch_parallel().over(static_cast<int64_t>(call.tiles.size()), call.work(), [&](int64_t number) {
    const Tile& tile = call.tiles[number];
    float* memory = workspace<float>(Slot::scratch, record.size);
    best.gather(call.rows_in<const float>(x, tile), call.network.inputs(), memory + record.input);
    network.forward(record, tile, memory);
    float* z = memory + record.output;
    best.scatter(z, width, call.rows_in<float>(results[0], tile));
    if (!call.gaussian) return;
    best.head(call.head, z);
    best.scatter(z + width * kTileRows, width, call.rows_in<float>(results[1], tile));
  });
  return results;
}

}  // namespace mbpo
