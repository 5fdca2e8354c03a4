#include "mbpo/pool.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace mbpo {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostThreads = 256;
// So long a thread without work spins; then it sleeps, and whoever waits for a core gets this one.
constexpr std::chrono::microseconds kIdle{10};
// So long the caller spins for the last pieces of others, which are at work on them.
constexpr std::chrono::microseconds kLast{200};
// A thread offers its core so often, with no task in its hands: where others want it, it is taken
// then, and not in the middle of a task for which the rest would wait.
constexpr std::chrono::microseconds kTurn{1000};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spin until `done`, no longer than `most`; return whether it is done.
template <typename F>
bool spin(std::chrono::microseconds most, const F& done) {
  const Clock::time_point end = Clock::now() + most;
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      relax();
    }
  } while (Clock::now() < end);
  return done();
}

// The pieces that one thread begins with: [first, end) of job `number`. Whoever comes with the
// number of another job finds nothing.
class alignas(64) Share {
 public:
  static constexpr int64_t kMost = 0xffff;

  void set(uint32_t number, int64_t first, int64_t end) {
    word_.store(pack(number, static_cast<uint64_t>(first), static_cast<uint64_t>(end)),
                std::memory_order_release);
  }

  // The first piece left, or for another thread the last one; -1 where none is.
  int64_t take(uint32_t number, bool mine) {
    uint64_t word = word_.load(std::memory_order_acquire);
    for (;;) {
      const uint64_t first = word >> 16 & kMost, end = word & kMost;
      if (word >> 32 != number || first == end) return -1;
      const uint64_t left = mine ? pack(number, first + 1, end) : pack(number, first, end - 1);
      if (word_.compare_exchange_weak(word, left, std::memory_order_acq_rel)) {
        return static_cast<int64_t>(mine ? first : end - 1);
      }
    }
  }

 private:
  static uint64_t pack(uint64_t number, uint64_t first, uint64_t end) {
    return number << 32 | first << 16 | end;
  }
  std::atomic<uint64_t> word_{0};
};

thread_local bool inside = false;         // a body
thread_local Clock::time_point turn_end;  // of this thread on its core

class Pool {
 public:
  // Never destroyed: a thread may sleep in it until the process ends.
  static Pool& of_this_process() {
    static std::mutex mutex;
    static Pool* pool = nullptr;
    static pid_t owner = 0;
    const std::lock_guard<std::mutex> lock(mutex);
    if (owner != getpid()) pool = new Pool, owner = getpid();  // a fork has none of its threads
    return *pool;
  }

  void run(int64_t tasks, int threads, Parallel::Body body, void* context) {
    threads = static_cast<int>(std::min<int64_t>({threads, tasks, kMostThreads}));
    std::unique_lock<std::mutex> only(running_, std::defer_lock);
    if (inside || threads < 2 || !only.try_lock()) return body(context, 0, tasks);
    employ(threads);
    begin(tasks, threads, body, context);
    inside = true;
    work(number_.load(std::memory_order_relaxed), 0);
    inside = false;
    wait();
    if (const std::exception_ptr error = std::exchange(error_, nullptr)) {
      std::rethrow_exception(error);
    }
  }

 private:
  void employ(int threads) {
    for (; hired_ < threads - 1; ++hired_) {
      std::thread([this, mine = hired_ + 1] { serve(mine); }).detach();
    }
  }

  void begin(int64_t tasks, int threads, Parallel::Body body, void* context) {
    const int64_t piece = (tasks + Share::kMost - 1) / Share::kMost;
    const int64_t pieces = (tasks + piece - 1) / piece;
    job_ = {tasks, piece, body, context, {}};
    std::fegetenv(&job_.rounding);
    left_.store(pieces, std::memory_order_relaxed);
    threads_.store(threads, std::memory_order_relaxed);
    const uint32_t number = number_.load(std::memory_order_relaxed) + 1;
    for (int t = 0; t < threads; ++t) {
      shares_[t].set(number, pieces * t / threads, pieces * (t + 1) / threads);
    }
    number_.store(number);
    for (int t = 1; t < threads; ++t) {
      if (!sleepers_[t].asleep.load()) continue;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
      }
      sleepers_[t].wake.notify_one();
    }
  }

  // Take pieces of the job until none is left, own ones first.
  void work(uint32_t number, int mine) {
    const int threads = threads_.load(std::memory_order_relaxed);
    for (int i = 0; i < threads; ++i) {
      const int whose = (mine + i) % threads;
      for (int64_t piece; (piece = shares_[whose].take(number, i == 0)) >= 0;) {
        carry_out(piece, mine);
        if (mine == 0) continue;
        const Clock::time_point now = Clock::now();
        if (now < turn_end) continue;
        sched_yield();
        turn_end = now + kTurn;
      }
    }
  }

  void carry_out(int64_t piece, int mine) {
    const int64_t first = piece * job_.piece;
    if (mine > 0) std::fesetenv(&job_.rounding);  // all flush denormals, or none
    try {
      job_.body(job_.context, first, std::min(first + job_.piece, job_.tasks));
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    if (left_.fetch_sub(1) > 1 || !waits_.load()) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
    }
    done_.notify_one();
  }

  // Until the others have ended their pieces.
  void wait() {
    const auto done = [this] { return left_.load(std::memory_order_acquire) == 0; };
    if (spin(kLast, done)) return;
    std::unique_lock<std::mutex> lock(mutex_);
    waits_.store(true);
    done_.wait(lock, [this] { return left_.load() == 0; });
    waits_.store(false);
  }

  void serve(int mine) {
    inside = true;
    uint32_t seen = 0;
    const auto new_job = [&] { return number_.load(std::memory_order_acquire) != seen; };
    for (;;) {
      if (!spin(kIdle, new_job)) {
        std::unique_lock<std::mutex> lock(mutex_);
        sleepers_[mine].asleep.store(true);
        sleepers_[mine].wake.wait(lock, [&] { return number_.load() != seen; });
        sleepers_[mine].asleep.store(false);
      }
      seen = number_.load(std::memory_order_acquire);
      if (mine < threads_.load(std::memory_order_relaxed)) work(seen, mine);
    }
  }

  struct Job {
    int64_t tasks, piece;  // tasks in all, and in a piece
    Parallel::Body body;
    void* context;
    std::fenv_t rounding;  // the caller's
  };

  struct Sleeper {
    std::atomic<bool> asleep{false};
    std::condition_variable wake;
  };

  Job job_{};
  Share shares_[kMostThreads];
  Sleeper sleepers_[kMostThreads];
  std::atomic<uint32_t> number_{0};
  std::atomic<int64_t> left_{0};  // pieces that have not ended
  std::atomic<int> threads_{0};
  std::atomic<bool> waits_{false};
  int hired_ = 0;
  std::exception_ptr error_;
  std::mutex running_, mutex_;
  std::condition_variable done_;
};

}  // namespace

void share_out(int64_t tasks, int threads, Parallel::Body body, void* context) {
  Pool::of_this_process().run(tasks, threads, body, context);
}

}  // namespace mbpo
