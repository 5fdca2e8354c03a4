// The operators' schemas, their CPU kernels, and the Python module that importing them needs.
#include <Python.h>

#include "torch/ensemble_mlp.h"
#include "torch/sac_update.h"
#include "torch/train_step.h"

STABLE_TORCH_LIBRARY(mbpo, m) {
  m.def(
      "ensemble_mlp_forward(Tensor x, Tensor[] weights, Tensor[] biases, Tensor[] bounds, "
      "Tensor? member, int activation, bool save) -> (Tensor[] outputs, Tensor saved)");
  m.def(
      "ensemble_mlp_backward(Tensor[] grads, Tensor x, Tensor[] weights, Tensor[] bounds, "
      "Tensor? member, Tensor saved, int activation, bool need_x, bool need_params) -> Tensor[]");
  m.def(
      "ensemble_mlp_bf16(Tensor x, Tensor[] weights, Tensor[] biases, Tensor[] bounds, "
      "Tensor? member, int activation) -> Tensor[]");
  m.def("instruction_set() -> str");
  m.def("bf16_instruction_set() -> str");
  m.def(
      "ensemble_train_step(Tensor inputs, Tensor targets, Tensor index, Tensor(a!)[] parameters, "
      "Tensor(b!)[] moments, Tensor(c!)[] second_moments, Tensor(d!)[] steps, int[] widths, "
      "int activation, float[] decay, float penalty, float[] adam, int batch, "
      "bool bfloat16) -> Tensor");
  m.def(
      "sac_update(Tensor batch, Tensor noise, Tensor? weights, Tensor center, Tensor scale, "
      "Tensor(a!)[] parameters, Tensor(b!)[] moments, Tensor(c!)[] second_moments, "
      "Tensor(d!)[] steps, Tensor(e!) target, int[] actor_widths, int[] critic_widths, "
      "int activation, bool critic_norm, float[] numbers, float[] adam, bool bfloat16) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(mbpo, CPU, m) {
  m.impl("ensemble_mlp_forward", TORCH_BOX(&mbpo::ensemble_mlp_forward));
  m.impl("ensemble_mlp_backward", TORCH_BOX(&mbpo::ensemble_mlp_backward));
  m.impl("ensemble_mlp_bf16", TORCH_BOX(&mbpo::ensemble_mlp_bf16));
  m.impl("ensemble_train_step", TORCH_BOX(&mbpo::ensemble_train_step));
  m.impl("sac_update", TORCH_BOX(&mbpo::sac_update));
}

STABLE_TORCH_LIBRARY_IMPL(mbpo, CompositeExplicitAutograd, m) {
  m.impl("instruction_set", TORCH_BOX(&mbpo::instruction_set));
  m.impl("bf16_instruction_set", TORCH_BOX(&mbpo::bf16_instruction_set));
}

PyMODINIT_FUNC PyInit__C() {
  static PyModuleDef module = {
      PyModuleDef_HEAD_INIT, "_C", nullptr, -1, nullptr, nullptr, nullptr, nullptr, nullptr};
  return PyModule_Create(&module);
}
