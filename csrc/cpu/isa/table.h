// The table of one instruction set's kernels. Needs MBPO_ISA, MBPO_BYTES and MBPO_ROWS.
#pragma once

#include "simd.h"
// simd.h first: the others stand on it.
#include "heads.h"
#include "product.h"
// product.h before layers.h, which calls it.
#include "layers.h"
#include "tiles.h"
// tiles.h before norm.h, which trades lanes.
#include "norm.h"

#define MBPO_TEXT_(x) #x
#define MBPO_TEXT(x) MBPO_TEXT_(x)

namespace mbpo::MBPO_ISA {

template <typename T>
constexpr Kernels<T> kTable{MBPO_TEXT(MBPO_ISA),
                            gather<T>,
                            scatter<T>,
                            transpose<T>,
                            forward<T>,
                            backward<T>,
                            weight_gradient<T, T>,
                            normalise<T>,
                            normalise_backward<T>,
                            adam<T>,
                            follow<T>,
                            largest<T>,
                            head<T>,
                            head_backward<T>,
                            nll<T>,
                            sample<T>,
                            sample_backward<T>};

extern const Kernels<float> kFloat = kTable<float>;
extern const Kernels<double> kDouble = kTable<double>;

}  // namespace mbpo::MBPO_ISA
