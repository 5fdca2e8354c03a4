"""Write run directories like a learner's, with fixed contents."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil

from mbpo.runs.status import RunStatus, this_process
from mbpo.trust.bound import best_length, gap_ratio

CONFIG = 'preset = "pendulum"\nenv_id = "Pendulum-v1"\ngamma = 0.99\nrollout_length = 3\n'


def status_of(state: str = "running", **changes: Any) -> RunStatus:
    status = RunStatus(
        state=state,
        phase="refit",
        env_steps=1240,
        total_steps=4000,
        env_id="Pendulum-v1",
        preset="pendulum",
        seed=3,
        started=1_700_000_000.0,
        steps_per_s=38.0,
        last_return=-142.0,
        eval_return=-151.0,
        best_return=-139.0,
        best_at=1000,
        threshold=-200.0,
        solved_at=900,
        heartbeat=time.time(),
        revision=1,
        interactive=True,
        controls={
            "rollout_length": 3,
            "rollout_schedule": [20, 150, 1, 15],
            "real_ratio": 0.1,
            "model_train_freq": 250,
            "updates_per_step": 20,
        },
        recent_returns=[-1400.0, -1200.0, -900.0, -600.0, -300.0, -142.0],
    )
    return msgspec.structs.replace(status, **{**this_process(), **changes})


def lost_status(**changes: Any) -> RunStatus:
    """Return the status of a learner whose process is gone."""
    created = psutil.Process().create_time() - 1000
    began = {"create_time": created, "since_boot": 0.0}
    return status_of(**{"pid": os.getpid(), **began, **changes})


def make_run(root: Path, name: str, status: RunStatus, rows: int = 0) -> Path:
    path = root / name
    (path / "control").mkdir(parents=True)
    put_status(path, status)
    (path / "config.toml").write_text(CONFIG)
    if rows:
        lines = metric_rows(rows, status.env_steps)
        (path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines))
        events = "".join(json.dumps(event) + "\n" for event in some_events())
        (path / "events.jsonl").write_text(events)
        (path / "log.txt").write_text("".join(f"{s:>6} refit done\n" for s in range(50, 1240, 50)))
    return path


def add_checkpoint(path: Path, step: int, **settings: Any) -> None:
    """Write the note of a checkpoint that the app reads; the tensors are not there."""
    folder = path / "checkpoints" / f"step-{step:09d}"
    folder.mkdir(parents=True)
    note = {"env_steps": step, "settings": {"rollout_length": 3, "real_ratio": 0.1, **settings}}
    (folder / "loop.json").write_text(json.dumps(note))


def put_status(path: Path, status: RunStatus) -> None:
    temporary = path / ".status.tmp"
    temporary.write_text(json.dumps(msgspec.to_builtins(status)))
    temporary.replace(path / "status.json")


def add_event(path: Path, **event: Any) -> None:
    with (path / "events.jsonl").open("a") as file:
        file.write(json.dumps(event) + "\n")


def metric_rows(count: int, end: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for index in range(1, count + 1):
        share, step = index / count, round(index / count * end)
        wave = 120 * math.sin(index * 1.7)
        metrics: dict[str, float | None] = {"episode/return": -1400 + 1250 * share + wave}
        if index % 5 == 0:
            metrics |= {"eval/return_mean": -1350 + 1210 * share, "eval/return_std": 90 - 40 * share}
        if index % 2 == 0 and share > 0.15:
            metrics |= model_metrics(share, step)
        rows.append({"seq": index, "attempt": 1, "env_steps": step, "time_s": index, **metrics})
    return rows


def model_metrics(share: float, step: int) -> dict[str, float | None]:
    k = 1 if step < 600 else 3
    eps_m_new, eps_pi = 0.22 - 0.08 * share, 0.15 + 0.02 * share
    rho = eps_m_new / eps_pi
    return {
        "model/holdout_mse": 0.02 * math.exp(-2 * share),
        "model/new_data_mse": 0.03 * math.exp(-1.5 * share),
        "bound/eps_m": 0.18 - 0.08 * share,
        "bound/eps_m_new": eps_m_new,
        "bound/eps_pi": None if 0.5 < share < 0.6 else eps_pi,
        "bound/rho": rho,
        "bound/k_star": float(best_length(0.99, rho)),
        "bound/c_ratio": gap_ratio(k, 0.99, rho),
        "bound/c_over_gap": 16.2,
        "rollout/length": float(k),
        "rollout/length_measured": float(k),
        "rollout/rows": 1000.0 * k,
        "mix/real_ratio": 0.05 if step < 800 else 0.1,
        "mix/real_ratio_measured": (0.05 if step < 800 else 0.1) + 0.002 * math.sin(step),
    }


def some_events() -> list[dict[str, Any]]:
    return [
        {"event": "started", "env_steps": 0, "attempt": 1},
        {"event": "evaluation", "env_steps": 500, "eval/return_mean": -830.0, "eval/return_std": 75.0},
        {
            "event": "control",
            "id": "one",
            "status": "applied",
            "at_env_steps": 600,
            "old": {"rollout_length": 1},
            "new": {"rollout_length": 3},
            "by": "workbench",
            "revision": 1,
        },
        {
            "event": "control",
            "id": "two",
            "status": "applied",
            "at_env_steps": 800,
            "old": {"real_ratio": 0.05},
            "new": {"real_ratio": 0.1},
            "by": "mbpo.control",
            "revision": 2,
        },
        {
            "event": "control",
            "id": "three",
            "status": "rejected",
            "at_env_steps": 900,
            "reason": "stale: expected revision 0, it is 2",
            "revision": 2,
        },
        {"event": "evaluation", "env_steps": 1000, "eval/return_mean": -151.0, "eval/return_std": 60.0},
    ]
