"""Write a run, its forks and another run, to be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fake_run import make_run, metric_rows, status_of


def put_config(path: Path, **settings: Any) -> None:
    text = (path / "config.toml").read_text()
    kept = [line for line in text.splitlines() if line.split(" =")[0] not in settings]
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (path / "config.toml").write_text("\n".join(kept + lines) + "\n")


def put_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def add_fork(root: Path, name: str, parent: str, k: int, end: int = 1240, **controls: Any) -> Path:
    """Write a fork with its parent's rows up to its step, and better returns from there."""
    origin, step = parent.split("@")
    settings = {"rollout_length": k, "real_ratio": 0.1, **controls}
    path = make_run(root, name, status_of(parent=parent, env_steps=end, controls=settings))
    put_config(path, rollout_length=k)
    lines = (root / origin / "metrics.jsonl").read_text().splitlines()
    old = [row for row in map(json.loads, lines) if row["env_steps"] <= int(step)]
    new = [row for row in metric_rows(end // 20, end) if row["env_steps"] > int(step)]
    for row in new:
        for key in ("episode/return", "eval/return_mean"):
            if key in row:
                row[key] += 60 * k
        if "rollout/length_measured" in row:
            row["rollout/length_measured"] = float(k)
            row["bound/rho"] = row["bound/eps_m_new"] / (0.1 + 0.02 * k)
    put_rows(path, old + new)
    return path


def a_family(root: Path) -> None:
    make_run(root, "base", status_of("finished", started=3.0), rows=62)
    add_fork(root, "base-k5", "base@600", 5)
    add_fork(root, "base-k9", "base@600", 9, end=1000)
    add_fork(root, "deeper", "base-k5@900", 1, end=2000, real_ratio=0.5)
    make_run(root, "other", status_of("finished", started=1.0, seed=4), rows=10)
    put_config(root / "other", seed=4)
