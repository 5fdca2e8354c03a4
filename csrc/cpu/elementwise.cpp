#include "mbpo/elementwise.h"

// One build runs on any x86-64: the loader picks the clone that the processor can run. Sanitizers
// are not ready when the loader resolves clones, so sanitized builds go without.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(MBPO_SANITIZED)
#define MBPO_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MBPO_CLONES
#endif

namespace mbpo {
namespace {

constexpr int64_t kColumns = 64;  // partial sums that stay in registers and first-level cache
constexpr int64_t kRows = 128;    // rows summed in T before they join the total: bounds rounding

template <Activation A, typename T>
MBPO_INLINE void bias_activation_loop(T* z, const T* bias, T* h, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r, z += width, h += width) {
    if (h == z) {
#pragma GCC ivdep
      for (int64_t j = 0; j < width; ++j) z[j] = activate<A>(z[j] + bias[j]);
    } else {
#pragma GCC ivdep
      for (int64_t j = 0; j < width; ++j) {
        const T pre = z[j] + bias[j];
        z[j] = pre;
        h[j] = activate<A>(pre);
      }
    }
  }
}

template <typename T>
MBPO_INLINE void bias_activation_any(Activation activation, T* z, const T* bias, T* h,
                                     int64_t rows, int64_t width) {
  switch (activation) {
    case Activation::relu: return bias_activation_loop<Activation::relu>(z, bias, h, rows, width);
    case Activation::tanh: return bias_activation_loop<Activation::tanh>(z, bias, h, rows, width);
    case Activation::silu: return bias_activation_loop<Activation::silu>(z, bias, h, rows, width);
    case Activation::identity:
      return bias_activation_loop<Activation::identity>(z, bias, h, rows, width);
  }
}

// Return act'(z) from what the layer saved, and act(z) through h.
template <Activation A, typename T>
MBPO_INLINE T derivative(T saved, T& h) {
  if constexpr (A == Activation::silu) {
    const T s = sigmoid(saved);
    h = saved * s;
    return s + h * (T(1) - s);
  }
  h = saved;
  if constexpr (A == Activation::tanh) return T(1) - saved * saved;
  return T(1);
}

// Columns [first, last) of rows [begin, end), with the sums of this block of rows in locals.
template <Activation A, bool Outer, bool Recompute, typename T>
MBPO_INLINE void hidden_backward_block(const HiddenBackward<T>& job, int64_t first, int64_t count,
                                       int64_t begin, int64_t end, T* dbias, T* dweight) {
  for (int64_t r = begin; r < end; ++r) {
    const T* saved = job.saved + r * job.width + first;
    T* grad = job.grad + r * job.width + first;
    T* out = Recompute ? job.h + r * job.width + first : nullptr;
    const T outer = Outer ? job.next_grad[r] : T(0);
    const T* weight = Outer ? job.next_weight + first : nullptr;
#pragma GCC ivdep
    for (int64_t j = 0; j < count; ++j) {
      T h;
      const T slope = derivative<A>(saved[j], h);
      const T dh = Outer ? outer * weight[j] : grad[j];
      // A select, not a product: an infinite gradient times a closed relu is zero.
      const T dz = A == Activation::relu ? (h <= T(0) ? T(0) : dh) : dh * slope;
      grad[j] = dz;
      dbias[j] += dz;
      if (Outer) dweight[j] += outer * h;
      if (Recompute) out[j] = h;
    }
  }
}

template <Activation A, bool Outer, bool Recompute, typename T>
MBPO_INLINE void hidden_backward_loop(const HiddenBackward<T>& job) {
  for (int64_t first = job.first; first < job.last; first += kColumns) {
    const int64_t count = job.last - first < kColumns ? job.last - first : kColumns;
    T total_bias[kColumns] = {}, total_weight[kColumns] = {};
    for (int64_t begin = 0; begin < job.rows; begin += kRows) {
      const int64_t end = job.rows - begin < kRows ? job.rows : begin + kRows;
      T dbias[kColumns] = {}, dweight[kColumns] = {};
      hidden_backward_block<A, Outer, Recompute>(job, first, count, begin, end, dbias, dweight);
      for (int64_t j = 0; j < kColumns; ++j) {
        total_bias[j] += dbias[j];
        total_weight[j] += dweight[j];
      }
    }
    for (int64_t j = 0; j < count; ++j) {
      if (job.dbias) job.dbias[first + j] = total_bias[j];
      if (Outer && job.next_dweight) job.next_dweight[first + j] = total_weight[j];
    }
  }
}

template <Activation A, typename T>
MBPO_INLINE void hidden_backward_of(const HiddenBackward<T>& job) {
  // Only a saved z has anything to recompute.
  constexpr bool kCan = A == Activation::silu;
  if (job.next_weight) {
    if (kCan && job.h) return hidden_backward_loop<A, true, kCan>(job);
    return hidden_backward_loop<A, true, false>(job);
  }
  if (kCan && job.h) return hidden_backward_loop<A, false, kCan>(job);
  return hidden_backward_loop<A, false, false>(job);
}

template <typename T>
MBPO_INLINE void hidden_backward_any(Activation activation, const HiddenBackward<T>& job) {
  switch (activation) {
    case Activation::relu: return hidden_backward_of<Activation::relu>(job);
    case Activation::tanh: return hidden_backward_of<Activation::tanh>(job);
    case Activation::silu: return hidden_backward_of<Activation::silu>(job);
    case Activation::identity: return hidden_backward_of<Activation::identity>(job);
  }
}

template <typename T>
MBPO_INLINE void row_dots_any(const T* h, const T* weight, T bias, T* y, int64_t rows,
                              int64_t width) {
  constexpr int64_t kLanes = 32;  // fixed lanes: the sum's order is the same on every processor
  for (int64_t r = 0; r < rows; ++r, h += width) {
    T lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= width; i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) lanes[k] += h[i + k] * weight[i + k];
    }
    T sum = T(0);
    for (; i < width; ++i) sum += h[i] * weight[i];
    for (int64_t k = 0; k < kLanes; ++k) sum += lanes[k];
    y[r] = sum + bias;
  }
}

