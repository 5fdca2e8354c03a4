"""Notice a policy that stops learning though every number is finite, and only then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learners import DEBUG, Outcome, rows

from mbpo import train
from mbpo.runs.layout import RunPaths
from mbpo.sac.agent import SACAgent
from mbpo.sac.stall import StallWatch

LR = 3e-4
UPDATES = 2_000  # between two rows of metrics


def said(
    alphas: np.ndarray, entropies: np.ndarray, watch: StallWatch | None = None, first: int = 0
) -> list[tuple[int, str]]:
    watch = watch or StallWatch(target_entropy=-3.0, action_dim=3, alpha_lr=LR)
    pairs = enumerate(zip(alphas.tolist(), entropies.tolist(), strict=True), first)
    found = ((number, watch.stalled(number * UPDATES, *pair)) for number, pair in pairs)
    return [(number, text) for number, text in found if text]


@pytest.mark.promise("a stuck temperature or a collapsed entropy called within 12,000 updates")
@pytest.mark.parametrize("away", [-8.0, 3.5, 20.0])
def test_a_stuck_temperature_is_called_once(away: float) -> None:
    steps = np.arange(50)
    alphas = np.where(steps < 20, np.exp(-0.6 * steps), np.exp(-0.6 * 20))
    ((at, text),) = said(alphas, np.full(50, -3.0 + away))
    assert 25 <= at <= 26
    where = f"{abs(away)} nats {'above' if away > 0 else 'below'} its target"
    assert text == f"α stays at {np.exp(-12.0):.4g} though the policy's entropy is {where}"


def test_a_collapsed_entropy_is_called_while_alpha_moves_and_again_after_it_recovered() -> None:
    fall = np.linspace(-3.0, -40.0, 20)
    entropies = np.concatenate((fall, np.full(20, -3.0), fall))
    alphas = np.exp(np.arange(60) * LR * UPDATES)
    found = said(alphas, entropies)
    assert [text.split(" is ")[0] for _, text in found] == ["the policy's entropy"] * 2
    assert all(text.endswith("below its target and comes no nearer") for _, text in found)
    assert [10 <= at - began <= 12 for (at, _), began in zip(found, (0, 40), strict=True)] == [True, True]


@pytest.mark.parametrize("seed", range(20))
def test_a_temperature_that_follows_the_entropy_raises_no_alarm(seed: int) -> None:
    """The entropy swings far to both sides, and α goes as Adam carries it: a tenth as fast as it could."""
    rng = np.random.default_rng(seed)
    away = 7 * np.sin(np.arange(2000) / rng.uniform(3, 40)) + rng.normal(size=2000)
    alphas = np.exp(-np.cumsum(0.1 * LR * UPDATES * np.sign(away)))
    assert not said(alphas, -3.0 + away)


def test_a_temperature_at_rest_with_the_entropy_on_target_raises_no_alarm() -> None:
    rng = np.random.default_rng(0)
    assert not said(np.full(500, 0.2), -3.0 + rng.uniform(-2.9, 2.9, 500))


def test_a_watch_goes_on_from_its_state() -> None:
    first, second = (StallWatch(-3.0, 3, LR) for _ in range(2))
    alphas, entropies = np.full(4, 0.2), np.full(4, 7.0)
    assert not said(alphas, entropies, first)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    found = said(alphas, entropies, second, first=4)
    assert [at for at, _ in found] == [5]
    assert said(alphas, entropies, first, first=4) == found
    assert not said(alphas, entropies, second, first=8)


def run_of(call: Callable[..., Outcome], root: Path, *flags: str) -> list[dict[str, Any]]:
    steps = ("--total-steps", "300", "--log-every", "10", "--updates-per-step", "1")
    outcome = call(train.main, *DEBUG, *steps, *flags, "--runs-root", root, "--run-id", "r")
    assert outcome.code == 0, outcome.err
    return [
        row for row in rows(RunPaths(root / "r").events) if row["event"] == "warning" and "stalled" in row["reason"]
    ]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StallWatch, "UPDATES", 50)


@pytest.mark.usefixtures("soon")
def test_a_run_whose_temperature_is_kept_in_half_precision_is_called_stalled(
    call: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the spacing of bfloat16 at log 0.5 is 0.001: steps of 3e-4 are lost in it."""
    whole = SACAgent.update_each

    def rounded(self: SACAgent, batches: Any) -> torch.Tensor:
        values = whole(self, batches)
        with torch.no_grad():
            self.log_alpha.copy_(self.log_alpha.bfloat16())
        return values

    flags = ("--init-alpha", "0.5", "--alpha-lr", "3e-4", "--target-entropy", "-4")
    monkeypatch.setattr(SACAgent, "update_each", rounded)
    (warning,) = run_of(call, tmp_path, *flags)
    assert "stalled: α stays at 0.4989 though" in warning["reason"]
    assert warning["reason"].endswith("--fork RUN_DIR with a larger --alpha-lr or a lower --actor-lr")
    monkeypatch.undo()
    assert not run_of(call, tmp_path / "whole", *flags)


@pytest.mark.usefixtures("soon")
def test_a_run_whose_actor_cannot_follow_alpha_is_called_stalled(call: Callable[..., Outcome], tmp_path: Path) -> None:
    found = run_of(call, tmp_path, "--target-entropy", "100", "--actor-lr", "1e-9")
    assert found
    assert "below its target and comes no nearer" in found[0]["reason"]
