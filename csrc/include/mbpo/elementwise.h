// Everything between two matrix products: bias, activation, head, and their derivatives.
//
// All matrices are row-major and dense. One call works on rows of one member, so its bias is one
// vector. No function allocates; outputs are written in full and never read first.
#pragma once

#include <cstdint>

#include "mbpo/activations.h"

namespace mbpo {

// What a hidden layer leaves for the backward pass: silu keeps z because its derivative needs it;
// the others keep h = act(z), from which the derivative follows and nothing has to be recomputed.
inline bool saves_preactivation(Activation activation) { return activation == Activation::silu; }

// One hidden layer's backward pass over `rows` rows and columns [first, last) of `width`.
template <typename T>
struct HiddenBackward {
  int64_t rows, width, first, last;
  const T* saved;  // [rows, width]
  T* grad;         // [rows, width]: dL/dh in, dL/dz out
  T* h;            // [rows, width] or null: act(z), recomputed where z was saved
  T* dbias;        // [width] or null: the column sums of dL/dz
  // Where the next layer is one wide, dL/dh is the outer product below and is never stored.
  const T* next_weight;  // [width] or null where dL/dh is in grad
  const T* next_grad;    // [rows]
  T* next_dweight;       // [width] or null: the column sums of h * next_grad
};

// The gaussian head: halves of z [rows, 2 * half] become mean and logvar [*, half].
template <typename T>
struct Head {
  int64_t rows, half;
  const T* minimum;      // [half]
  const T* maximum;      // [half]
  const int64_t* order;  // [rows] or null: the destination of each row
};

#define MBPO_DECLARE(T)                                                                           \
  /* z += bias, then h = act(z). h may be z, and is then all that remains. */                     \
  void bias_activation(Activation activation, T* z, const T* bias, T* h, int64_t rows,            \
                       int64_t width);                                                            \
  void hidden_backward(Activation activation, const HiddenBackward<T>& job);                      \
  /* y[r] = h[r] . weight + bias: a layer one wide. */                                            \
  void row_dots(const T* h, const T* weight, T bias, T* y, int64_t rows, int64_t width);          \
  /* sums[j] over the rows, for columns [begin, end). */                                          \
  void column_sums(const T* grad, T* sums, int64_t rows, int64_t width, int64_t begin,            \
                   int64_t end);                                                                  \
  /* z += bias, then mean and logvar from its halves. */                                          \
  void head_forward(const Head<T>& head, T* z, const T* bias, T* mean, T* logvar);                \
  /* dz in full; dminimum and dmaximum [half] are added to. */                                    \
  void head_backward(const Head<T>& head, const T* z, const T* dmean, const T* dlogvar, T* dz,    \
                     double* dminimum, double* dmaximum);

MBPO_DECLARE(float)
MBPO_DECLARE(double)
#undef MBPO_DECLARE

}  // namespace mbpo
