// Rows to tiles and back, and where things lie: tiles, records, pieces of the gradient.
#include <cstring>

#include "check.h"
#include "mbpo/network.h"

using namespace mbpo;
using namespace mbpo::check;

namespace {

constexpr int64_t kRowsToTry[] = {0, 1, 15, 16, 17, 31, 32};
constexpr int64_t kWidths[] = {1, 2, 3, 7, 13, 16, 17, 200, 256};

// Rows lie every other column apart, in an order of their own where `indexed`.
template <typename T>
void test_gather_scatter(const Kernels<T>& kernels, int64_t width, int64_t count, bool indexed) {
  const int64_t row_stride = 2 * width + 3, rows = kTileRows + 5;
  std::vector<int64_t> index;
  for (int64_t r = 0; r < count; ++r) index.push_back((r * 7 + 3) % rows);
  const auto place = [&](int64_t r, int64_t f) {
    return (indexed ? index[r] : r) * row_stride + 2 * f;
  };
  Buffer<T> from(rows * row_stride), tile(width * kTileRows), to(rows * row_stride);
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t f = 0; f < width; ++f) from[place(r, f)] = static_cast<T>(wave(r, f));
  }
  const int64_t* order = indexed ? index.data() : nullptr;
  kernels.gather({from.data(), row_stride, 2, order, count}, width, tile.data());
  for (int64_t f = 0; f < width; ++f) {
    for (int64_t r = 0; r < kTileRows; ++r) {
      const double want = r < count ? static_cast<T>(wave(r, f)) : 0;
      expect_near("gathered", tile[f * kTileRows + r], want, 0);
      if (r >= count) tile[f * kTileRows + r] = T(99);
    }
  }
  kernels.scatter(tile.data(), width, {to.data(), row_stride, 2, order, count});
  bool same = true;  // NaN where no row lies, in both
  for (int64_t i = 0; i < from.size(); ++i) same = same && near(to[i], from[i], 0);
  expect(same, "scattered rows, and nothing beside them");
}

template <typename T>
void test_transpose(const Kernels<T>& kernels, int64_t width) {
  Buffer<T> tile(width * kTileRows), rows(kTileRows * padded(width));
  tile.waves(2);
  kernels.transpose(tile.data(), width, rows.data());
  for (int64_t r = 0; r < kTileRows; ++r) {
    for (int64_t f = 0; f < padded(width); ++f) {
      const double want = f < width ? tile[f * kTileRows + r] : T(0);
      expect_near("transposed", rows[panel_index(r, f)], want, 0);
    }
  }
}

void test_make_tiles() {
  for (const int64_t rows : {0, 1, 31, 32, 33, 64, 65}) {
    const std::vector<Tile> tiles = make_tiles(3, rows);
    const std::vector<int64_t> offsets = tile_offsets(tiles, 3);
    expect(offsets.size() == 4 && offsets[3] == static_cast<int64_t>(tiles.size()), "offsets");
    for (int64_t e = 0; e < 3; ++e) {
      int64_t next = 0;
      for (int64_t t = offsets[e]; t < offsets[e + 1]; ++t) {
        expect(tiles[t].member == e && tiles[t].first == next, "tiles in order");
        expect(tiles[t].count > 0 && tiles[t].count <= kTileRows, "rows of a tile");
        next += tiles[t].count;
      }
      expect(next == rows, "every row in one tile", static_cast<double>(next));
    }
  }
}

template <typename T>
Network<T> shape(Activation activation, std::vector<int64_t> widths) {
  return {2, std::move(widths), {}, {}, activation};
}

// Nothing that must stay shares memory, and all that is there begins on a cache line.
void test_record(Activation activation, bool keep) {
  const Network<float> network = shape<float>(activation, {5, 7, 13, 1, 6});
  const Record record = Record::of(network, keep);
  std::vector<std::pair<int64_t, int64_t>> spans = {{record.input, 5}, {record.output, 6}};
  expect(record.hidden.size() == 3, "a place for every hidden layer");
  for (size_t l = 0; l < record.hidden.size(); ++l) {
    if (keep || l > 0) spans.push_back({record.hidden[l], network.widths[l + 1]});
    if (!keep) spans.resize(3);  // layers take turns: only neighbours must be apart
  }
  const size_t slopes = keep && keeps_slope(activation) ? 3 : 0;
  expect(record.slope.size() == slopes, "slopes where the activation keeps them");
  for (size_t l = 0; l < record.slope.size(); ++l) {
    spans.push_back({record.slope[l], network.widths[l + 1]});
  }
  for (size_t a = 0; a < spans.size(); ++a) {
    expect(spans[a].first * sizeof(float) % 64 == 0, "aligned");
    expect(spans[a].first + spans[a].second * kTileRows <= record.size, "inside the record");
    for (size_t b = 0; b < a; ++b) {
      const bool apart = spans[a].first + spans[a].second * kTileRows <= spans[b].first ||
                         spans[b].first + spans[b].second * kTileRows <= spans[a].first;
      expect(apart, "places apart");
    }
  }
  if (!keep) {
    for (size_t l = 1; l < record.hidden.size(); ++l) {
      expect(record.hidden[l] != record.hidden[l - 1], "a layer's input and output apart");
    }
  }
}

void test_gradient_tasks() {
  const Network<double> network = shape<double>(Activation::relu, {200, 24, 25, 1});
  std::vector<std::vector<int>> seen;
  for (int64_t l = 0; l < network.layers(); ++l) {
    seen.push_back(std::vector<int>(2 * network.widths[l]));
  }
  for (const GradientTask& task : gradient_tasks(network)) {
    for (int64_t i = task.first; i < task.last; ++i) {
      ++seen[task.layer][task.member * network.widths[task.layer] + i];
    }
  }
  for (const std::vector<int>& rows : seen) {
    for (const int times : rows) expect(times == 1, "every row of every weight once", times, 1);
  }
}

void test_workspace() {
  for (const int64_t count : {0, 1, 15, 1000, 7}) {
    float* memory = workspace<float>(Slot::scratch, count);
    expect(reinterpret_cast<uintptr_t>(memory) % 64 == 0, "workspace aligned");
    std::fill_n(memory, count, 3.0f);
  }
  double* one = workspace<double>(Slot::shared, 8);
  double* other = workspace<double>(Slot::scratch, 8);
  expect(one != other, "slots apart");
}

}  // namespace

int main() {
  each_kernels([](const auto& kernels) {
    for (const int64_t width : kWidths) {
      test_transpose(kernels, width);
      for (const int64_t count : kRowsToTry) {
        test_gather_scatter(kernels, width, count, false);
        test_gather_scatter(kernels, width, count, true);
      }
    }
  });
  test_make_tiles();
  for (const Activation activation : kActivations) {
    test_record(activation, false);
    test_record(activation, true);
  }
  test_gradient_tasks();
  test_workspace();
  return finish();
}
