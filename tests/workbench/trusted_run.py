"""Write runs whose learner measured how far its model can be trusted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from fake_run import make_run, metric_rows, status_of
from family import put_config, put_rows


def trust_metrics(share: float, **changes: float | None) -> dict[str, float | None]:
    """Return what a refit at this share of a run measures."""
    return {
        "trust/rows": 1000.0,
        "trust/horizon_steps": round(4 + 20 * share),
        "trust/horizon_longest": 50.0,
        **{f"trust/error_{steps}": 0.03 * steps**0.7 * (1.5 - share) for steps in (1, 5, 10, 20)},
        "trust/coverage_50": 0.3 + 0.22 * share,
        "trust/coverage_90": 0.55 + 0.34 * share,
        "trust/coverage_90_worst": 0.4 + 0.4 * share,
        "trust/coverage_90_worst_target": 2.0,
        "rollout/length_mean": 2.2 if share < 0.5 else 5.1,
        "rollout/length_p10": 1.0,
        "rollout/length_p50": 3.0,
        "rollout/length_p90": 3.0 if share < 0.5 else 9.0,
        "bound/k_star_low": 15.0,
        "bound/k_star_high": 29.0 - 4 * share,
        **changes,
    }


def critics_metrics(share: float) -> dict[str, float | None]:
    """Return what an evaluation at this share of a run holds the critics to."""
    came, promised = -300 + 240 * share, -90 + 20 * math.sin(9 * share)
    return {"trust/q_mean": promised, "trust/return_discounted": came, "trust/q_bias": promised - came}


def trusted_rows(count: int, end: int, **changes: float | None) -> list[dict[str, Any]]:
    """Return rows like a learner's of this version; the first refit measures nothing of the model."""
    rows = metric_rows(count, end)
    refits = [row for row in rows if "model/holdout_mse" in row]
    for row in refits[:1]:
        for key in ("model/new_data_mse", "bound/eps_m_new", "bound/rho", "bound/k_star", "bound/c_over_gap"):
            del row[key]
        row["rollout/length_p50"] = 1.0
    for row in refits[1:]:
        row |= trust_metrics(row["env_steps"] / end, **changes)
    for row in rows:
        if "eval/return_mean" in row:
            row |= critics_metrics(row["env_steps"] / end)
    return rows


def make_trusted_run(root: Path, name: str, state: str = "running", **changes: float | None) -> Path:
    """Write a run in which all of it was measured, but for what ``changes`` say."""
    path = make_run(root, name, status_of(state), rows=60)
    put_rows(path, trusted_rows(60, 1240, **changes))
    return path


def make_early_run(root: Path, name: str, state: str = "running", **config: Any) -> Path:
    """Write a run before its second refit and its first evaluation."""
    path = make_run(root, name, status_of(state, env_steps=300))
    put_config(path, warmup_steps=200, model_train_freq=250, eval_every=500, **config)
    first = {"rollout/length_measured": 1.0, "rollout/length_p50": 1.0, "bound/eps_m": 0.3}
    metrics = {} if config.get("algo") in ("sac", "pets") else first
    put_rows(path, [{"seq": 1, "attempt": 1, "env_steps": 200, "time_s": 1, "episode/return": -9.0, **metrics}])
    return path
