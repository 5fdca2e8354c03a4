"""Write groups of runs that differ in their seed only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fake_run import make_run, metric_rows, status_of
from family import put_config, put_rows

ENDED: dict[str, Any] = {"interactive": False, "controls": {}, "env_steps": 1000, "total_steps": 1000}


def add_seed(root: Path, name: str, seed: int, k: int, gain: float = 0.0, end: int = 1000, **status: Any) -> Path:
    """Write a run whose evaluations, at 500 and ``end``, are those of all its kind and ``gain``."""
    facts = {**ENDED, "seed": seed, "env_steps": end, "eval_return": -140.0 + gain, **status}
    path = make_run(root, name, status_of(facts.pop("state", "finished"), **facts))
    put_config(path, seed=seed, rollout_length=k)
    rows = metric_rows(10, 1000)[: end // 100]
    for row in rows:
        if "eval/return_mean" in row:
            row["eval/return_mean"] += gain
    put_rows(path, rows)
    return path


def two_groups(root: Path, seeds: int = 4) -> None:
    for k in (1, 5):
        for seed in range(seeds):
            add_seed(root, f"k{k}-s{seed}", seed, k, gain=10.0 * seed + 3 * k, solved_at=500 if seed else None)
