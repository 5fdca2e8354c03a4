// The one inner loop: a block of rows times a panel of columns, its sums in registers.
//
//   C[j][c] = sum_k s[j, k] * v[k][c]        j < NR rows, c < MV vectors of columns
//
// s is read one number at a time and broadcast, so its strides are free and it is never packed;
// v is read in whole vectors. Forward (s = W transposed, v = a tile of activations), the gradient
// of the input (s = W, v = a tile of dL/dz) and of the weights (s = activations, v = rows of dL/dz)
// differ only in strides and in what is done with a finished sum, its sink. A sink takes one row
// at a time, or two, of which the first is even.
#pragma once

namespace mbpo::MBPO_ISA {

// sum += factor * columns, lane by lane; pairs of bfloat16 have one of their own.
template <typename T>
struct Multiply {
  using Sum = Vec<T>;
  static constexpr T kOne = 1;
  static MBPO_INLINE void add(Sum& sum, Vec<T> factor, Vec<T> columns) { sum += factor * columns; }
};

template <typename T>
struct Operands {
  const T* s;
  int64_t s_depth;  // stride of s along k; that along j is apart, as Stride
  const T* v;
  int64_t v_depth;  // stride of v along k; v is aligned and its columns are dense
  int64_t depth;
  // A sum may go over several parts, each `depth` long and so far from the one before.
  int64_t parts = 1, s_part = 0, v_part = 0;
};

// Stride is an integer, or a std::integral_constant where the compiler may know it.
template <int NR, int MV, typename T, typename Stride, typename Sink>
MBPO_INLINE void product_block(const Operands<T>& in, Stride s_row, int64_t first,
                               const Sink& sink) {
  typename Multiply<T>::Sum sums[NR][MV] = {};
  for (int64_t part = 0; part < in.parts; ++part) {
    const T* v = in.v + part * in.v_part;
    const T* s = in.s + first * s_row + part * in.s_part;
    if (part + 1 < in.parts) {
#pragma GCC unroll 16
      for (int j = 0; j < NR; ++j) {
        __builtin_prefetch(s + in.s_part + j * s_row);
        __builtin_prefetch(s + in.s_part + j * s_row + 64 / sizeof(T));
      }
    }
    for (int64_t k = 0; k < in.depth; ++k) {
      Vec<T> columns[MV];
#pragma GCC unroll 4
      for (int m = 0; m < MV; ++m) columns[m] = load(v + m * kLanes<T>);
      if constexpr (Sink::kStreams) {
        __builtin_prefetch(v + in.v_part);
        __builtin_prefetch(v + in.v_part + kLanes<T>);
      }
#pragma GCC unroll 16
      for (int j = 0; j < NR; ++j) {
        const Vec<T> factor = broadcast(s[j * s_row]);
#pragma GCC unroll 4
        for (int m = 0; m < MV; ++m) Multiply<T>::add(sums[j][m], factor, columns[m]);
      }
      s += in.s_depth;
      v += in.v_depth;
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < NR; j += Sink::kTakes) {
#pragma GCC unroll 4
    for (int m = 0; m < MV; ++m) {
      if constexpr (Sink::kTakes == 2) {
        sink(first + j, m * kLanes<T>, sums[j][m], sums[j + 1][m]);
      } else {
        sink(first + j, m * kLanes<T>, sums[j][m]);
      }
    }
  }
}

// Rows [begin, end) in blocks of MBPO_ROWS, then 8, 4, 2 and 1.
template <int MV, typename T, typename Stride, typename Sink>
MBPO_INLINE void product_rows(const Operands<T>& in, Stride s_row, int64_t begin, int64_t end,
                              const Sink& sink) {
  int64_t j = begin;
  for (; j + MBPO_ROWS <= end; j += MBPO_ROWS) product_block<MBPO_ROWS, MV>(in, s_row, j, sink);
  if constexpr (MBPO_ROWS > 8) {
    for (; j + 8 <= end; j += 8) product_block<8, MV>(in, s_row, j, sink);
  }
  for (; j + 4 <= end; j += 4) product_block<4, MV>(in, s_row, j, sink);
  for (; j + 2 <= end; j += 2) product_block<2, MV>(in, s_row, j, sink);
  if constexpr (Sink::kTakes == 1) {
    for (; j < end; ++j) product_block<1, MV>(in, s_row, j, sink);
  }
}

}  // namespace mbpo::MBPO_ISA
