#include "emulator.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber.h"

namespace mbpo::emu {

Index thread_index, block_index, block_size, grid_size;

namespace {

constexpr unsigned kLanes = 32;

struct Copy {
  void* to;
  const void* from;
  size_t bytes;
  bool valid;

  void happen() const {
    if (valid) {
      std::memcpy(to, from, bytes);
    } else {
      std::memset(to, 0, bytes);
    }
  }
};

enum class Waits { no, for_block, for_warp };

struct Thread {
  Thread(unsigned index, const std::function<void()>& kernel) : number(index), fiber(kernel) {}
  unsigned number;
  Fiber fiber;
  Waits waits = Waits::no;
  std::vector<Copy> copies;              // since the last commit
  std::deque<std::vector<Copy>> groups;  // committed, oldest first
};

// What the lanes of one warp bring to a product.
struct Product {
  unsigned arrived = 0;
  float* c[kLanes];
  const uint32_t* a[kLanes];
  const uint32_t* b[kLanes];
  bool bf16;
};

float as_tf32(uint32_t bits) {
  bits &= 0xffffe000;  // the unit does not read the last 13 bits
  float number;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

// One of the two bf16 in a register.
float as_bf16(uint32_t bits, unsigned half) {
  bits = half ? bits & 0xffff0000 : bits << 16;
  float number;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

// mma.sync m16n8k8: where each number lies is in the PTX manual, "Matrix Fragments for
// mma.m16n8k8".
void multiply(const Product& job) {
  float a[16][8], b[8][8];
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const unsigned group = lane / 4, in_group = lane % 4;
    const uint32_t *of_a = job.a[lane], *of_b = job.b[lane];
    for (unsigned i = 0; i < 4; ++i) {
      if (job.bf16)
        a[group + 8 * (i / 2)][2 * in_group + i % 2] = as_bf16(of_a[i / 2], i % 2);
      else
        a[group + 8 * (i % 2)][in_group + 4 * (i / 2)] = as_tf32(of_a[i]);
    }
    for (unsigned i = 0; i < 2; ++i) {
      if (job.bf16)
        b[2 * in_group + i][group] = as_bf16(of_b[0], i);
      else
        b[in_group + 4 * i][group] = as_tf32(of_b[i]);
    }
  }
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const unsigned group = lane / 4, in_group = lane % 4;
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned row = group + 8 * (i / 2), column = 2 * in_group + i % 2;
      float sum = 0;
      for (unsigned k = 0; k < 8; ++k) sum += a[row][k] * b[k][column];
      job.c[lane][i] += sum;
    }
  }
}

class Block {
 public:
  Block(const Launch& launch, const std::function<void()>& kernel)
      : early_copies(launch.early_copies),
        left_(launch.threads),
        shared_(new (std::align_val_t(16)) char[launch.shared_bytes]),
        products_((launch.threads + kLanes - 1) / kLanes) {
    std::fill_n(reinterpret_cast<uint32_t*>(shared_.get()), launch.shared_bytes / 4, 0x7fc00000u);
    for (unsigned i = 0; i < launch.threads; ++i) {
      threads_.push_back(std::make_unique<Thread>(i, kernel));
    }
    for (unsigned w = 0; w < products_.size(); ++w) turns_.push_back(w);
    if (launch.order == Order::descending) std::reverse(turns_.begin(), turns_.end());
  }

  // A warp runs as far as it can before the next one: nothing but a barrier holds it back.
  void run(Order order) {
    std::minstd_rand random(block_index.x + 1);
    while (left_ > 0) {
      if (order == Order::shuffled) std::shuffle(turns_.begin(), turns_.end(), random);
      bool ran = false;
      for (const unsigned warp : turns_) {
        while (run_warp(warp, order)) ran = true;
      }
      if (at_barrier_ == left_)
        release();
      else if (!ran)
        refuse("some threads wait for others that do not come");
    }
  }

  void wait_for_block() {
    ++at_barrier_;
    pause(Waits::for_block);
  }

  void product(float* c, const uint32_t* a, const uint32_t* b, bool bf16) {
    const unsigned warp = now_->number / kLanes, lane = now_->number % kLanes;
    Product& job = products_[warp];
    job.c[lane] = c, job.a[lane] = a, job.b[lane] = b, job.bf16 = bf16;
    if (++job.arrived < kLanes) return pause(Waits::for_warp);
    multiply(job);
    job.arrived = 0;
    for (unsigned l = 0; l < kLanes; ++l) threads_[warp * kLanes + l]->waits = Waits::no;
  }

