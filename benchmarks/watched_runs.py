"""Write run directories to watch, and let them grow from a process of their own.

``python -m benchmarks.watched_runs ROOT RUNS ROWS RATE [KEY…]`` appends a row to each of the first RUNS runs RATE times
a second, and writes their status once a second, as a learner does, until SIGTERM. The standard library suffices.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
STATUS_S = 1.0
TOTAL_STEPS = 10**6


def as_installed(tree: Path) -> None:
    """Compile the app's modules of a tree, as pip does at an install: PYTHONDONTWRITEBYTECODE may be set here."""
    command = [sys.executable, "-m", "compileall", "-q", "workbench", "mbpo"]
    subprocess.run(command, cwd=tree, check=True)


def name_of(run: int) -> str:
    """Return a run's name."""
    return f"hopper-{run:03d}"


def steps_at(index: int, run: int) -> int:
    """Return a run's env steps after so many rows; no two runs have the same."""
    return 10 * index + run


def row(index: int, run: int, rows: int, more: Sequence[str] = ()) -> dict[str, float]:
    """Return a row with every metric that is drawn, the worst case, and those of ``more``."""
    share, wave = index / rows, math.sin(index * 1.7)
    return {
        "episode/return": 3000 * share + 100 * wave,
        "eval/return_mean": 3000 * share + 20 * run,
        "eval/return_std": 50.0,
        "bound/eps_m": 0.2 - 0.1 * share,
        "bound/eps_pi": 0.15,
        "bound/eps_m_new": 0.22 - 0.1 * share + 0.01 * wave,
        "bound/rho": 0.9 - 0.1 * run,
        "bound/k_star": 20.0,
        "model/holdout_mse": 0.02,
        "model/new_data_mse": 0.03 + 0.01 * wave,
        "rollout/length": 1.0 + run,
        "rollout/length_measured": 1.0 + run,
        "rollout/rows": 1e5,
        "mix/real_ratio": 0.05,
        "mix/real_ratio_measured": 0.05 + 0.01 * wave,
        **{key: math.sin(0.01 * index * (place + 1)) + 0.1 * run for place, key in enumerate(more)},
    }


def line(index: int, run: int, metrics: dict[str, float]) -> str:
    """Return a row as a line of metrics.jsonl."""
    head = {"seq": index, "attempt": 1, "env_steps": steps_at(index, run), "time_s": float(index)}
    return json.dumps({**head, **metrics}) + "\n"


def put_status(path: Path, index: int, run: int, state: str) -> None:
    """Write a run's status as it is after so many rows."""
    status: dict[str, Any] = {
        "state": state,
        "host": "elsewhere",  # no process of this machine is looked for
        "env_id": "Hopper-v5",
        "seed": run,
        "env_steps": steps_at(index, run),
        "total_steps": TOTAL_STEPS,
        "steps_per_s": 50.0,
        "eval_return": float(index),
        "started": 1.7e9 + run,
        "heartbeat": time.time(),
    }
    new = path / ".status.new"
    new.write_text(json.dumps(status))
    new.replace(path / "status.json")


def write_run(root: Path, run: int, rows: int, state: str = "finished", more: Sequence[str] = ()) -> None:
    """Write a run of so many rows."""
    path = root / name_of(run)
    path.mkdir(parents=True)
    (path / "config.toml").write_text(f'env_id = "Hopper-v5"\nseed = {run}\nrollout_length = {run % 8 + 1}\n')
    (path / "metrics.jsonl").write_text("".join(line(n, run, row(n, run % 8, rows, more)) for n in range(1, rows + 1)))
    put_status(path, rows, run, state)


@contextlib.contextmanager
def growing(root: Path, runs: int, rows: int, rate: float, more: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """Let the first runs grow; :func:`stop` says how far they came."""
    command = [sys.executable, "-m", "benchmarks.watched_runs", str(root), str(runs), str(rows), str(rate), *more]
    with at_work(subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True)) as writer:
        yield writer


@contextlib.contextmanager
def at_work(writer: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End a writer in the end, however it goes."""
    try:
        yield writer
    finally:
        writer.kill()
        writer.wait()


def stop(writer: subprocess.Popen[str]) -> int:
    """Let the runs grow no more; return how many rows each has."""
    writer.terminate()
    assert writer.stdout is not None
    return int(writer.stdout.read())


def grow(root: Path, runs: int, rows: int, rate: float, more: Sequence[str]) -> None:
    """Append to the runs until SIGTERM, then print how many rows each has."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    index, told = rows, 0.0
    while not asked:
        index += 1
        for run in range(runs):
            with (root / name_of(run) / "metrics.jsonl").open("a") as file:
                file.write(line(index, run, row(index, run % 8, rows, more)))
        if time.monotonic() - told >= STATUS_S:
            told = time.monotonic()
            _tell(root, runs, index)
        time.sleep(1.0 / rate)
    _tell(root, runs, index)
    print(index)


def _tell(root: Path, runs: int, index: int) -> None:
    for run in range(runs):
        put_status(root / name_of(run), index, run, "running")


if __name__ == "__main__":
    grow(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
