#!/usr/bin/env bash
# ray 2.60.0: ray.cancel ends no task of a Ray that a script began in its background, and says nothing of it: bash
# starts what stands before "&" with SIGINT ignored, the workers keep that, and ray.cancel is an interrupt. The worker's
# answer is still that the attempt succeeded. The usual way of beginning Ray in a batch job, `srun … ray start --block &`,
# is such a background.
# Why it matters here: a run that was told to stop goes on to its end, and who waits for it waits as long.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0
cd "$folder"
cat >cancel.py <<'PYTHON'
import os
import sys
import time

os.environ["RAY_AUTH_MODE"] = "disabled"
import ray

began = os.path.abspath("began")


def work():
    open(began, "w").close()
    for _ in range(60):
        time.sleep(0.1)
    return "went on to its end"


ray.init("local", num_cpus=1, object_store_memory=80_000_000, include_dashboard=False, log_to_driver=False,
         logging_level="ERROR")
task = ray.remote(work).remote()
while not os.path.exists(began):
    time.sleep(0.05)
ray.cancel(task)
asked = time.monotonic()
try:
    found = ray.get(task)
except ray.exceptions.TaskCancelledError:
    found = f"was cancelled {'at once' if time.monotonic() - asked < 3 else 'late'}"
os.unlink(began)
print(f"ray {ray.__version__}: {sys.argv[1]}: the task {found}")
PYTHON
env --default-signal=INT "$folder/venv/bin/python" -W ignore cancel.py foreground | tee -a said
"$folder/venv/bin/python" -W ignore cancel.py background >>said &
wait $!
tail -1 said
grep -q "foreground: the task was cancelled at once" said
grep -q "background: the task went on to its end" said
echo "as described"
