// Threads of the op's own, which share out tasks so that one that lost its core seldom holds up the
// others.
#pragma once

#include "mbpo/network.h"

namespace mbpo {

// Run body(context, first, last) over all of [0, tasks), on this thread and up to threads - 1
// others; which thread takes a task is left to chance. Each begins with neighbours of its own,
// those of the call before where the tasks are as many, and then helps the others; this thread
// waits for nothing but tasks in the middle of which another is. What a body throws is thrown here,
// after all have ended. A call from within a body, or while another thread calls, is run by its
// caller alone.
void share_out(int64_t tasks, int threads, Parallel::Body body, void* context);

}  // namespace mbpo
