#!/usr/bin/env bash
# tensorboard 2.21.0, tensorboard-data-server 0.7.2: a scalar whose tensor is of 64 bits (DT_DOUBLE) is shown by the loader
# in Python (--load_fast=false) with all its digits. The data server, which tensorboard starts by default, shows no such
# curve at all, nor a word of why: the tag is not there.
# Why it matters here: a return or a loss read back from event files is to be the number that was measured. Whoever writes
# 64 bits and checks with EventAccumulator finds all well, and sees nothing in the browser. So scalars have 32 bits.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorboard==2.21.0 tensorboard-data-server==0.7.2 'setuptools<80'
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

os.makedirs("logs/a")
with open("logs/a/events.out.tfevents.0000000001.x", "wb") as file:
    scalars = summary_pb2.SummaryMetadata(plugin_data={"plugin_name": "scalars"})
    of = {
        "bits_32": tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[0.1]),
        "bits_64": tensor_pb2.TensorProto(dtype=types_pb2.DT_DOUBLE, double_val=[0.1]),
    }
    values = [summary_pb2.Summary.Value(tag=tag, metadata=scalars, tensor=tensor) for tag, tensor in of.items()]
    for event in (
        event_pb2.Event(wall_time=1, file_version="brain.Event:2"),
        event_pb2.Event(wall_time=1, step=1, summary=summary_pb2.Summary(value=values)),
    ):
        RecordWriter(file).write(event.SerializeToString())


def shown(fast):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", "logs", "--port", str(port), "--load_fast", fast]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            time.sleep(0.5)
            try:
                found = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/data/plugin/scalars/tags"))
            except OSError:
                continue
            if found:
                return sorted(found["a"])
        return None
    finally:
        server.terminate()
        server.wait()


slow, fast = shown("false"), shown("true")
print("shown by the loader in Python:", slow, "by the data server:", fast)
assert slow == ["bits_32", "bits_64"] and fast == ["bits_32"], "changed"
PY
echo "as described: tensorboard 2.21.0, tensorboard-data-server 0.7.2"
