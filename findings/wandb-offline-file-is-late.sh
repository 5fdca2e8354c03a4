#!/usr/bin/env bash
# wandb 0.31.0, offline: log() returns at once, and the .wandb file keeps its 7 bytes of header for up to 15 s, which is the
# setting x_transaction_log_flush_interval. Where the process and wandb-core are killed together before then, as with a
# batch job or a container, the run has no row, though each log() had returned. At half a second the rows are there.
# Why it matters here: a run that is cut off, or a second tool that reads the file, sees less than was logged. Whoever goes
# on with it has to read the file back, and not to count its own calls.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check wandb==0.31.0
cd "$folder"
export WANDB_CACHE_DIR="$folder/cache" WANDB_CONFIG_DIR="$folder/config" WANDB_DATA_DIR="$folder/data"
cat > log.py <<'PY'
import os
import signal
import sys
import time

import wandb

more = {"x_transaction_log_flush_interval": float(sys.argv[2])} if len(sys.argv) > 2 else {}
settings = wandb.Settings(mode="offline", silent=True, x_disable_stats=True, console="off", **more)
run = wandb.init(project="p", id=sys.argv[1], settings=settings)
for step in range(100):
    run.log({"x": step}, step=step, commit=True)
time.sleep(4)
os.killpg(0, signal.SIGKILL)
PY
for given in "late" "soon 0.5"; do
    # shellcheck disable=SC2086  two words
    setsid --wait "$folder/venv/bin/python" log.py $given >/dev/null 2>&1 || true
done
sleep 3
late=$(stat -c %s wandb/offline-run-*-late/run-late.wandb)
soon=$(stat -c %s wandb/offline-run-*-soon/run-soon.wandb)
echo "killed together 4 s after 100 rows: $late bytes by default, $soon bytes with x_transaction_log_flush_interval=0.5"
[ "$late" -eq 7 ] && [ "$soon" -gt 5000 ] || { echo "changed"; exit 1; }
echo "as described: wandb 0.31.0"
