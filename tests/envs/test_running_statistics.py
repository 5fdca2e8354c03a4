"""Refuse what scales by statistics of all its episodes, and take it where they are frozen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import NormalizeObservation, NormalizeReward
from learners import Outcome
from tiny_runs import Train
from toy_envs import Toy

from mbpo import check_env
from mbpo.envs.wrappers import running_statistics

HERE = __name__


class RunningMeanStd:
    """Count, as many projects have it."""

    def __init__(self) -> None:
        self.count, self.mean = 1e-4, np.zeros(2)


class WelfordRunningVariance(RunningMeanStd):
    """Count under another name."""


class Whitened(gymnasium.ObservationWrapper[Any, Any, Any]):  # type: ignore[misc]
    """Subtract a mean that moves."""

    def __init__(self, env: Any, welford: bool = False) -> None:
        super().__init__(env)
        self.filter = WelfordRunningVariance() if welford else RunningMeanStd()

    def observation(self, observation: Any) -> Any:
        self.filter.count += 1
        self.filter.mean += (observation - self.filter.mean) / self.filter.count
        return (observation - self.filter.mean).astype(np.float32)


class Scaling(gymnasium.RewardWrapper[Any, Any]):  # type: ignore[misc]
    """Keep its numbers as they are, without a class for them."""

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self.ret_rms = np.ones(3)

    def reward(self, reward: Any) -> float:
        self.ret_rms[0] += abs(float(reward))
        return float(reward) / float(self.ret_rms[0])


class Frozen(NormalizeObservation):  # type: ignore[misc]
    """Scale by numbers that stay."""

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self.update_running_mean = False


class Evaluating(Whitened):
    """Scale by numbers that stay, as others say it."""

    training = False

    def observation(self, observation: Any) -> Any:
        return observation


gymnasium.register("Normalized-v0", lambda: NormalizeReward(Toy()), max_episode_steps=20)


@pytest.mark.parametrize(
    ("wrapper", "name"),
    [
        ("gymnasium.wrappers:NormalizeObservation", "NormalizeObservation keeps running statistics (obs_rms)"),
        ("gymnasium.wrappers:NormalizeReward(gamma=0.9)", "NormalizeReward keeps running statistics (return_rms)"),
        (f"{HERE}:Whitened", "Whitened keeps running statistics (filter)"),
        (f"{HERE}:Whitened(welford=true)", "Whitened keeps running statistics (filter)"),
        (f"{HERE}:Scaling", "Scaling keeps running statistics (ret_rms)"),
    ],
)
def test_running_statistics_are_refused_before_there_is_a_run(
    wrapper: str, name: str, train_on: Train, call: Callable[..., Outcome]
) -> None:
    inside = ("--wrapper", wrapper, "--wrapper", "gymnasium.wrappers:RecordEpisodeStatistics")
    run = train_on("Toy-v0", *inside)
    checked = call(check_env.main, "Toy-v0", *inside)
    for outcome in (run.outcome, checked):
        assert outcome.code == 3
        assert name in outcome.error
        assert "leave it out" in outcome.error
    assert not run.paths.root.exists()


def test_an_environment_that_brings_them_along_is_refused_too(train_on: Train) -> None:
    run = train_on("Normalized-v0")
    assert run.outcome.code == 3
    assert "Normalized-v0: NormalizeReward keeps running statistics" in run.outcome.error


@pytest.mark.parametrize("wrapper", ["Frozen", "Evaluating"])
def test_frozen_ones_are_taken(wrapper: str, train_on: Train) -> None:
    run = train_on("Toy-v0", "--wrapper", f"{HERE}:{wrapper}")
    assert run.outcome.code == 0
    assert not any("repeat" in text for text in run.warnings)


def test_wrappers_that_count_for_nothing_else_are_no_running_statistics() -> None:
    toy = gymnasium.make("Toy-v0")
    kinds = (gymnasium.wrappers.RecordEpisodeStatistics, gymnasium.wrappers.TimeAwareObservation, Frozen)
    for layer in (toy, toy.unwrapped, *(kind(toy) for kind in kinds)):
        assert running_statistics(layer) == ""
