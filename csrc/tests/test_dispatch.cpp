// Which kernels are found, and which of them are taken. Run with a name in MBPO_ISA, that one must
// be taken; an unknown name leaves the best.
#include <cstdlib>

#include "check.h"

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
  return finish();
}