  const bool early_copies;
  Thread& now() { return *now_; }
  void* shared() { return shared_.get(); }

  [[noreturn]] static void refuse(const std::string& why) {
    throw std::runtime_error("block " + std::to_string(block_index.x) + ": " + why);
  }

 private:
  // Let every lane that can run do so up to its next wait; return whether any did.
  bool run_warp(unsigned warp, Order order) {
    bool ran = false;
    const unsigned first = warp * kLanes;
    const unsigned count = std::min<unsigned>(kLanes, threads_.size() - first);
    for (unsigned i = 0; i < count; ++i) {
      Thread& thread = *threads_[first + (order == Order::descending ? count - 1 - i : i)];
      if (thread.fiber.done() || thread.waits != Waits::no) continue;
      ran = true;
      now_ = &thread;
      thread_index.x = thread.number;
      thread.fiber.resume();
      if (thread.fiber.done()) --left_, end(thread);
    }
    return ran;
  }

  void pause(Waits reason) {
    Thread* self = now_;
    self->waits = reason;
    self->fiber.wait();
  }

  void release() {
    at_barrier_ = 0;
    for (const auto& thread : threads_) thread->waits = Waits::no;
  }

  static void end(const Thread& thread) {
    const auto pending = [](const std::vector<Copy>& group) { return !group.empty(); };
    if (pending(thread.copies) || std::any_of(thread.groups.begin(), thread.groups.end(), pending))
      refuse("a thread ends before its copies");
  }

  struct Free {
    void operator()(char* memory) const { ::operator delete[](memory, std::align_val_t(16)); }
  };
  size_t left_;  // threads that have not ended
  std::unique_ptr<char[], Free> shared_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<unsigned> turns_;  // of warps
  std::vector<Product> products_;
  Thread* now_ = nullptr;
  size_t at_barrier_ = 0;
};

Block* running = nullptr;
std::set<std::string> waits;
std::string left_out;

// Note the wait; return whether it is to be left out.
bool leaves_out(Site site) {
  const char* slash = std::strrchr(site.file, '/');
  const std::string name = slash ? slash + 1 : site.file;
  return *waits.insert(name + ":" + std::to_string(site.line)).first == left_out;
}

}  // namespace

void run(const Launch& launch, const std::function<void()>& kernel) {
  block_size = {launch.threads, 1, 1};
  grid_size = {launch.blocks, 1, 1};
  for (unsigned i = 0; i < launch.blocks; ++i) {
    block_index = {i, 0, 0};
    Block block(launch, kernel);
    running = &block;
    block.run(launch.order);
  }
  running = nullptr;
}

std::vector<std::string> take_waits() {
  const std::vector<std::string> result(waits.begin(), waits.end());
  waits.clear();
  return result;
}

void leave_out_wait(const std::string& site) { left_out = site; }

void wait_for_block(Site site) {
  if (!leaves_out(site)) running->wait_for_block();
}

void* shared_memory() { return running->shared(); }

void warp_product(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  running->product(c, a, b, false);
}

void warp_product(float (&c)[4], const uint32_t (&a)[2], const uint32_t (&b)[1]) {
  running->product(c, a, b, true);
}

void copy_async(void* to, const void* from, size_t bytes, bool valid) {
  const auto aligned = [bytes](const void* p) {
    return reinterpret_cast<uintptr_t>(p) % bytes == 0;
  };
  if (!aligned(to) || !aligned(from)) Block::refuse("a copy is not aligned to its size");
  const Copy copy{to, from, bytes, valid};
  if (running->early_copies) copy.happen();
  running->now().copies.push_back(copy);
}

void trap() { Block::refuse("a thread traps"); }

void commit_copies() {
  Thread& thread = running->now();
  thread.groups.push_back(std::move(thread.copies));
  thread.copies.clear();
}

void wait_copies(size_t but_newest, Site site) {
  if (leaves_out(site)) return;
  Thread& thread = running->now();
  for (; thread.groups.size() > but_newest; thread.groups.pop_front()) {
    for (const Copy& copy : thread.groups.front()) {
      if (!running->early_copies) copy.happen();
    }
  }
}

}  // namespace mbpo::emu
