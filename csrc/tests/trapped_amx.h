#pragma once

#include "mbpo/bf16.h"

#if MBPO_BF16 && defined(__linux__)
#define MBPO_TRAPS_AMX 1
namespace mbpo {

namespace amx_bf16 {
extern const Bf16Kernels kKernels;
}

namespace check {

// From now on carry out in software the AMX instructions that this processor refuses. One that it
// would not accept where it has them (a register not configured, rows that do not fit) aborts.
void trap_amx();

}  // namespace check
}  // namespace mbpo
#else
#define MBPO_TRAPS_AMX 0
#endif
