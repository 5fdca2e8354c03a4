#include "parallel.h"

#include "mbpo/pool.h"
#include "tensors.h"

namespace mbpo {

Parallel torch_parallel() {
  return {[](int64_t tasks, Parallel::Body body, void* context) {
    share_out(tasks, static_cast<int>(torch::stable::get_num_threads()), body, context);
  }};
}

}  // namespace mbpo
