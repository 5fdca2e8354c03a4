#!/usr/bin/env bash
# ray 2.60.0: the memory monitor counts a worker's own memory and not that of processes which the worker started. Where
# one task's child takes the machine over the threshold, no worker's few megabytes are enough, so it kills them all:
# here 4 tasks, 3 of them innocent, each reported with "actual memory used=0.06GB", beside a list whose first line is
# the child.
# Why it matters here: a task that starts a learner, a simulator or any other program is judged by the wrong figure.
# With Ray's default task_oom_retries (-1) the four start again without end. RAY_memory_monitor_refresh_ms=0 turns it
# off.
# The machine needs 3 GB of free memory.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0 psutil==7.2.2
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil

memory = psutil.virtual_memory()
os.environ["RAY_memory_usage_threshold"] = f"{1 - (memory.available - 1.8e9) / memory.total:.4f}"
os.environ["RAY_AUTH_MODE"] = "disabled"
import ray

ray.init("local", num_cpus=4, object_store_memory=80_000_000, include_dashboard=False, log_to_driver=False,
         logging_level="ERROR")


@ray.remote(num_cpus=1, max_retries=0)
def run(megabytes):
    child = f"import time; time.sleep(4); x = b'x' * {megabytes}_000_000; time.sleep(30)"
    return subprocess.run([sys.executable, "-c", child]).returncode


refs = [run.remote(megabytes) for megabytes in (1, 1, 1, 2600)]
time.sleep(15)
log = Path(ray._private.worker._global_node.get_logs_dir_path(), "raylet.out").read_text()
first = log[log.index("OOM kill reason"):]
killed, top = first.split("Top 10")[:2]
used = [float(each) for each in re.findall(r"actual memory used=([0-9.]+)GB", killed)]
largest = float(re.search(r"\d+\s+([0-9.]+)\s", top)[1])
outcomes = []
for ref in refs:
    try:
        ray.get(ref, timeout=20)
        outcomes.append("ended")
    except Exception as error:
        outcomes.append(type(error).__name__)
print(f"ray {ray.__version__}: workers killed {used} GB each by its count; largest process {largest} GB; {outcomes}")
assert len(used) == 4 and largest > 10 * max(used)
assert outcomes == ["OutOfMemoryError"] * 4
PYTHON
echo "as described"
