"""Solved is the first evaluation from which on all reach the threshold: in words, in the status, after a resume."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learners import Outcome, rows

from mbpo import train
from mbpo.runs.layout import RunPaths
from mbpo.runs.solved import solved_at, solved_words
from mbpo.runs.status import load_status

Call = Callable[..., Outcome]
QUICK = ("--preset", "debug", "--total-steps", 300, "--eval-every", 50, "--checkpoint-every", 100, "--seed", 1)


@pytest.mark.parametrize(
    ("values", "solved"),
    [
        ([], None),
        ([-300], None),
        ([-200], 100),
        ([-100, -150, -300, -150, -199], 400),
        ([-100, -150, -300], None),
        ([-300, None, -100], 300),
        ([-300, math.nan, -100, math.nan], None),
        ([-100, math.inf], 100),
    ],
)
def test_from_there_on_all_reach_it(values: list[float | None], solved: int | None) -> None:
    assert solved_at([(100 * i, value) for i, value in enumerate(values, start=1)], -200.0) == solved


@given(st.lists(st.floats(-5, 5)), st.floats(-5, 5), st.integers(0, 20))
def test_one_by_one_it_says_the_same(values: list[float], threshold: float, cut: int) -> None:
    curve = list(enumerate(values))
    assert solved_at(curve[cut:], threshold, solved_at(curve[:cut], threshold)) == solved_at(curve, threshold)


def test_in_words() -> None:
    assert solved_words(-200.0, 1500) == "solved at 1,500"
    assert solved_words(-200.0, None) == "not solved yet"
    assert solved_words(-200.0, None, evaluated=False) == solved_words(None, None) == ""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    root = tmp_path_factory.mktemp("solved")
    assert train.main([*map(str, QUICK), "--threshold=-1e6", "--runs-root", str(root), "--run-id", "easy"]) == 0
    return RunPaths(root / "easy")


def evaluated(run: RunPaths) -> list[tuple[int, float]]:
    return [(row["env_steps"], row["eval/return_mean"]) for row in rows(run.metrics) if "eval/return_mean" in row]


def test_status_and_log_say_it(run: RunPaths) -> None:
    status, curve = load_status(run), evaluated(run)
    best_at, best = max(curve, key=lambda point: (point[1], point[0]))
    assert (status.threshold, status.solved_at) == (-1e6, curve[0][0])
    assert (status.eval_return, status.best_return, status.best_at) == (curve[-1][1], best, best_at)
    log = run.log.read_text()
    assert f"best {best:.1f} at {best_at}, solved at {curve[0][0]}" in log
    assert log.count("solved at") == len(curve) + 1


def test_a_resumed_and_a_forked_run_know_it(run: RunPaths, call: Call) -> None:
    assert call(train.main, "--fork", f"{run.root}@100", "--run-id", "f", "--runs-root", run.root.parent).code == 0
    assert load_status(RunPaths(run.root.parent / "f")).solved_at == evaluated(run)[0][0]


@pytest.mark.parametrize(
    ("flags", "threshold"),
    [
        (("--preset", "pendulum"), -200.0),
        (("--env-id", "InvertedPendulum-v5"), 950.0),  # as registered
        (("--env-id", "InvertedPendulum-v5", "--env-kwargs", "reset_noise_scale=0.1"), None),
        (("--env-id", "InvertedPendulum-v5", "--threshold", "7"), 7.0),
        (("--env-id", "Walker2d-v5"), None),
    ],
)
def test_where_the_threshold_comes_from(
    flags: tuple[str, ...], threshold: float | None, tmp_path: Path, call: Call
) -> None:
    command = (
        *flags,
        "--report",
        "false",
        "--total-steps",
        2,
        "--warmup-steps",
        2,
        "--runs-root",
        tmp_path,
        "--run-id",
        "r",
    )
    assert call(train.main, *command).code == 0
    assert json.loads((tmp_path / "r" / "status.json").read_text())["threshold"] == threshold
