"""Environments that do not repeat: found by short plays, said at the start, resumable all the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from tiny_runs import Run, Train
from toy_envs import Toy

from mbpo.envs import repeats as repeats_module
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.repeats import EPISODES, GOES_ON, repeats
from mbpo.envs.spec import EnvSpec
from mbpo.errors import Interrupted
from mbpo.lifecycle.training import Training

Resume = Callable[[Run], Run]
LUCK = random.SystemRandom()


class Moody(Toy):
    """Differ in one way from one play to the next."""

    made = 0

    def __init__(self, kind: str = "") -> None:
        super().__init__()
        Moody.made += 1
        self.number = Moody.made
        self.kind = kind
        self.own = np.random.default_rng()
        self.resets = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.resets += 1
        self.position += {
            "start": lambda: self.own.normal(),
            "wear": lambda: 0.01 * self.resets,
            "first": lambda: float(self.resets == 1),
            "global": lambda: random.random() + np.random.normal(),
        }.get(self.kind, lambda: 0.0)()
        return self.observe(), {}

    def reward(self) -> float:
        late = self.kind == "late" and self.steps > 11
        return super().reward() + (LUCK.random() if self.kind == "reward" or late else 0.0)

    def step(self, action: Any) -> Any:
        obs, reward, _, _, info = super().step(action)
        if self.kind == "broken" and self.steps > 11:
            raise RuntimeError("broken")
        return obs, reward, self.kind == "end" and self.steps > self.number, False, info


gymnasium.register("Moody-v1", Moody, max_episode_steps=20)
FRESH = "; --fresh-env true makes it exact"


@pytest.fixture(autouse=True)
def new() -> Iterator[None]:
    Moody.made = 0
    yield


@pytest.mark.parametrize(
    ("kind", "why", "mend"),
    [
        ("", "", ""),
        ("global", "", ""),
        ("broken", "", ""),  # training meets that
        ("start", "two fresh ones with the same seed and actions differ at reset", ""),
        ("reward", "two fresh ones with the same seed and actions differ at step 1", ""),
        ("late", "two fresh ones with the same seed and actions differ at step 12", ""),
        ("end", "two fresh ones with the same seed and actions differ at step", ""),
        ("wear", "a later episode differs from the same one in a fresh environment at reset", FRESH),
        ("first", "a later episode differs from the same one in a fresh environment at reset", FRESH),
    ],
)
def test_short_plays_tell_what_repeats_and_where_it_does_not(kind: str, why: str, mend: str) -> None:
    found = repeats(BoxEnv(EnvSpec("Moody-v1", {"kind": kind})), 0)
    assert found.exactly == (not why)
    if why:
        assert found.said.startswith(f"the environment does not repeat: {why}")
        assert found.said.endswith(f"{GOES_ON}{mend}")
    else:
        assert found.said == ""


def test_a_slow_environment_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats_module, "PATIENCE_S", 0.0)
    assert repeats(BoxEnv(EnvSpec("Moody-v1", {"kind": "reward"})), 0).exactly
    assert not repeats(BoxEnv(EnvSpec("Moody-v1", {"kind": "start"})), 0).exactly  # resets are compared all the same


def test_what_is_known_to_repeat_is_not_played_unless_someone_wraps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[EnvSpec] = []
    whole = BoxEnv.__init__
    monkeypatch.setattr(BoxEnv, "__init__", lambda self, what: (made.append(what), whole(self, what))[1])
    env, wrapper = BoxEnv("Pendulum-v1"), "gymnasium.wrappers:RecordEpisodeStatistics"
    assert repeats(env, 0).exactly
    assert len(made) == 1
    assert repeats(BoxEnv(EnvSpec("Pendulum-v1", {}, (wrapper,))), 0).exactly
    assert len(made) == 2 + 2 + EPISODES - 1  # in a row, the first again, and each later one alone


def killed(monkeypatch: pytest.MonkeyPatch, env_steps: int) -> None:
    whole = Training.after_step

    def after_step(self: Training) -> None:
        whole(self)
        if self.env_steps == env_steps:
            raise Interrupted

    monkeypatch.setattr(Training, "after_step", after_step)


@pytest.mark.parametrize(
    ("kind", "fresh", "exact"),
    [("start", "false", False), ("reward", "false", False), ("wear", "false", False), ("wear", "true", True)],
)
def test_it_is_said_once_and_a_resume_goes_on_and_says_how(
    kind: str, fresh: str, exact: bool, train_on: Train, resume: Resume, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--env-kwargs", f"kind={kind}", "--checkpoint-every", 50, "--fresh-env", fresh)
    twin = train_on("Moody-v1", *flags, run_id="twin") if exact else None
    with monkeypatch.context() as patch:
        killed(patch, 71)
        run = train_on("Moody-v1", *flags)
    assert run.outcome.code == 130
    said = [text for text in run.warnings if "does not repeat" in text]
    assert len(said) == (0 if exact else 1)
    again = resume(run)
    assert again.outcome.code == 0
    (resumed,) = again.events("resumed")
    assert (resumed["exact"], resumed["env_steps"], resumed["attempt"]) == (exact, 50, 2)
    assert ("why" in resumed) == (not exact)
    assert [text for text in again.warnings if "does not repeat" in text] == said
    assert (again.status.state, again.status.env_steps) == ("finished", 120)
    if twin is not None:
        assert again.figures() == twin.figures()
        return
    assert "warning: not exact, a new episode begins: played again" in again.outcome.out
    ends = {row["env_steps"] for row in again.metrics("episode") if row["attempt"] == 2}
    assert ends == {70, 90, 110}  # ten steps of the lost episode are in none


def test_a_fresh_environment_for_each_episode_is_closed_and_made_again() -> None:
    env = BoxEnv(EnvSpec("Moody-v1", {"kind": "first"}, fresh=True))
    starts = [env.reset(seed)[0] for seed in (5, 6, 5)]
    assert Moody.made == 3
    assert starts[0] == starts[2]
    kept = BoxEnv(EnvSpec("Moody-v1", {"kind": "first"}))
    assert [kept.reset(seed)[0] for seed in (5, 6)] != starts[:2]
