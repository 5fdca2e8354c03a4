// Where torch's number of threads meets the op's own threads.
#pragma once

#include "mbpo/network.h"

namespace mbpo {

// As many threads as torch is told to use.
Parallel torch_parallel();

}  // namespace mbpo
