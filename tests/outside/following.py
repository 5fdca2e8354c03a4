"""Follow runs with the real command, and read back what a tracker then has with the tracker's own library."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from learners import ROOT, environment

from mbpo.runs.kept_rows import read_kept
from mbpo.runs.metrics import METRICS
from mbpo.runs.rows import plain_number

Curves = dict[str, list[tuple[int, float]]]  # of each metric, over env steps

HEAD = {"schema": 1, "time": 1_700_000_000.0}


def curves_of(run: Path) -> Curves:
    """Return the metrics of the rows of a run that count."""
    found: Curves = {}
    for row in read_kept(run / "metrics.jsonl")[0]:
        for key, value in row.items():
            if key in METRICS and plain_number(value):
                found.setdefault(key, []).append((row["env_steps"], float(value)))
    return found


def write_run(root: Path, rows: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]] = (), **facts: Any) -> Path:
    """Write a run's directory as a learner leaves it; ``facts`` are settings and ``about``."""
    root.mkdir(parents=True, exist_ok=True)
    about = facts.pop("about", None)
    settings = {"preset": "debug", "env_id": "Pendulum-v1", "seed": 0, **facts}
    (root / "config.toml").write_text(tomli_w.dumps(settings))
    (root / "manifest.json").write_text(json.dumps({"schema": 1, "seal": str(root), "seed": settings["seed"]}))
    if about is not None:
        (root / "about.json").write_text(json.dumps(about))
    status = {"state": "finished", "env_steps": 0, "seed": settings["seed"], "started": HEAD["time"], "schema": 1}
    (root / "status.json").write_text(json.dumps(status))
    append(root / "events.jsonl", [{"event": "started", "env_steps": 0, **HEAD}, *events])
    append(root / "metrics.jsonl", rows)
    return root


def append(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Append rows to a file of JSON lines."""
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def row(seq: int, env_steps: int, **metrics: float) -> dict[str, Any]:
    """Return a row as a learner writes it; in names ``__`` stands for the slash."""
    values = {key.replace("__", "/"): value for key, value in metrics.items()}
    return {"seq": seq, "attempt": 1, "env_steps": env_steps, "time_s": seq / 8, "kind": "interval", **values}


def some_rows(first: int, last: int, by: float = 1.0) -> list[dict[str, Any]]:
    """Return rows numbered from ``first`` to ``last``, two to an env step."""
    return [
        row(seq, 10 * ((seq + 1) // 2), sac__alpha=by * seq / 3, sac__q_mean=-by * seq / 7)
        for seq in range(first, last + 1)
    ]


def follow(*arguments: object, **extra_env: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m mbpo.follow`` to its end, which must be a good one."""
    done = run_follow(*arguments, **extra_env)
    assert done.returncode == 0, done.stderr
    return done


def run_follow(*arguments: object, **extra_env: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m mbpo.follow`` to its end."""
    with started(*arguments, **extra_env) as process:
        out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextlib.contextmanager
def started(*arguments: object, **extra_env: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``python -m mbpo.follow`` beside the test."""
    command = [sys.executable, "-m", "mbpo.follow", *map(str, arguments)]
    process = subprocess.Popen(
        command, env={**environment(), **extra_env}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
