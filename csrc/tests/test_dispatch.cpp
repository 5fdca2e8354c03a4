// Which kernels are found, and which of them are taken. Run with a name in MBPO_ISA, that one must
// be taken; an unknown name leaves the best.
#include <cstdlib>

#include "check.h"
#include "mbpo/bf16.h"

using namespace mbpo;
using namespace mbpo::check;

namespace {

template <typename T>
std::vector<std::string> names() {
  int count = 0;
  const Kernels<T>* const* found = available_kernels<T>(&count);
  std::vector<std::string> result;
  for (int i = 0; i < count; ++i) result.push_back(found[i]->name);
  return result;
}

void expect_bf16(const char* name, bool avx512) {
  int count = 0;
  const Bf16Kernels* const* found = available_bf16_kernels(&count);
  const Bf16Kernels* want = avx512 && count ? found[0] : nullptr;
  for (int i = 0; want && name && i < count; ++i) {
    if (std::string(name) == found[i]->name) want = found[i];
  }
  expect(bf16_kernels() == want, "the wanted kernels of bfloat16");
  std::printf("bfloat16: %s\n", want ? want->name : "none");
}

}  // namespace

int main() {
  const std::vector<std::string> found = names<float>();
  expect(!found.empty() && found.back() == "generic", "the generic kernels are always there, last");
  expect(found == names<double>(), "the same sets in float and double");
#if !defined(__x86_64__)
  expect(found.size() == 1, "other processors have the generic kernels only");
#endif
  const char* name = std::getenv("MBPO_ISA");
  const bool known = name && std::find(found.begin(), found.end(), name) != found.end();
  const std::string want = known ? name : found.front();
  expect(kernels<float>().name == want && kernels<double>().name == want, "the wanted kernels");
  std::printf("found:");
  for (const std::string& each : found) std::printf(" %s", each.c_str());
  std::printf("; taken: %s\n", kernels<float>().name);
  expect_bf16(name, want == "avx512");
  return finish();
}
