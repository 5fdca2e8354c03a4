// Which rows a block takes, and where the caller keeps them.
#pragma once

#include "network.cuh"

namespace mbpo::cuda {

// Every member has `batch` rows of its own; or `order` lists the rows of member e from offsets[e]
// to offsets[e + 1], as a counting sort by member leaves them.
struct Routing {
  int members, batch;
  const int* offsets;  // [E + 1] or null
  const int* order;    // [N] or null

  __device__ __forceinline__ int64_t begin(int member) const {
    return offsets ? offsets[member] : int64_t(member) * batch;
  }
  // How many blocks find a tile, at most: a member's last one may be partly filled.
  __host__ int64_t most_tiles(int64_t rows, int tile_rows) const {
    const int64_t each = (batch + tile_rows - 1) / tile_rows;
    return offsets ? rows / tile_rows + members : members * each;
  }
};

// The tile of this block, or one of no rows where there is none left.
__device__ __forceinline__ Tile find_tile(const Routing& routing, int tile_rows, int64_t number) {
  for (int e = 0; e < routing.members; ++e) {
    const int64_t begin = routing.begin(e), rows = routing.begin(e + 1) - begin;
    const int64_t tiles = (rows + tile_rows - 1) / tile_rows;
    if (number < tiles) {
      const int64_t left = rows - number * tile_rows;
      return {e, begin + number * tile_rows, static_cast<int>(left < tile_rows ? left : tile_rows)};
    }
    number -= tiles;
  }
  return {0, 0, 0};
}

// A caller's matrix with a row for each of R: [E, B, width] or, routed, [N, width].
template <typename T>
struct Matrix {
  T* data;
  int64_t member_stride, row_stride, column_stride;

  __device__ __forceinline__ T& at(const Routing& routing, const Tile& tile, int row,
                                   int column) const {
    const int64_t place = tile.first + row;
    const int64_t start = routing.order
                              ? routing.order[place] * row_stride
                              : tile.member * member_stride +
                                    (place - int64_t(tile.member) * routing.batch) * row_stride;
    return data[start + column * column_stride];
  }
};

}  // namespace mbpo::cuda
