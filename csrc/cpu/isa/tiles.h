// Between rows and tiles.
#pragma once

namespace mbpo::MBPO_ISA {

template <typename T>
void gather(const Rows<const T>& rows, int64_t width, T* tile) {
  for (int64_t r = 0; r < rows.count; ++r) {
    const T* row = rows.data + (rows.index ? rows.index[r] : r) * rows.row_stride;
    for (int64_t f = 0; f < width; ++f) tile[f * kTileRows + r] = row[f * rows.column_stride];
  }
  if (rows.count == kTileRows) return;
  for (int64_t f = 0; f < width; ++f) {
    for (int64_t r = rows.count; r < kTileRows; ++r) tile[f * kTileRows + r] = T(0);
  }
}

template <typename T>
void scatter(const T* tile, int64_t width, const Rows<T>& rows) {
  for (int64_t r = 0; r < rows.count; ++r) {
    T* row = rows.data + (rows.index ? rows.index[r] : r) * rows.row_stride;
    for (int64_t f = 0; f < width; ++f) row[f * rows.column_stride] = tile[f * kTileRows + r];
  }
}

// Lane l of the pair (a, b) goes where bit `step` of l and the choice of a or b trade places; done
// for every power of two, that transposes a square of kLanes vectors.
template <typename T, int64_t Step, bool High>
MBPO_INLINE Vec<T> trade(Vec<T> a, Vec<T> b) {
  using I = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  typedef I Index __attribute__((vector_size(MBPO_BYTES)));
  Index index = {};
#pragma GCC unroll 16
  for (int64_t l = 0; l < kLanes<T>; ++l) {
    const bool second = l & Step;
    index[l] = static_cast<I>(High ? (second ? kLanes<T> + l : l + Step)
                                   : (second ? kLanes<T> + l - Step : l));
  }
#if defined(__clang__)
  Vec<T> out = {};
  for (int64_t l = 0; l < kLanes<T>; ++l) {
    out[l] = index[l] < kLanes<T> ? a[index[l]] : b[index[l] - kLanes<T>];
  }
  return out;
#else
  return __builtin_shuffle(a, b, index);
#endif
}

template <typename T, int64_t Step>
MBPO_INLINE void trade_all(Vec<T> (&square)[kLanes<T>]) {
  if constexpr (Step < kLanes<T>) {
#pragma GCC unroll 16
    for (int64_t i = 0; i < kLanes<T>; ++i) {
      if (i & Step) continue;
      const Vec<T> low = trade<T, Step, false>(square[i], square[i + Step]);
      square[i + Step] = trade<T, Step, true>(square[i], square[i + Step]);
      square[i] = low;
    }
    trade_all<T, 2 * Step>(square);
  }
}

template <typename T>
void transpose(const T* tile, int64_t width, T* rows) {
  for (int64_t f = 0; f < padded(width); f += kLanes<T>) {
    for (int64_t r = 0; r < kTileRows; r += kLanes<T>) {
      Vec<T> square[kLanes<T>];
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes<T>; ++i) {
        square[i] = f + i < width ? load(tile + (f + i) * kTileRows + r) : Vec<T>{};
      }
      trade_all<T, 1>(square);
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes<T>; ++i) store(rows + panel_index(r + i, f), square[i]);
    }
  }
}

}  // namespace mbpo::MBPO_ISA
