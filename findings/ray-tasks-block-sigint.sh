#!/usr/bin/env bash
# ray 2.60.0: SIGINT is blocked in a worker, and so in every program that a task starts: it stays pending there for
# ever, while SIGTERM works. The same programs are at nice 15, and OMP_NUM_THREADS is 1 whatever the machine has.
# Why it matters here: a simulator, a trainer or `timeout -s INT` that saves on Ctrl-C neither saves nor ends inside a
# task.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os
import subprocess

os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ.pop("OMP_NUM_THREADS", None)
import ray

CHILD = """trap "echo saved; exit" INT TERM
kill -INT $$
sleep 0.3
echo "alive at nice $(nice) with $OMP_NUM_THREADS"
"""


def child():
    return subprocess.run(["bash", "-c", CHILD + "kill -TERM $$"], capture_output=True, text=True).stdout.splitlines()


ray.init("local", num_cpus=2, object_store_memory=80_000_000, include_dashboard=False, log_to_driver=False,
         logging_level="ERROR")
outside, inside = child(), ray.get(ray.remote(child).remote())
print(f"ray {ray.__version__}: SIGINT outside {outside}, inside a task {inside}")
assert outside == ["saved"] and inside == ["alive at nice 15 with 1", "saved"]
PYTHON
echo "as described"
