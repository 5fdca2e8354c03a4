"""Log the runs of :mod:`benchmarks.watched_runs` with wandb, offline; a Python that has wandb runs this.

``python -m benchmarks.leet_runs ROOT make RUNS ROWS KEY…`` writes finished runs;
``python -m benchmarks.leet_runs ROOT grow ROWS RATE KEY…`` one more that grows until SIGTERM, then says its last step.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import wandb

from benchmarks.watched_runs import name_of, row


def begin(root: Path, run: int) -> wandb.Run:
    """Begin a run."""
    config = {"env_id": "Hopper-v5", "seed": run, "rollout_length": run % 8 + 1}
    return wandb.init(project="mbpo", name=name_of(run), dir=root, mode="offline", config=config)


def make(root: Path, runs: int, rows: int, more: Sequence[str]) -> None:
    """Write finished runs, the first last: the newest stand on top."""
    for number in reversed(range(runs)):
        with begin(root, number) as run:
            for index in range(1, rows + 1):
                run.log(row(index, number % 8, rows, more))


def grow(root: Path, rows: int, rate: float, more: Sequence[str]) -> None:
    """Write so many rows at once, then one after the other."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    with begin(root, 0) as run:
        index = 0
        while not asked or index < rows:
            index += 1
            run.log(row(index, 0, rows, more))
            if index == rows:
                print("grows", flush=True)
            if index >= rows:
                time.sleep(1.0 / rate)
        time.sleep(1.0)
    print(index - 1)  # wandb counts steps from 0


if __name__ == "__main__":
    where, (first, second), keys = Path(sys.argv[1]), sys.argv[3:5], sys.argv[5:]
    if sys.argv[2] == "make":
        make(where, int(first), int(second), keys)
    else:
        grow(where, int(first), float(second), keys)
