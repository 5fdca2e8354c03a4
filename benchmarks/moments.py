"""Ask whether trust predicts the best k: ``python -m benchmarks.moments WHAT_IF.json… --csv FILE``.

Each file is the answer of ``mbpo.what_if`` at one moment of a run, with fixed lengths among its arms and, if the
disagreement rule is to be asked too, ``k_policy=disagreement``. What was known at that moment, the trusted horizon, k*
and how far that rule let its first rollouts go, is held against the fixed length that turned out best.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mbpo.runs.layout import RunPaths
from mbpo.runs.rows import JsonLines, rows_in

KNOWN = {
    "horizon": "trust/horizon_steps",
    "horizon_longest": "trust/horizon_longest",
    "error_5": "trust/error_5",
    "k_star": "bound/k_star",
    "k_star_low": "bound/k_star_low",
    "k_star_high": "bound/k_star_high",
}
PREDICTORS = ("horizon", "disagreement", "k_star", "error_5")
RESAMPLES = 4000


def main() -> int:
    """Print and write a row per moment, and the rank correlations."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.moments", description=__doc__.splitlines()[0])
    parser.add_argument("answers", nargs="+", metavar="WHAT_IF.json")
    parser.add_argument("--csv", required=True, metavar="FILE", help="a row per moment")
    given = parser.parse_args()
    moments = [moment(json.loads(Path(path).read_text())) for path in given.answers]
    with Path(given.csv).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(moments[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(moments)
    for best in ("best_final", "best_on_the_way"):
        for predictor in PREDICTORS:
            print(f"{best} by {predictor}: {correlation(moments, predictor, best)}")
    return 0


def moment(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what was known at the moment, and which fixed lengths did how well."""
    known = latest(RunPaths(Path(answer["run_dir"])), answer["step"])
    lengths = {length: arm for arm in answer["arms"] if (length := fixed_length(arm, answer)) is not None}
    found: dict[str, Any] = {"run": answer["run"], "env_id": answer["env_id"], "step": answer["step"]}
    found |= {name: known.get(key, math.nan) for name, key in KNOWN.items()}
    found["disagreement"] = first_length(answer)
    for figure, name in (("final", "best_final"), ("on_the_way", "best_on_the_way")):
        means = {length: arm[figure]["mean"] for length, arm in lengths.items() if arm[figure]["mean"] is not None}
        best = max(means, key=means.__getitem__)
        found[name] = best
        found[f"{name}_told"] = told(lengths[best], lengths.values(), figure)
        found[f"{name}_means"] = " ".join(f"{length}:{means[length]:.1f}" for length in sorted(means))
    return found


def latest(paths: RunPaths, step: int) -> dict[str, float]:
    """Return the newest value of each metric that was written before ``step``'s own refit."""
    values: dict[str, float] = {}
    for row in rows_in(JsonLines(paths.metrics)):
        if row.get("env_steps", 0) < step:
            values |= {key: value for key, value in row.items() if value is not None}
    return values


def fixed_length(arm: dict[str, Any], answer: dict[str, Any]) -> int | None:
    """Return the k of an arm that fixes it; of "as it is" the one in force."""
    changes = arm["changes"] or {"rollout_length": answer["in_force"].get("rollout_length")}
    length = changes.get("rollout_length")
    return length if set(changes) == {"rollout_length"} and isinstance(length, int) else None


def first_length(answer: dict[str, Any]) -> float:
    """Return how far the disagreement rule let rollouts go in the first refit after the moment, over repeats."""
    found = []
    for arm in answer["arms"]:
        if arm["changes"].get("k_policy") == "disagreement":
            for fork in arm["forks"]:
                rows = rows_in(JsonLines(RunPaths(Path(fork["run_dir"])).metrics))
                later = (r for r in rows if r.get("env_steps", 0) >= answer["step"] and "rollout/length_mean" in r)
                found += [row["rollout/length_mean"] for row in [next(later, None)] if row]
    return float(np.mean(found)) if found else math.nan


def told(best: dict[str, Any], arms: Any, figure: str) -> bool:
    """Return whether the best length is told from the worst: the mean paired difference is beyond twice its error."""
    score = {"final": "final", "on_the_way": "on_the_way"}[figure]
    worst = min(arms, key=lambda arm: arm[figure]["mean"])
    pairs = zip(best["forks"], worst["forks"], strict=True)
    gaps = np.array([a[score] - b[score] for a, b in pairs if a[score] is not None and b[score] is not None])
    return bool(len(gaps) > 1 and gaps.mean() > 2 * gaps.std(ddof=1) / math.sqrt(len(gaps)))


def correlation(moments: Sequence[dict[str, Any]], predictor: str, best: str) -> str:
    """Return Spearman's rank correlation with the best length, and its 95 % interval over resampled runs."""
    rows = [(m["run"], m[predictor], m[best]) for m in moments if not math.isnan(m[predictor])]
    runs = sorted({run for run, _, _ in rows})
    if len(runs) < 2:
        return f"{len(rows)} moments: too few"
    by_run = [np.array([(x, y) for of, x, y in rows if of == run]) for run in runs]
    rng = np.random.default_rng(0)
    draws = [
        spearman(np.concatenate([by_run[i] for i in rng.integers(len(runs), size=len(runs))])) for _ in range(RESAMPLES)
    ]
    low, high = np.nanquantile(draws, (0.025, 0.975))
    return f"{spearman(np.concatenate(by_run)):+.2f} [{low:+.2f}, {high:+.2f}], {len(rows)} moments of {len(runs)} runs"


def spearman(pairs: np.ndarray[Any, Any]) -> float:
    """Return the correlation of ranks of [N, 2]; NaN where one side is all alike."""
    one, other = (ranks(column) for column in pairs.T)
    return float(np.corrcoef(one, other)[0, 1]) if one.std() and other.std() else math.nan


def ranks(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the rank of each value, the mean of their places where some are equal."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_place: np.ndarray[Any, Any] = np.cumsum(counts) - (counts - 1) / 2
    return mean_place[place]


if __name__ == "__main__":
    raise SystemExit(main())
