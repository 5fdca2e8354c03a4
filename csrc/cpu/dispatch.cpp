#include <cstdlib>
#include <cstring>

#include "mbpo/bf16.h"
#include "mbpo/kernels.h"

namespace mbpo {

#define MBPO_DECLARE(isa)               \
  namespace isa {                       \
  extern const Kernels<float> kFloat;   \
  extern const Kernels<double> kDouble; \
  }
MBPO_DECLARE(generic)
#if defined(__x86_64__)
MBPO_DECLARE(avx2)
MBPO_DECLARE(avx512)
#if !defined(__clang__)
namespace avx512_bf16 {
extern const Bf16Kernels kKernels;
}
#endif
#endif

namespace {

constexpr int kMost = 3;

struct Table {
  const Kernels<float>* floats[kMost];
  const Kernels<double>* doubles[kMost];
  int count = 0;

  void add(const Kernels<float>& single, const Kernels<double>& twice) {
    floats[count] = &single;
    doubles[count++] = &twice;
  }

  Table() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
      add(avx512::kFloat, avx512::kDouble);
    }
    if (fma) add(avx2::kFloat, avx2::kDouble);
#endif
    add(generic::kFloat, generic::kDouble);
  }
};

const Table& table() {
  static const Table result;
  return result;
}

// An unknown or unavailable name is passed over: the variable is there to try slower code.
template <typename T>
const Kernels<T>& wanted(const Kernels<T>* const* found, int count) {
  const char* name = std::getenv("MBPO_ISA");
  for (int i = 0; name && i < count; ++i) {
    if (!std::strcmp(found[i]->name, name)) return *found[i];
  }
  return *found[0];
}

}  // namespace

template <>
const Kernels<float>* const* available_kernels<float>(int* count) {
  *count = table().count;
  return table().floats;
}

template <>
const Kernels<double>* const* available_kernels<double>(int* count) {
  *count = table().count;
  return table().doubles;
}

template <typename T>
const Kernels<T>& kernels() {
  static const Kernels<T>& best = []() -> const Kernels<T>& {
    int count = 0;
    const Kernels<T>* const* found = available_kernels<T>(&count);
    return wanted(found, count);
  }();
  return best;
}

template const Kernels<float>& kernels<float>();
template const Kernels<double>& kernels<double>();

const Bf16Kernels* bf16_kernels() {
#if defined(__x86_64__) && !defined(__clang__)
  // By name, an instruction set without bfloat16 was asked for.
  const bool best = std::strcmp(kernels<float>().name, "avx512") == 0;
  if (best && __builtin_cpu_supports("avx512bf16")) return &avx512_bf16::kKernels;
#endif
  return nullptr;
}

}  // namespace mbpo
