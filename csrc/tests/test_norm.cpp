// A layer's norm on one tile, forward and backward, against the textbook's in double, row by row.
#include "check.h"

using namespace mbpo;
using namespace mbpo::check;

namespace {

constexpr int64_t kWidths[] = {1, 2, 3, 7, 13, 16, 17, 32, 33, 200, 256};
constexpr int64_t kCounts[] = {1, 15, 16, 17, 31, 32};

// One layer with its tile z [J][kTileRows] and dL/dout of the same shape.
template <typename T>
struct Case {
  int64_t width;
  Buffer<T> gain, shift, z, dout;

  Case(int64_t features, double mean, double spread)
      : width(features),
        gain(width, 1),
        shift(width, 3),
        z(width * kTileRows),
        dout(width * kTileRows) {
    gain.waves(1, 1.5);
    shift.waves(2, 0.5);
    z.waves(3, spread);
    dout.waves(4);
    for (int64_t i = 0; i < z.size(); ++i) z[i] += static_cast<T>(mean);
  }

  std::vector<double> row(Buffer<T>& tile, int64_t r) const {
    std::vector<double> result(width);
    for (int64_t j = 0; j < width; ++j) result[j] = tile[j * kTileRows + r];
    return result;
  }
};

// Rows past `count` are NaN on the way in, and may be anything on the way out.
template <typename T>
void test_forward(const Kernels<T>& kernels, Case<T>& c, int64_t count, Activation activation,
                  bool keep, double near) {
  Buffer<T> z(c.z.size()), out(c.z.size()), scale(kTileRows);
  for (int64_t i = 0; i < z.size(); ++i) {
    z[i] = i % kTileRows < count ? c.z[i] : static_cast<T>(kNaN);
  }
  T* const to = keep ? out.data() : z.data();
  kernels.normalise({c.width, c.gain.data(), c.shift.data(), z.data(), to,
                     keep ? scale.data() : nullptr, activation, count});
  for (int64_t r = 0; r < count; ++r) {
    const NormalisedRow want(c.row(c.z, r));
    if (keep) expect_near("scale", scale[r], want.scale, near * want.scale);
    for (int64_t j = 0; j < c.width; ++j) {
      const int64_t at = j * kTileRows + r;
      if (keep) expect_near("x", z[at], want.x[j], near * (1 + std::abs(want.x[j])));
      const double h = activate(activation, want.x[j] * c.gain[j] + c.shift[j]);
      expect_near("h", to[at], h, near * 4 * (1 + std::abs(want.x[j])));
    }
  }
}

template <typename T>
void test_backward(const Kernels<T>& kernels, Case<T>& c, Activation activation, double near) {
  Buffer<T> x(c.z.size()), h(c.z.size()), scale(kTileRows), dz(c.z.size()), bare(c.z.size()),
      sums(2 * padded(c.width));
  std::copy_n(c.z.data(), c.z.size(), x.data());
  kernels.normalise({c.width, c.gain.data(), c.shift.data(), x.data(), h.data(), scale.data(),
                     activation, kTileRows});
  for (T* to : {dz.data(), bare.data()}) std::copy_n(c.dout.data(), c.dout.size(), to);
  const NormBackward<T> job{c.width,      c.gain.data(), c.shift.data(), x.data(),
                            scale.data(), dz.data(),     sums.data(),    activation};
  kernels.normalise_backward(job);
  NormBackward<T> without = job;
  without.dz = bare.data();
  without.sums = nullptr;
  kernels.normalise_backward(without);
  std::vector<double> to_gain(c.width), to_shift(c.width);
  for (int64_t r = 0; r < kTileRows; ++r) {
    const NormalisedRow normal(c.row(c.z, r));
    std::vector<double> dx(c.width);
    for (int64_t j = 0; j < c.width; ++j) {
      // Where a ReLU's kink is too near to tell its side, the kernels' own.
      double y = normal.x[j] * c.gain[j] + c.shift[j];
      if (std::abs(y) < 1e-3) y = double(x[j * kTileRows + r]) * c.gain[j] + c.shift[j];
      const double dy = c.dout[j * kTileRows + r] * slope(activation, y);
      to_gain[j] += dy * normal.x[j];
      to_shift[j] += dy;
      dx[j] = dy * c.gain[j];
    }
    const std::vector<double> want = normal.backward(dx);
    for (int64_t j = 0; j < c.width; ++j) {
      const T got = dz[j * kTileRows + r];
      expect_near("dz", got, want[j], near * normal.scale * 8);
      expect(got == bare[j * kTileRows + r], "dz where no sums are wanted");
    }
  }
  for (int64_t j = 0; j < c.width; ++j) {
    expect_near("dgain", sums[j], to_gain[j], 64 * near);
    expect_near("dshift", sums[padded(c.width) + j], to_shift[j], 64 * near);
  }
}

// A mean far beyond the spread must not hide the variance.
template <typename T>
void test_far_mean(const Kernels<T>& kernels) {
  Case<T> c(33, 1000, 1);
  const double near = sizeof(T) == 4 ? 1e-3 : 1e-11;
  test_forward(kernels, c, kTileRows, Activation::identity, true, near);
  test_backward(kernels, c, Activation::identity, near);
}

// One feature has no variance: nothing of z comes through, and no gradient goes back, to the bit.
template <typename T>
void test_one_feature(const Kernels<T>& kernels) {
  Case<T> c(1, 5, 3);
  Buffer<T> x(kTileRows), h(kTileRows), scale(kTileRows), sums(2 * padded(1));
  std::copy_n(c.z.data(), kTileRows, x.data());
  kernels.normalise({1, c.gain.data(), c.shift.data(), x.data(), h.data(), scale.data(),
                     Activation::identity, kTileRows});
  kernels.normalise_backward({1, c.gain.data(), c.shift.data(), x.data(), scale.data(),
                              c.dout.data(), sums.data(), Activation::identity});
  for (int64_t r = 0; r < kTileRows; ++r) {
    expect(x[r] == 0 && h[r] == c.shift[0], "h of one feature", h[r], c.shift[0]);
    expect(c.dout[r] == 0, "dz of one feature", c.dout[r], 0);
  }
}

// A variance beyond float leaves x 0, as torch's does; a row with NaN is NaN and spoils no other.
void test_huge(const Kernels<float>& kernels) {
  Case<float> c(20, 0, 1e30), clean(20, 0, 2);
  Buffer<float> x(c.z.size()), h(c.z.size()), scale(kTileRows);
  for (int64_t i = 0; i < x.size(); ++i) x[i] = i % kTileRows == 3 ? c.z[i] : clean.z[i];
  x[7 * kTileRows + 5] = static_cast<float>(kNaN);
  kernels.normalise({20, c.gain.data(), c.shift.data(), x.data(), h.data(), scale.data(),
                     Activation::relu, kTileRows});
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t row = i % kTileRows;
    if (row == 3) expect(x[i] == 0, "x of a huge row", x[i], 0);
    if (row == 5) expect(std::isnan(h[i]), "h of a row with NaN", h[i], kNaN);
    if (row != 3 && row != 5) {
      const double want = NormalisedRow(c.row(clean.z, row)).x[i / kTileRows];
      expect_near("x beside such rows", x[i], want, 1e-5);
    }
  }
}

}  // namespace

int main() {
  each_kernels([](const auto& kernels) {
    using T = std::decay_t<decltype(kernels.largest(nullptr, 0))>;
    const double near = sizeof(T) == 4 ? 4e-6 : 1e-13;
    for (const int64_t width : kWidths) {
      Case<T> c(width, 0.3, 2);
      for (const Activation activation : kActivations) {
        for (const int64_t count : kCounts) {
          for (const bool keep : {false, true}) {
            test_forward(kernels, c, count, activation, keep, near);
          }
        }
        test_backward(kernels, c, activation, near);
      }
    }
    test_far_mean(kernels);
    test_one_feature(kernels);
  });
  each_kernels_of<float>("float", test_huge);
  return finish();
}