template <typename T>
MBPO_INLINE void column_sums_any(const T* grad, T* sums, int64_t rows, int64_t width,
                                 int64_t begin_column, int64_t end_column) {
  for (int64_t first = begin_column; first < end_column; first += kColumns) {
    const int64_t count = end_column - first < kColumns ? end_column - first : kColumns;
    T total[kColumns] = {};
    for (int64_t begin = 0; begin < rows; begin += kRows) {
      const int64_t end = rows - begin < kRows ? rows : begin + kRows;
      T part[kColumns] = {};
      for (int64_t r = begin; r < end; ++r) {
        const T* row = grad + r * width + first;
        for (int64_t j = 0; j < count; ++j) part[j] += row[j];
      }
      for (int64_t j = 0; j < kColumns; ++j) total[j] += part[j];
    }
    for (int64_t j = 0; j < count; ++j) sums[first + j] = total[j];
  }
}

template <typename T>
MBPO_INLINE void head_forward_any(const Head<T>& head, T* z, const T* bias, T* mean, T* logvar) {
  const int64_t half = head.half;
  for (int64_t r = 0; r < head.rows; ++r, z += 2 * half) {
    const int64_t row = head.order ? head.order[r] : r;
    T* m = mean + row * half;
    T* v = logvar + row * half;
#pragma GCC ivdep
    for (int64_t j = 0; j < half; ++j) {
      z[j] += bias[j];
      m[j] = z[j];
      const T raw = z[half + j] + bias[half + j];
      z[half + j] = raw;
      const T upper = head.maximum[j] - softplus(head.maximum[j] - raw);
      const T both = head.minimum[j] + softplus(upper - head.minimum[j]);
      v[j] = both > head.maximum[j] ? head.maximum[j] : both;
    }
  }
}

template <typename T>
MBPO_INLINE void head_backward_any(const Head<T>& head, const T* z, const T* dmean,
                                   const T* dlogvar, T* dz, double* dminimum, double* dmaximum) {
  const int64_t half = head.half;
  for (int64_t r = 0; r < head.rows; ++r, z += 2 * half, dz += 2 * half) {
    const int64_t row = head.order ? head.order[r] : r;
    const T* gm = dmean + row * half;
    const T* gv = dlogvar + row * half;
#pragma GCC ivdep
    for (int64_t j = 0; j < half; ++j) {
      const T low = head.minimum[j], high = head.maximum[j], raw = z[half + j];
      const T upper = high - softplus(high - raw);
      const bool clamped = low + softplus(upper - low) > high;
      const T through = clamped ? T(0) : gv[j] * sigmoid(upper - low);
      dz[j] = gm[j];
      dz[half + j] = through * sigmoid(high - raw);
      dmaximum[j] += clamped ? gv[j] : through * sigmoid(raw - high);
      dminimum[j] += clamped ? T(0) : gv[j] * sigmoid(low - upper);
    }
  }
}

}  // namespace

#define MBPO_DEFINE(T)                                                                            \
  MBPO_CLONES void bias_activation(Activation activation, T* z, const T* bias, T* h,              \
                                   int64_t rows, int64_t width) {                                 \
    bias_activation_any(activation, z, bias, h, rows, width);                                     \
  }                                                                                               \
  MBPO_CLONES void hidden_backward(Activation activation, const HiddenBackward<T>& job) {         \
    hidden_backward_any(activation, job);                                                         \
  }                                                                                               \
  MBPO_CLONES void row_dots(const T* h, const T* weight, T bias, T* y, int64_t rows,              \
                            int64_t width) {                                                      \
    row_dots_any(h, weight, bias, y, rows, width);                                                \
  }                                                                                               \
  MBPO_CLONES void column_sums(const T* grad, T* sums, int64_t rows, int64_t width,               \
                               int64_t begin, int64_t end) {                                      \
    column_sums_any(grad, sums, rows, width, begin, end);                                         \
  }                                                                                               \
  MBPO_CLONES void head_forward(const Head<T>& head, T* z, const T* bias, T* mean, T* logvar) {   \
    head_forward_any(head, z, bias, mean, logvar);                                                \
  }                                                                                               \
  MBPO_CLONES void head_backward(const Head<T>& head, const T* z, const T* dmean,                 \
                                 const T* dlogvar, T* dz, double* dminimum, double* dmaximum) {   \
    head_backward_any(head, z, dmean, dlogvar, dz, dminimum, dmaximum);                           \
  }

MBPO_DEFINE(float)
MBPO_DEFINE(double)

}  // namespace mbpo
