#!/bin/sh
# Everything that only a GPU can show, in one go: build, tests, compute-sanitizer, benchmarks.
#
#   benchmarks/on_gpu.sh [--dry-run] [FOLDER]
#
# Needs nvcc, a C++ compiler, and a python3 (or PYTHON) with torch from 2.10 on, numpy, psutil, pytest and
# hypothesis; nothing is installed. Numbers and logs go to FOLDER, benchmarks/out by default. With --dry-run,
# for a machine without a GPU: build, collect the tests, run the benchmark small on the CPU.
set -eu
cd "$(dirname "$0")/.."
dry=false
if [ "${1:-}" = --dry-run ]; then dry=true; shift; fi
out=${1:-benchmarks/out}
python=${PYTHON:-python3}
mkdir -p "$out"

step() { echo; echo "== $*"; }

# Plain pytest: no settings of the project, whose plugins need not be here.
gpu_tests() {
    PYTHONPATH=.:tests:tests/ops "$python" -m pytest -c /dev/null --rootdir . --noconftest \
        -p no:cacheprovider -q "$@" tests/ops/test_cuda_ops.py tests/ops/test_cuda_hardware.py
}

step "build mbpo._C and mbpo._cuda"
if ! $dry; then # for the GPU that is here
    TORCH_CUDA_ARCH_LIST=$("$python" -c \
        'import torch; print("{}.{}".format(*torch.cuda.get_device_capability()))')
    export TORCH_CUDA_ARCH_LIST
fi
MBPO_REQUIRE_EXT=1 FORCE_CUDA=1 "$python" setup.py -q build_ext --inplace >"$out/build.log" 2>&1 \
    || { tail -20 "$out/build.log"; exit 1; }
ls -l mbpo/_C.abi3.so mbpo/_cuda.abi3.so

if $dry; then
    step "collect the tests"
    gpu_tests --collect-only
    step "benchmarks, once and small"
    "$python" -m benchmarks.gpu --dry-run --json "$out/gpu.json"
    exit 0
fi

"$python" -c 'from mbpo.ops import cuda; print(cuda.status()); assert cuda.status()[0]'
failed=0

step "tests"
gpu_tests -k "not emulated" 2>&1 | tee "$out/tests.log"
grep -q ' passed' "$out/tests.log" && ! grep -q ' failed' "$out/tests.log" || failed=1

step "compute-sanitizer, on small shapes"
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck synccheck; do
        if timeout 100 compute-sanitizer --tool $tool --error-exitcode 9 --log-file "$out/$tool.log" \
            "$python" -m benchmarks.gpu_small >"$out/$tool.out" 2>&1; then
            echo "$tool: no finding"
        else
            echo "$tool: exit status $?"; tail -5 "$out/$tool.log" "$out/$tool.out"; failed=1
        fi
    done
else
    echo "compute-sanitizer is not installed: skipped"
fi

step "benchmarks"
"$python" -m benchmarks.gpu --json "$out/gpu.json" 2>&1 | tee "$out/gpu.txt" || failed=1

step "a short Hopper run"
if "$python" -c 'import gymnasium, mujoco' 2>/dev/null; then
    "$python" -m mbpo.train --preset hopper --device cuda --warmup-steps 500 --total-steps 1500 \
        --profile --runs-root "$out/runs" </dev/null 2>&1 | tail -10 || failed=1
else
    echo "gymnasium or mujoco is not installed: skipped"
fi
exit $failed
