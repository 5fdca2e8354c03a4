#include <cstdlib>
#include <cstring>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

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
#endif
#if MBPO_BF16
namespace amx_bf16 {
extern const Bf16Kernels kKernels;
}
namespace avx512_bf16 {
extern const Bf16Kernels kKernels;
}
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
template <typename AnyKernels>
const AnyKernels& wanted(const AnyKernels* const* found, int count) {
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

namespace {

#if MBPO_BF16
// Linux gives a process the tile registers only on request: they are 8 KB more to save.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // arch_prctl(2)
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

struct Bf16Table {
  const Bf16Kernels* kernels[2];
  int count = 0;

  Bf16Table() {
#if MBPO_BF16
    int all = 0;
    const bool avx512 = !std::strcmp(available_kernels<float>(&all)[0]->name, "avx512");
    if (!avx512 || !__builtin_cpu_supports("avx512bf16")) return;
    if (__builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
        may_use_tiles()) {
      kernels[count++] = &amx_bf16::kKernels;
    }
    kernels[count++] = &avx512_bf16::kKernels;
#endif
  }
};

}  // namespace

const Bf16Kernels* const* available_bf16_kernels(int* count) {
  static const Bf16Table table;
  *count = table.count;
  return table.kernels;
}

const Bf16Kernels* bf16_kernels() {
  // By name, an instruction set without bfloat16 was asked for.
  if (std::strcmp(kernels<float>().name, "avx512") != 0) return nullptr;
  int count = 0;
  const Bf16Kernels* const* found = available_bf16_kernels(&count);
  return count ? &wanted(found, count) : nullptr;
}

}  // namespace mbpo
