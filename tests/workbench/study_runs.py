"""Write a study and some of its runs as learners and engines leave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seed_runs import ENDED, add_seed

from mbpo.studies.folder import ENGINE, KEPT, state_of

STUDY = """
name = "{name}"
seeds = "0:{seeds}"
[base]
preset = "pendulum"
gamma = 0.99
[axes]
rollout_length = [1, 5]
"""
ELSEWHERE: dict[str, Any] = {"host": "node7", "interactive": False, "controls": {}, "total_steps": 1000}


def write_study(root: Path, name: str = "swing", seeds: int = 4, engine: str = "slurm") -> Path:
    """Write the folder of a study that asks for k 1 and 5 with each seed; no run of it has begun."""
    folder = root / name
    state_of(folder).mkdir(parents=True)
    (folder / KEPT).write_text(STUDY.format(name=name, seeds=seeds))
    (state_of(folder) / ENGINE).write_text(engine)
    return folder


def add_run(folder: Path, k: int, seed: int, **status: Any) -> Path:
    """Write a run of a study that has finished, or is as its status says."""
    return add_seed(folder, f"k{k}-s{seed}", seed, k, gain=3.0 * k + seed, **status)


def half_done(root: Path, **study: Any) -> Path:
    """Write a study of which two runs are done, one is at work, two are cut off, one failed, and two wait."""
    folder = write_study(root, **study)
    for k in (1, 5):
        add_run(folder, k, 0)
    add_run(folder, 1, 1, state="running", end=500, **ELSEWHERE | {"heartbeat": 4e9})
    add_run(folder, 5, 1, state="running", end=500, **ELSEWHERE | {"heartbeat": 1.7e9})  # silent
    add_run(folder, 1, 2, state="failed", end=500, reason="out of memory", exit_code=8)
    add_run(folder, 5, 2, state="stopped", end=500)
    return folder


def a_thousand(root: Path) -> Path:
    """Write a study of 1,000 runs, two of which are at work on another host."""
    folder = write_study(root, seeds=500)
    for k in (1, 5):
        for seed in range(500):
            at_work = seed == 499
            facts = ELSEWHERE | {"heartbeat": 4e9} if at_work else ENDED
            add_run(folder, k, seed, **facts | {"state": "running" if at_work else "finished"})
    return folder
