// The counting sort by member: stable, for any number of rows and members, and no member beyond.
#include "../../cuda/routing.cuh"
#include "emulated.h"

namespace {

using namespace mbpo;
using namespace mbpo::check;

struct Sorted {
  std::vector<int> offsets, order;
};

Sorted sort(const std::vector<int64_t>& member, int members, Order order) {
  const int rows = static_cast<int>(member.size());
  Sorted result{std::vector<int>(members + 1, -1), std::vector<int>(rows, -1)};
  cuda::SortJob job{member.data(),      rows, members, nullptr, result.offsets.data(),
                    result.order.data()};
  std::vector<int> starts(int64_t(members) * job.blocks(), -1);
  job.starts = starts.data();
  const emu::Launch all = launch(job.blocks(), cuda::kSortBytes, order);
  emu::run(all, [&] { cuda::count_members(job); });
  emu::run(launch(1, cuda::kSortBytes, order), [&] { cuda::find_offsets(job); });
  emu::run(all, [&] { cuda::place_rows(job); });
  return result;
}

void test_sort(int rows, int members, Order order) {
  std::vector<int64_t> member(rows);
  for (int r = 0; r < rows; ++r) member[r] = int64_t(r) * r / 3 % members;
  std::vector<int> want(rows);
  std::iota(want.begin(), want.end(), 0);
  std::stable_sort(want.begin(), want.end(), [&](int a, int b) { return member[a] < member[b]; });
  const Sorted got = sort(member, members, order);
  expect(got.order == want, "order of rows");
  for (int e = 0; e <= members; ++e) {
    const auto below = [e](int64_t m) { return m < e; };
    const auto count = std::count_if(member.begin(), member.end(), below);
    expect(got.offsets[e] == count, "offsets", got.offsets[e], static_cast<double>(count));
  }
}

void test_member_beyond() {
  for (const int64_t bad : {int64_t(-1), int64_t(3), int64_t(1) << 32}) {
    bool trapped = false;
    try {
      sort({0, 1, bad, 2}, 3, Order::ascending);
    } catch (const std::runtime_error&) {
      trapped = true;
    }
    expect(trapped, "a member beyond the last traps");
  }
}

}  // namespace

int main() {
  for (const Order order : kOrders) {
    for (const int rows : {1, 255, 256, 257, 1000}) {
      for (const int members : {1, 7, 300}) test_sort(rows, members, order);
    }
  }
  test_sort(0, 3, Order::ascending);
  test_member_beyond();
  test_without_waits([](Order order) { test_sort(600, 3, order); });
  return finish();
}
