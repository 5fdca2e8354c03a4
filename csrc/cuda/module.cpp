// The GPU's operators, their schemas, and the Python module that importing them needs.
#include <Python.h>

#include "ops.h"

// The emulator's operators take tensors on the CPU and have a name of their own.
#if defined(MBPO_EMULATED)
#define MBPO_NAMESPACE mbpo_emulated
#define MBPO_KEY CPU
#else
#define MBPO_NAMESPACE mbpo
#define MBPO_KEY CUDA
#endif

STABLE_TORCH_LIBRARY_FRAGMENT(MBPO_NAMESPACE, m) {
  m.def(
      "cuda_mlp_forward(Tensor x, Tensor[] weights, Tensor[] biases, Tensor[] bounds, "
      "Tensor? member, int activation, bool save, int precision) "
      "-> (Tensor[] outputs, Tensor saved)");
  m.def(
      "cuda_mlp_backward(Tensor[] grads, Tensor x, Tensor[] weights, Tensor[] bounds, "
      "Tensor? member, Tensor saved, int activation, bool need_x, bool need_params, bool tf32) "
      "-> Tensor[]");
  m.def(
      "cuda_model_step(Tensor x, Tensor[] weights, Tensor[] biases, Tensor[] bounds, "
      "Tensor member, Tensor[] scales, Tensor noise, int activation, bool tf32) "
      "-> (Tensor reward, Tensor next_obs)");
  m.def(
      "cuda_train_step(Tensor inputs, Tensor targets, Tensor index, Tensor(a!)[] parameters, "
      "Tensor(b!)[] moments, Tensor(c!)[] second_moments, Tensor(d!)[] steps, int[] widths, "
      "int activation, float[] decay, float penalty, float[] adam, bool tf32) -> Tensor");
  m.def(
      "cuda_sac_update(Tensor batch, Tensor noise, Tensor? weights, Tensor center, Tensor scale, "
      "Tensor(a!)[] parameters, Tensor(b!)[] moments, Tensor(c!)[] second_moments, "
      "Tensor(d!)[] steps, Tensor(e!) target, int[] actor_widths, int[] critic_widths, "
      "int activation, bool critic_norm, float[] numbers, float[] adam, bool tf32) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(MBPO_NAMESPACE, MBPO_KEY, m) {
  m.impl("cuda_mlp_forward", TORCH_BOX(&mbpo::cuda::ensemble_mlp_forward));
  m.impl("cuda_mlp_backward", TORCH_BOX(&mbpo::cuda::ensemble_mlp_backward));
  m.impl("cuda_model_step", TORCH_BOX(&mbpo::cuda::model_step));
  m.impl("cuda_train_step", TORCH_BOX(&mbpo::cuda::ensemble_train_step));
  m.impl("cuda_sac_update", TORCH_BOX(&mbpo::cuda::sac_update));
}

PyMODINIT_FUNC PyInit__cuda() {
  static PyModuleDef module = {
      PyModuleDef_HEAD_INIT, "_cuda", nullptr, -1, nullptr, nullptr, nullptr, nullptr, nullptr};
  return PyModule_Create(&module);
}
