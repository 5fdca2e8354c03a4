"""Notice a critic loss that runs away, and only then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learners import DEBUG, Outcome, rows

from mbpo import train
from mbpo.runs.layout import RunPaths
from mbpo.sac.interval import Interval, LossWatch

RUNAWAY = (2.3, 6.5, 235.0, 10_692.0, 251_870.0, 3.3e6, 26e6)  # at 1,000 to 7,000 env steps


def alarms(losses: list[float], every: int = 100, largest: float = 1.0) -> list[int]:
    watch = LossWatch()
    steps = [every * number for number in range(1, len(losses) + 1)]
    return [at for at, loss in zip(steps, losses, strict=True) if watch.alarm(at, loss, lambda: largest)]


@pytest.mark.promise("runaway losses called diverging by step 4,000")
@pytest.mark.parametrize("largest", [0.1, 1.0, 16.0])
@pytest.mark.parametrize("every", [100, 250, 500, 1000])
def test_a_runaway_is_called_by_step_4000_once(every: int, largest: float) -> None:
    at = np.arange(every, 7001, every)
    losses = np.exp(np.interp(at, np.arange(1000, 7001, 1000), np.log(RUNAWAY)))
    found = alarms(losses.tolist(), every, largest)
    assert len(found) == 1
    assert 2000 < found[0] <= 4000


@pytest.mark.parametrize("seed", range(20))
def test_a_loss_that_is_noisy_or_grows_with_the_values_raises_no_alarm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.lognormal(0, 1, 2000)
    growth = np.linspace(1, 100, 2000) ** 2
    assert not alarms((0.01 * noise).tolist())
    assert not alarms((0.01 * noise * growth).tolist())
    assert not alarms((1e-9 * rng.lognormal(0, 8, 2000)).tolist(), largest=1e9)


def test_a_loss_that_recovers_may_alarm_again() -> None:
    losses = [1.0] * 20 + [1e6] * 5 + [1.0] * 20 + [1e6]
    assert alarms(losses) == [2100, 4600]


def test_a_watch_goes_on_from_its_state() -> None:
    first, second = LossWatch(), LossWatch()
    for at in range(5):
        first.alarm(at, 1.0, lambda: 1.0)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert first.alarm(9, 5000.0, lambda: 1.0) == second.alarm(9, 5000.0, lambda: 1.0) == 5000.0
    assert second.alarm(10, 5000.0, lambda: 1.0) == 0.0


def test_a_diverging_run_warns_and_keeps_a_checkpoint_from_before(
    call: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Interval.metrics

    def runaway(self: Interval, env_steps: int, reward_scale: float) -> dict[str, Any]:
        metrics = whole(self, env_steps, reward_scale)
        if metrics and env_steps >= 190:
            metrics["sac/critic_loss"] = 1e6 * env_steps
        return metrics

    monkeypatch.setattr(Interval, "metrics", runaway)
    flags = ("--total-steps", "380", "--log-every", "10", "--checkpoint-every", "30")
    outcome = call(train.main, *DEBUG, *flags, "--runs-root", tmp_path, "--run-id", "r")
    assert outcome.code == 0
    run = RunPaths(tmp_path / "r")
    (warning,) = (event for event in rows(run.events) if event["event"] == "warning")
    assert warning["env_steps"] == 190
    assert "diverging: the critics' loss is" in warning["reason"]
    assert "--fork RUN_DIR@180 with a lower --critic-lr" in warning["reason"]
    index = json.loads((run.checkpoints / "index.json").read_text())
    assert index["before_divergence"] == "step-000000180"
    assert "step-000000180" not in index["last"]
    fork = call(
        train.main,
        "--fork",
        f"{run.root}@180",
        "--runs-root",
        tmp_path,
        "--run-id",
        "f",
        "--critic-lr",
        "1e-4",
        "--total-steps",
        "200",
    )
    assert fork.code == 0, fork.err
