// All that the kernels include, before any instruction set is switched on: inline functions of the
// standard library must not be compiled for a processor that may not be there.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "mbpo/kernels.h"
