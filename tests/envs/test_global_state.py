"""What belongs to the whole process: each environment has its own, and the learner never sees it."""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from tiny_runs import Run, Train
from toy_envs import Toy

from mbpo.envs import global_state
from mbpo.envs.box_env import BoxEnv
from mbpo.errors import Interrupted
from mbpo.lifecycle.training import Training

ACTION = np.ones(1, np.float32)


class Drawing(Toy):
    """Draw from a generator of the process, at each reset and step."""

    def __init__(self, source: str = "all") -> None:
        super().__init__()
        self.source = source

    def draw(self) -> float:
        one = random.gauss(0, 0.1) if self.source in ("random", "all") else 0.0
        two = float(np.random.normal(0, 0.1)) if self.source in ("numpy", "all") else 0.0
        three = float(torch.randn(()) * 0.1) if self.source in ("torch", "all") else 0.0
        return one + two + three

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.position = self.draw()
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        self.position += self.draw()
        return super().step(action)


gymnasium.register("Drawing-v0", Drawing, max_episode_steps=23)


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Let runs end as by two Ctrl-C after an env step, or no longer."""
    whole = Training.after_step

    def arrange(env_steps: int | None) -> None:
        def after_step(self: Training) -> None:
            whole(self)
            if self.env_steps == env_steps:
                raise Interrupted

        monkeypatch.setattr(Training, "after_step", after_step)

    return arrange


@pytest.mark.parametrize("source", ["random", "numpy", "torch", "all"])
def test_a_kill_and_a_resume_are_exact_for_an_environment_that_draws_globally(
    source: str, train_on: Train, resume: Callable[[Run], Run], killed_at: Callable[[int | None], None]
) -> None:
    flags = ("--env-kwargs", f"source={source}", "--checkpoint-every", 50)
    twin = train_on("Drawing-v0", *flags, run_id="twin")
    killed_at(71)
    run = train_on("Drawing-v0", *flags)
    assert (run.outcome.code, run.saved_at) == (130, 50)
    killed_at(None)
    random.seed(1), np.random.seed(2), torch.manual_seed(3)  # another process begins elsewhere
    again = resume(run)
    assert again.outcome.code == 0
    (resumed,) = again.events("resumed")
    assert (resumed["exact"], resumed["env_steps"]) == (True, 50)
    assert again.figures() == twin.figures()
    assert len(twin.figures()) > 10
    assert not any("repeat" in text for text in twin.warnings)


def test_environments_side_by_side_draw_as_if_each_were_alone() -> None:
    def alone(seed: int) -> list[float]:
        env = BoxEnv("Drawing-v0")
        found = [env.reset(seed)[0]]
        return [*found, *(env.step(ACTION)[0][0] for _ in range(10))]

    one, other = BoxEnv("Drawing-v0"), BoxEnv("Drawing-v0")
    found = [[one.reset(1)[0]], [other.reset(2)[0]]]
    for number in range(10):
        if number == 4:
            BoxEnv("Drawing-v0").reset(3)
        found[0].append(one.step(ACTION)[0][0])
        found[1].append(other.step(ACTION)[0][0])
    assert found == [alone(1), alone(2)]
    assert found[0] != found[1]


def test_an_environment_may_choose_another_generator() -> None:
    def play() -> list[float]:
        env = BoxEnv("Drawing-v0")
        found = [env.reset(seed)[0] for seed in (1, 2)]
        toy: Any = env._env.unwrapped
        draw = toy.draw
        toy.draw = lambda: (np.random.set_bit_generator(np.random.PCG64(7)), draw())[1]  # type: ignore[attr-defined]
        return [*found, *(env.reset(seed)[0] for seed in (3, 1)), env.step(ACTION)[0][0]]

    assert play() == play()


class Meddling(Toy):
    """Set what belongs to the process, as some packages do, and see later whether it is still so."""

    def __init__(self, what: str = "", places: tuple[str, ...] = ("make", "reset", "step", "close")) -> None:
        super().__init__()
        self.what, self.places = what, places
        self.at("make")

    def at(self, place: str) -> None:
        get, put, wanted = MEDDLED.get(self.what, (lambda: None, lambda: None, None))
        if place == "step" and self.steps:
            assert get() == wanted or self.what in ("threads", "streams")
        if place in self.places:
            put()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.at("reset")
        return super().reset(seed=seed)

    def step(self, action: Any) -> Any:
        self.at("step")
        return super().step(action)

    def close(self) -> None:
        self.at("close")


gymnasium.register("Meddling-v0", Meddling, max_episode_steps=23)
STRICT = dict.fromkeys(("divide", "over", "under", "invalid"), "raise")
# How to read it, what the environment does, and what it finds from then on.
MEDDLED: dict[str, tuple[Callable[[], Any], Callable[[], Any], Any]] = {
    "dtype": (torch.get_default_dtype, lambda: torch.set_default_dtype(torch.float64), torch.float64),
    "device": (lambda: torch.empty(0).device.type, lambda: torch.set_default_device("meta"), "meta"),
    "gradients": (torch.is_grad_enabled, lambda: torch.set_grad_enabled(False), False),
    "precision": (torch.get_float32_matmul_precision, lambda: torch.set_float32_matmul_precision("medium"), "medium"),
    "threads": (torch.get_num_threads, lambda: torch.set_num_threads(3), 3),
    "numpy's errors": (np.geterr, lambda: np.seterr(**STRICT), STRICT),
    "warnings": (lambda: warnings.filters[0][0], lambda: warnings.simplefilter("always"), "always"),
    "streams": (lambda: None, lambda: setattr(sys, "stdout", None), None),
}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Let environments of later tests find nothing of what these set."""
    before = [setting._theirs for setting in global_state._SETTINGS]
    yield
    for setting, theirs in zip(global_state._SETTINGS, before, strict=True):
        setting._theirs = theirs


def ours() -> list[Any]:
    return [get() for get, *_ in MEDDLED.values()] + [sys.stdout, sys.stderr, list(warnings.filters)]


@pytest.mark.parametrize("what", MEDDLED)
def test_the_learner_keeps_its_own_and_learns_the_same(what: str, train_on: Train) -> None:
    plain = train_on("Meddling-v0", run_id="plain")
    before = ours()
    meddled = train_on("Meddling-v0", "--env-kwargs", f"what={what}")
    assert meddled.outcome.code == 0, meddled.outcome.err
    assert ours()[:-3] == before[:-3]
    assert meddled.figures() == plain.figures()
    assert plain.figures()


def test_an_environment_may_take_gradients_where_the_learner_takes_none() -> None:
    env = BoxEnv("Meddling-v0")
    toy: Any = env._env.unwrapped
    seen: list[bool] = []
    toy.reward = lambda: seen.append(torch.is_grad_enabled()) or 0.0
    env.reset(0)
    with torch.no_grad():
        env.step(ACTION)
        assert not torch.is_grad_enabled()
    assert seen == [True]
