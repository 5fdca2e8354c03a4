// A call that can stop in its middle and go on later.
#pragma once

#include <ucontext.h>

#include <functional>
#include <memory>

namespace mbpo::emu {

class Fiber {
 public:
  // The call starts at the first resume().
  explicit Fiber(std::function<void()> call);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Run until the call waits or ends; what it throws comes out here.
  void resume();
  // From within the call: go back to who resumed it.
  void wait();
  bool done() const { return done_; }

 private:
  // No stack is left for good: the address sanitizer is not to forget what lies on it.
#define MBPO_SWITCHES_STACKS __attribute__((noinline, no_sanitize_address))

  static void enter(unsigned low, unsigned high);
  MBPO_SWITCHES_STACKS void go_inside();
  [[noreturn]] MBPO_SWITCHES_STACKS static void jump(void** place);

  std::function<void()> call_;
  std::unique_ptr<char[]> stack_;
  ucontext_t start_;
  void *inside_[5], *outside_[5];  // where to go on
  std::exception_ptr thrown_;
  bool started_ = false, done_ = false;
  void* fake_stack_ = nullptr;  // the address sanitizer's, for each side
  const void* outer_stack_ = nullptr;
  size_t outer_size_ = 0;
};

}  // namespace mbpo::emu
