// AMX in software, at the instruction: each raises SIGILL on a processor without it, and the
// handler decodes the very bytes that an AMX processor would run. Encodings and operations are
// those of Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2 (LDTILECFG,
// TILELOADD, TILESTORED, TILEZERO, TILERELEASE, TDPBF16PS).
#include "trapped_amx.h"

#if MBPO_TRAPS_AMX
#include <signal.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace mbpo::check {
namespace {

constexpr int kRegisters = 8, kRows = 16, kWords = 16;

struct Register {
  int rows, words;  // 0 where not configured
  uint32_t at[kRows][kWords];
};

thread_local Register registers[kRegisters];

[[noreturn]] void refuse(const char* why) {
  std::printf("FAILED amx_bf16: %s\n", why);
  std::fflush(stdout);
  std::_Exit(1);
}

void insist(bool holds, const char* why) {
  if (!holds) refuse(why);
}

// One instruction, with the register file of the interrupted code.
class Instruction {
 public:
  Instruction(const uint8_t* code, const greg_t* file) : code_(code), file_(file) {
    insist(code[0] == 0xc4 && (code[1] & 0x1f) == 2 && (code[2] & 0x84) == 0,
           "an illegal instruction that is not AMX");
    prefix = code[2] & 3;
    opcode = code[3];
    mode = code[4] >> 6;
    reg = (code[4] >> 3 & 7) | high(0x80);
    rm = (code[4] & 7) | high(0x20);
    vvvv = ~code[2] >> 3 & 15;
    length = 5;
    if (mode != 3) read_address();
  }

  int prefix, opcode, mode, reg, rm, vvvv, length;
  char* address = nullptr;  // base and displacement
  int64_t stride = 0;       // index * scale

 private:
  int high(int bit) const { return code_[1] & bit ? 0 : 8; }

  int64_t value(int number) const {
    static constexpr int kOrder[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                       REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                       REG_R12, REG_R13, REG_R14, REG_R15};
    return file_[kOrder[number]];
  }

  void read_address() {
    int64_t base = 0;
    const bool sib = (code_[4] & 7) == 4;
    int base_number = rm;
    if (sib) {
      const uint8_t byte = code_[length++];
      const int index = (byte >> 3 & 7) | high(0x40);
      if (index != 4) stride = value(index) << (byte >> 6);
      base_number = (byte & 7) | high(0x20);
    }
    int32_t wide = 0;
    if (mode == 0 && (base_number & 7) == 5) {  // no base: the next instruction's address, or none
      std::memcpy(&wide, code_ + length, 4);
      length += 4;
      base = wide + (sib ? 0 : reinterpret_cast<int64_t>(code_ + length));
    } else {
      base = value(base_number);
      if (mode == 1) base += static_cast<int8_t>(code_[length++]);
      if (mode == 2) {
        std::memcpy(&wide, code_ + length, 4);
        length += 4;
        base += wide;
      }
    }
    address = reinterpret_cast<char*>(base);
  }

  const uint8_t* code_;
  const greg_t* file_;
};

void configure(const char* bytes) {
  insist(bytes[0] == 1 && bytes[1] == 0, "ldtilecfg wants palette 1 and start row 0");
  for (int t = 0; t < kRegisters; ++t) {
    uint16_t row_bytes;
    std::memcpy(&row_bytes, bytes + 16 + 2 * t, sizeof row_bytes);
    const int rows = static_cast<uint8_t>(bytes[48 + t]);
    insist(row_bytes <= 64 && row_bytes % 4 == 0 && rows <= kRows, "ldtilecfg: beyond a register");
    registers[t] = {rows, row_bytes / 4, {}};
  }
}

Register& configured(int number) {
  insist(number < kRegisters && registers[number].rows > 0, "a register that is not configured");
  return registers[number];
}

void load(const Instruction& from) {
  Register& to = configured(from.reg);
  std::memset(to.at, 0, sizeof to.at);
  for (int row = 0; row < to.rows; ++row) {
    std::memcpy(to.at[row], from.address + row * from.stride, 4 * to.words);
  }
}

void store(const Instruction& to) {
  const Register& from = configured(to.reg);
  for (int row = 0; row < from.rows; ++row) {
    std::memcpy(to.address + row * to.stride, from.at[row], 4 * from.words);
  }
}

float number(uint32_t bits) {
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

// Sums of even and of odd products apart, as the manual has it.
void multiply(Register& c, const Register& a, const Register& b) {
  insist(c.rows == a.rows && a.words == b.rows && c.words == b.words, "tdpbf16ps: sizes differ");
  for (int m = 0; m < c.rows; ++m) {
    for (int n = 0; n < c.words; ++n) {
      float even = 0, odd = 0;
      for (int k = 0; k < a.words; ++k) {
        even += number(a.at[m][k] << 16) * number(b.at[k][n] << 16);
        odd += number(a.at[m][k] & 0xffff0000) * number(b.at[k][n] & 0xffff0000);
      }
      const float sum = number(c.at[m][n]) + (even + odd);
      std::memcpy(&c.at[m][n], &sum, sizeof sum);
    }
  }
}

void carry_out(const Instruction& it) {
  constexpr int kNone = 0, kF3 = 2, kF2 = 3;
  if (it.opcode == 0x49 && it.prefix == kNone && it.mode != 3) {
    configure(it.address);
  } else if (it.opcode == 0x49 && it.prefix == kNone && it.reg == 0 && it.rm == 0) {
    for (Register& all : registers) all = {};
  } else if (it.opcode == 0x49 && it.prefix == kF2 && it.mode == 3) {
    std::memset(configured(it.reg).at, 0, sizeof registers[0].at);
  } else if (it.opcode == 0x4b && it.prefix == kF2 && it.mode != 3) {
    load(it);
  } else if (it.opcode == 0x4b && it.prefix == kF3 && it.mode != 3) {
    store(it);
  } else if (it.opcode == 0x5c && it.prefix == kF3 && it.mode == 3) {
    multiply(configured(it.reg), configured(it.rm), configured(it.vvvv));
  } else {
    refuse("an AMX instruction that this test does not know");
  }
}

void on_illegal_instruction(int, siginfo_t*, void* context) {
  greg_t* file = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const Instruction instruction(reinterpret_cast<const uint8_t*>(file[REG_RIP]), file);
  carry_out(instruction);
  file[REG_RIP] += instruction.length;
}

}  // namespace

void trap_amx() {
  struct sigaction action = {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO;
  insist(sigaction(SIGILL, &action, nullptr) == 0, "cannot handle SIGILL");
}

}  // namespace mbpo::check
#endif
