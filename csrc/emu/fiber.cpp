#include "fiber.h"

#include <exception>
#include <utility>

#ifdef MBPO_SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

namespace mbpo::emu {
namespace {

constexpr size_t kStackBytes = 64 << 10;

// The address sanitizer has to know on which stack the code runs.
void leave_for(void** keep, const void* stack, size_t bytes) {
#ifdef MBPO_SANITIZED
  __sanitizer_start_switch_fiber(keep, stack, bytes);
#else
  (void)keep, (void)stack, (void)bytes;
#endif
}

void arrived(void* kept, const void** from, size_t* bytes) {
#ifdef MBPO_SANITIZED
  __sanitizer_finish_switch_fiber(kept, from, bytes);
#else
  (void)kept, (void)from, (void)bytes;
#endif
}

}  // namespace

Fiber::Fiber(std::function<void()> call) : call_(std::move(call)), stack_(new char[kStackBytes]) {
  getcontext(&start_);
  start_.uc_stack.ss_sp = stack_.get();
  start_.uc_stack.ss_size = kStackBytes;
  start_.uc_link = nullptr;
  const uint64_t self = reinterpret_cast<uint64_t>(this);
  makecontext(&start_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, unsigned(self),
              unsigned(self >> 32));
}

void Fiber::enter(unsigned low, unsigned high) {
  Fiber* self = reinterpret_cast<Fiber*>(uint64_t(low) | uint64_t(high) << 32);
  arrived(nullptr, &self->outer_stack_, &self->outer_size_);
  try {
    self->call_();
  } catch (...) {
    self->thrown_ = std::current_exception();
  }
  self->done_ = true;
  leave_for(nullptr, self->outer_stack_, self->outer_size_);
  jump(self->outside_);
}

void Fiber::resume() {
  void* kept = nullptr;
  leave_for(&kept, stack_.get(), kStackBytes);
  go_inside();
  arrived(kept, nullptr, nullptr);
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void Fiber::wait() {
  leave_for(&fake_stack_, outer_stack_, outer_size_);
  if (__builtin_setjmp(inside_) == 0) jump(outside_);
  arrived(fake_stack_, &outer_stack_, &outer_size_);
}

// swapcontext would ask the system for the signal mask, which is half of an emulation's time: only
// the first switch to a stack needs a context.
void Fiber::go_inside() {
  if (__builtin_setjmp(outside_) != 0) return;
  if (started_) jump(inside_);
  started_ = true;
  setcontext(&start_);
}

void Fiber::jump(void** place) { __builtin_longjmp(place, 1); }

}  // namespace mbpo::emu
