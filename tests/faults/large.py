"""Plant runs with metrics as large as those of weeks, in seconds: one row of the learner's again and again."""

from __future__ import annotations

import json
from pathlib import Path

from mbpo.runs.hashes import MANIFEST, SEAL, digest, seal_of
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import METRICS
from mbpo.runs.records.row import new_row, row_line

AT_ONCE = 10_000  # rows
GROUPS = ("rollout/length", "mix/", "time/", "sac/")  # of an interval's row


def fill_metrics(path: Path, size: int, env_steps: int = 1) -> int:
    """Write rows of an interval, ``env_steps`` apart, until the file has ``size`` bytes; return how many."""
    keys = [key for key in METRICS if key.startswith(GROUPS)]
    line = row_line(new_row("interval", 1, 1, 1, 1.5, {key: 1000 / (n + 3) for n, key in enumerate(keys)})).decode()
    head, tail = line.split('"seq": 1, "attempt": 1, "env_steps": 1, "time_s": 1.5')
    place = head + '"seq": %d, "attempt": 1, "env_steps": %d, "time_s": %d.5' + tail.replace("%", "%%") + "\n"
    count = 0
    with path.open("wb") as file:
        while file.tell() < size:
            numbers = range(count + 1, count + 1 + AT_ONCE)
            file.write("".join([place % (n, env_steps * n, n) for n in numbers]).encode())
            count += AT_ONCE
    return count


def put_rows_before(run: RunPaths, checkpoint: str, size: int) -> int:
    """Let rows of so many bytes take the place of those before a checkpoint; return how many.

    Those after it are numbered anew, and so is the checkpoint.
    """
    loop = json.loads((run.checkpoints / checkpoint / "loop.json").read_text())
    rows = [json.loads(line) for line in run.metrics.read_bytes().splitlines()]
    after = [row for row in rows if row["seq"] > loop["seq"]]
    count = fill_metrics(run.metrics, size, env_steps=0)
    with run.metrics.open("ab") as file:
        file.writelines(row_line({**row, "seq": row["seq"] - loop["seq"] + count}) + b"\n" for row in after)
    change_loop(run, checkpoint, seq=count)
    return count


def change_loop(run: RunPaths, checkpoint: str, **facts: object) -> None:
    """Change what the loop had counted at a checkpoint, and the hashes that go with it."""
    folder = run.checkpoints / checkpoint
    data = json.dumps({**json.loads((folder / "loop.json").read_text()), **facts}).encode()
    (folder / "loop.json").write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest[SEAL]
    manifest["sha256"]["loop.json"] = digest(data)
    (folder / MANIFEST).write_text(json.dumps({**manifest, SEAL: seal_of(manifest)}))
