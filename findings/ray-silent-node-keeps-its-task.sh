#!/usr/bin/env bash
# ray 2.60.0: a node that falls silent (a machine that hangs, a cable pulled out) is called dead by ray.nodes() after
# about 62 s, but its task, with max_retries=-1 and an idle node beside it, starts again only after about 440 s: the
# caller waits for its connection, whose keepalive is 300 s + 120 s. A node whose processes are killed gives its task
# back after 14 s. A new submission of the same work runs at once, at any time.
# Why it matters here: whoever waits for ray.get() loses seven minutes for each such node; who watches ray.nodes() one.
# Takes nine minutes, nearly all of them waiting.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0 psutil==7.2.2
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os
import time
from pathlib import Path

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # so that it takes 127.0.0.1 as its address when told to
import psutil
import ray
from ray.cluster_utils import Cluster

here = {"node_ip_address": "127.0.0.1"}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **here})
cluster.add_node(num_cpus=1, **here)
ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
starts = Path("starts").absolute()


@ray.remote(num_cpus=1, max_retries=-1)
def work(path):
    with open(path, "a") as file:
        file.write(f"{os.getppid()}\n")
    time.sleep(10_000)


@ray.remote(num_cpus=0)
def anew():
    return True


ref = work.remote(str(starts))
while not starts.exists() or not starts.read_text().endswith("\n"):
    time.sleep(0.1)
cluster.add_node(num_cpus=1, **here)
raylet = psutil.Process(int(starts.read_text()))
silent = [raylet, *raylet.children()]
for process in silent:
    process.suspend()
since, dead = time.monotonic(), None
while len(starts.read_text().splitlines()) == 1 and time.monotonic() - since < 600:
    if dead is None and sum(node["Alive"] for node in ray.nodes()) == 2:
        dead = time.monotonic() - since
        assert ray.get(anew.remote(), timeout=10)
        print(f"ray {ray.__version__}: the node is dead, says ray.nodes(), after {dead:.0f} s", flush=True)
    time.sleep(1)
again = time.monotonic() - since
print(f"ray {ray.__version__}: its task is at work elsewhere after {again:.0f} s", flush=True)
for process in silent:
    process.resume()
ray.shutdown()
cluster.shutdown()
assert dead is not None and dead < 100 and 400 < again < 500
PYTHON
echo "as described"
