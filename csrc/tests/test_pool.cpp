// Threads that share out tasks: each is taken once, and none waits for a thread that is not there.
#include "mbpo/pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cfenv>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.h"

using namespace mbpo;
using namespace mbpo::check;

namespace {

template <typename F>
void share(int64_t tasks, int threads, const F& f) {
  const Parallel::Body body = [](void* context, int64_t first, int64_t last) {
    for (int64_t task = first; task < last; ++task) (*static_cast<const F*>(context))(task);
  };
  share_out(tasks, threads, body, const_cast<F*>(&f));
}

void expect_each_once(int64_t tasks, int threads) {
  std::vector<std::atomic<int>> taken(tasks);
  share(tasks, threads, [&](int64_t task) { ++taken[task]; });
  for (const std::atomic<int>& times : taken) expect(times == 1, "a task, times", times, 1);
}

void test_each_task_is_taken_once() {
  for (int threads : {1, 2, 3, 8}) {
    for (int64_t tasks : {1, 2, 3, 101, 65535, 65536, 200000}) expect_each_once(tasks, threads);
  }
  expect_each_once(1000, 300);
}

void test_calls_follow_each_other() {
  for (int number = 0; number < 20000; ++number) {
    std::atomic<int64_t> sum{0};
    const int64_t tasks = 1 + number % 7;
    share(tasks, 1 + number % 4, [&](int64_t task) { sum += task + 1; });
    expect(sum == tasks * (tasks + 1) / 2, "sum of a call", sum, tasks);
  }
}

// One task ends only after all others: whoever is free takes those of the thread that holds it.
void test_a_thread_that_is_held_up_holds_up_no_other() {
  for (int64_t held : {0, 17, 63}) {
    constexpr int64_t kTasks = 64;
    std::atomic<int64_t> ended{0};
    share(kTasks, 2, [&](int64_t task) {
      while (task == held && ended < kTasks - 1) std::this_thread::yield();
      ++ended;
    });
    expect(ended == kTasks, "tasks", ended, kTasks);
  }
}

void test_what_a_task_throws_is_thrown_after_all_have_ended() {
  for (int64_t bad : {0, 50, 99}) {
    std::atomic<int64_t> ended{0};
    bool thrown = false;
    try {
      share(100, 2, [&](int64_t task) {
        ++ended;
        if (task == bad) throw std::runtime_error("bad");
      });
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    expect(thrown && ended == 100, "tasks beside one that throws", ended, 100);
  }
  expect_each_once(100, 2);
}

void test_calls_within_calls_and_beside_calls() {
  std::atomic<int64_t> sum{0};
  const auto call = [&] {
    for (int number = 0; number < 200; ++number) {
      share(10, 3, [&](int64_t) { share(10, 3, [&](int64_t) { ++sum; }); });
    }
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) callers.emplace_back(call);
  for (std::thread& caller : callers) caller.join();
  expect(sum == 4 * 200 * 100, "tasks of nested calls", sum, 4 * 200 * 100);
}

void test_a_fork_has_threads_of_its_own() {
  expect_each_once(100, 2);
  const pid_t child = fork();
  if (child == 0) {  // may only end: what it has to say is its status
    std::atomic<int64_t> ended{0};
    share(100, 2, [&](int64_t) { ++ended; });
    _exit(ended == 100 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  expect(status == 0, "status of a fork", status, 0);
}

void test_every_thread_rounds_as_the_caller() {
  for (int way : {FE_UPWARD, FE_TONEAREST}) {
    std::fesetround(way);
    std::atomic<int> others{0};
    share(1000, 4, [&](int64_t) { others += std::fegetround() != way; });
    std::fesetround(FE_TONEAREST);
    expect(others == 0, "tasks rounded in another way", others, 0);
  }
}

}  // namespace

int main() {
  test_each_task_is_taken_once();
  test_calls_follow_each_other();
  test_a_thread_that_is_held_up_holds_up_no_other();
  test_what_a_task_throws_is_thrown_after_all_have_ended();
  test_calls_within_calls_and_beside_calls();
  test_a_fork_has_threads_of_its_own();
  test_every_thread_rounds_as_the_caller();
  return finish();
}
