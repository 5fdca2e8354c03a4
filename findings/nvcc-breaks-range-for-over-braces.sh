#!/usr/bin/env bash
# nvcc 13.0.88 (PyPI's nvidia-cuda-nvcc) with g++: `for (T* x : {m.a, m.b})` in a class template, where m is a member whose
# type depends on T, is rewritten by nvcc's front end into text that g++ refuses: "expected ';' before '}' token" and
# "'begin' was not declared in this scope". g++ compiles the same host code; with an array in place of the braces nvcc does too.
# Why it matters here: a header shared by CPU and CUDA code compiled on the CPU and not in a .cu file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 \
    nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96
nvcc=$(echo "$folder"/venv/lib/python3*/site-packages/nvidia/cu13/bin/nvcc)
cd "$folder"
source_with() {
    cat <<CPP
#include <initializer_list>
template <typename T>
struct Pair { T* first; T* second; };
template <typename T>
struct Zero {
  const Pair<T> pair;
  void both() const { $1 *x = T(0); }
};
int main() {
  double a = 1, b = 2;
  Zero<double>{{&a, &b}}.both();
  return a + b != 0;
}
CPP
}
source_with 'for (T* x : {pair.first, pair.second})' >braces.cu
source_with 'T* const all[] = {pair.first, pair.second}; for (T* x : all)' >array.cu
g++ -std=c++17 -x c++ braces.cu -o host && ./host
"$nvcc" -std=c++17 -c array.cu -o array.o
if "$nvcc" -std=c++17 -c braces.cu -o braces.o 2>said; then
    echo "changed: nvcc compiles it"
    exit 1
fi
grep -m1 "error" said
grep -q "before ‘}’ token\|before '}' token" said
echo "as described: $("$nvcc" --version | tail -2 | head -1)"
