"""Plant runs with metrics as large as those of weeks, in seconds: one row of the learner's again and again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from learners import DEBUG

from mbpo import train
from mbpo.data.real_buffer import Behaviour
from mbpo.data.transitions import Transitions
from mbpo.learner.learner import Learner
from mbpo.lifecycle.training import Training
from mbpo.runs.config_file import read_config
from mbpo.runs.hashes import MANIFEST, SEAL, digest, seal_of
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import METRICS
from mbpo.runs.records.row import new_row, row_line
from mbpo.runs.status import RunStatus, write_status
from mbpo.saving.store import CheckpointStore
from mbpo.settings.config import resolve_run

AT_ONCE = 10_000  # rows
GROUPS = ("rollout/length", "mix/", "time/", "sac/")  # of an interval's row


class Cut(BaseException):
    """End a learner where it stands."""


def cut_off(root: Path, total_steps: int) -> RunPaths:
    """Return a run that was cut off at env step 150, its checkpoint at 100."""

    def cut(self: Training, env_steps: int, metrics: Mapping[str, Any]) -> None:
        if env_steps == 150:
            raise Cut
        log_interval(self, env_steps, metrics)

    log_interval = Training.log_interval
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Cut):
        patch.setattr(Training, "log_interval", cut)
        flags = ("--checkpoint-every", "100", "--total-steps", str(total_steps), "--log-every", "10")
        train.main([*DEBUG, *flags, "--runs-root", str(root), "--run-id", "cut"])
    run = RunPaths(root / "cut")
    write_status(run, RunStatus(state="stopped", env_id="Pendulum-v1"))
    return run


def lengthen(run: RunPaths, env_steps: int, rows: int) -> None:
    """Let a run that was cut off have come to ``env_steps``: as many real rows, ``rows`` of metrics, a checkpoint."""
    learner, store = Learner(resolve_run(read_config(run.config))), CheckpointStore(run.checkpoints)
    saved, _ = store.load_newest()
    assert saved is not None
    learner.load_state_dict(saved.parts)
    real = learner.real_buffer
    more, width, action_dim = env_steps - real.added, real.memory.shape[1], real.action_dim
    drawn = torch.randn(more, width + 2 * action_dim + 1, generator=torch.Generator().manual_seed(0))
    mean, log_std, log_prob = drawn[:, width:].split((action_dim, action_dim, 1), dim=1)
    transitions = Transitions(drawn[:, :width], real.obs_dim, action_dim)
    real.add_real(transitions, Behaviour(mean, log_std, log_prob[:, 0]))
    store.save(learner, env_steps, "last", {**saved.loop, "env_steps": env_steps, "seq": rows})
    store.settle()
    store.close()
    learner.close()
    fill_metrics(run.metrics, 1, env_steps=env_steps // rows, at_once=rows)


def fill_metrics(path: Path, size: int, env_steps: int = 1, at_once: int = AT_ONCE) -> int:
    """Write rows of an interval, ``env_steps`` apart, until the file has ``size`` bytes; return how many."""
    keys = [key for key in METRICS if key.startswith(GROUPS)]
    line = row_line(new_row("interval", 1, 1, 1, 1.5, {key: 1000 / (n + 3) for n, key in enumerate(keys)})).decode()
    head, tail = line.split('"seq": 1, "attempt": 1, "env_steps": 1, "time_s": 1.5')
    place = head + '"seq": %d, "attempt": 1, "env_steps": %d, "time_s": %d.5' + tail.replace("%", "%%") + "\n"
    count = 0
    with path.open("wb") as file:
        while file.tell() < size:
            numbers = range(count + 1, count + 1 + at_once)
            file.write("".join([place % (n, env_steps * n, n) for n in numbers]).encode())
            count += at_once
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
