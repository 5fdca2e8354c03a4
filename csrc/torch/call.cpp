#include "call.h"

namespace mbpo {

void check_like(const Tensor& x, const Tensor& other, const char* name) {
  STD_TORCH_CHECK(other.is_cpu() && dtype_of(other) == dtype_of(x), name,
                  " must have the dtype and device of x");
}

Routing route(const Tensor& member, int64_t members) {
  const Tensor ids = dense(member);
  const int64_t* id = data<int64_t>(ids);
  const int64_t rows = ids.size(0);
  Routing routing{std::vector<int64_t>(rows), std::vector<int64_t>(members + 1, 0)};
  for (int64_t r = 0; r < rows; ++r) {
    STD_TORCH_CHECK(id[r] >= 0 && id[r] < members, "member must lie in [0, ", members, "), got ",
                    id[r]);
    ++routing.offsets[id[r] + 1];
  }
  for (int64_t e = 0; e < members; ++e) routing.offsets[e + 1] += routing.offsets[e];
  std::vector<int64_t> next(routing.offsets.begin(), routing.offsets.end() - 1);
  for (int64_t r = 0; r < rows; ++r) routing.order[next[id[r]]++] = r;
  return routing;
}

}  // namespace mbpo
