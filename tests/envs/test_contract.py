"""Hold environments to Gymnasium's interface: what is close enough is taken, the rest named in one line."""

from __future__ import annotations

import fractions
import math
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict
from toy_envs import Toy

from mbpo.envs.box_env import BoxEnv
from mbpo.errors import EnvironmentFault, one_line

ACTION = np.zeros(1, np.float32)


class Quoted(Toy):
    """Return what a test says."""

    reward_of: Callable[[], Any] = staticmethod(lambda: 0.0)
    flags_of: Callable[[], tuple[Any, Any]] = staticmethod(lambda: (False, False))
    reset_of: Callable[[Any], Any] = staticmethod(lambda obs: (obs, {}))
    step_of: Callable[[tuple[Any, ...]], Any] = staticmethod(lambda found: found)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self.reset_of(super().reset(seed=seed)[0])

    def step(self, action: Any) -> Any:
        obs, *_, info = super().step(action)
        return self.step_of((obs, self.reward_of(), *self.flags_of(), info))


gymnasium.register("Quoted-v0", Quoted)
gymnasium.register("QuotedWithLimit-v0", Quoted, max_episode_steps=50)


def quoted(monkeypatch: pytest.MonkeyPatch, env_id: str = "Quoted-v0", **what: Any) -> BoxEnv:
    for name, act in what.items():
        monkeypatch.setattr(Quoted, name, staticmethod(act))
    return BoxEnv(env_id)


def fault(act: Callable[[], object]) -> str:
    """Return what an environment's fault says, in the one line that a user reads."""
    with pytest.raises(EnvironmentFault) as raised:
        act()
    line = one_line(str(raised.value))
    assert line.isprintable()
    assert len(line) <= 200
    return line


@pytest.mark.parametrize(
    "reward",
    [
        1.5,
        np.float16(1.5),
        np.float64(1.5),
        np.array(1.5),
        np.array([1.5], np.float32),
        np.array([[[1.5]]]),
        [1.5],
        (1.5,),
        torch.tensor(1.5),
        torch.tensor([1.5], requires_grad=True).detach(),
        np.ma.array([1.5]),
    ],
)
def test_a_reward_may_be_anything_that_is_one_number(reward: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    env = quoted(monkeypatch, reward_of=lambda: reward)
    env.reset(0)
    assert env.step(ACTION)[1] == 1.5
    assert type(env.step(ACTION)[1]) is float


@pytest.mark.parametrize("reward", [True, np.True_, 1, np.int8(1), np.array([1], np.uint8)])
def test_a_reward_may_be_whole_or_a_truth(reward: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    env = quoted(monkeypatch, reward_of=lambda: reward)
    env.reset(0)
    assert env.step(ACTION)[1] == 1.0


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        (np.zeros(3), "got 3 of dtype float64"),
        ([], "got 0 of dtype float64"),
        (None, "got NoneType"),
        ("1.5", "got 1 of dtype <U3"),
        (1.5j, "got 1 of dtype complex128"),
        (fractions.Fraction(1, 2), "got Fraction"),
        ({"speed": 1.0}, "got dict"),
        ([1.0, [2.0]], "got ValueError"),
        (torch.zeros((), requires_grad=True), "got RuntimeError"),
    ],
)
def test_another_reward_is_named(reward: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    env = quoted(monkeypatch, reward_of=lambda: reward)
    env.reset(0)
    line = fault(lambda: env.step(ACTION))
    assert "Quoted-v0: its reward must be one number" in line
    assert said in line
    assert "--wrapper" in line


@pytest.mark.parametrize("true", [True, 1, 1.0, np.True_, np.array(True), np.array([1]), [True], torch.tensor(True)])
def test_a_flag_may_be_whatever_is_one_truth(true: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    env = quoted(monkeypatch, flags_of=lambda: (true, np.zeros(1)))
    env.reset(0)
    assert env.step(ACTION)[2:] == (True, False)


@pytest.mark.parametrize("flags", [(None, False), (False, "no"), (np.zeros(2, bool), False), (False, {})])
def test_another_flag_is_named(flags: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    env = quoted(monkeypatch, flags_of=lambda: flags)
    env.reset(0)
    assert "ated must be one number" in fault(lambda: env.step(ACTION))


@pytest.mark.parametrize("env_id", ["Quoted-v0", "QuotedWithLimit-v0"])
@pytest.mark.parametrize(
    "other",
    [
        lambda found: (found[0], found[1], False, found[4]),
        lambda found: (*found, "more"),
        lambda found: None,
        lambda found: 0.5,
    ],
)
def test_a_step_of_another_interface_is_called_so(
    env_id: str, other: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    env = quoted(monkeypatch, env_id, step_of=other)
    env.reset(0)
    line = fault(lambda: env.step(ACTION))
    assert f"{env_id}.step" in line
    assert "its interface is an older one" in line


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda obs: obs, "got a ndarray"),
        (lambda obs: (obs, {}, {}), "got 3 values"),
        (lambda obs: (obs, None), "got 2 values"),
        (lambda obs: None, "got a NoneType"),
    ],
)
def test_a_reset_of_another_interface_is_called_so(
    other: Callable[[Any], Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = quoted(monkeypatch, reset_of=other)
    line = fault(lambda: env.reset(0))
    assert "Quoted-v0.reset must return (obs, info)" in line
    assert said in line


def test_a_reset_that_takes_no_seed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quoted, "reset", lambda self: (self.observe(), {}))
    assert "Quoted-v0.reset raised TypeError" in fault(lambda: BoxEnv("Quoted-v0").reset(0))


def test_a_start_that_is_not_finite_is_tried_again_from_other_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[float] = []

    def reset_of(obs: Any) -> Any:
        starts.append(float(obs[0]))
        return (obs if len(starts) % 4 == 0 else obs * np.nan), {}

    env = quoted(monkeypatch, reset_of=reset_of)
    assert env.reset(3)[0] == starts[3]
    assert len(set(starts)) == 4
    again = list(starts)
    starts.clear()
    assert BoxEnv("Quoted-v0").reset(3)[0] == again[3]
    assert starts == again
    monkeypatch.setattr(Quoted, "reset_of", staticmethod(lambda obs: (np.full_like(obs, math.inf), {})))
    assert "gave 10 starts that are not finite" in fault(lambda: env.reset(3))


class Reused(Toy):
    """Return the same arrays again and again, and write into them."""

    observation_space = Dict({"a": Box(-9, 9, (2,), np.float64), "b": Box(-9, 9, (1,), np.float32)})

    def __init__(self) -> None:
        super().__init__()
        self.whole = np.zeros(4)
        self.parts = {"a": self.whole[1:3], "b": np.zeros(1, np.float32)}

    def observe(self) -> Any:
        self.whole[1:3] = self.position, self.steps
        self.parts["b"][:] = -self.position
        return self.parts


gymnasium.register("Reused-v0", Reused)


def test_observations_stay_what_they_were_where_the_environment_reuses_the_leaves_of_a_dict() -> None:
    env = BoxEnv("Reused-v0")
    found = [env.reset(0), *(env.step(np.ones(1, np.float32))[0] for _ in range(5))]
    assert [obs[1] for obs in found] == [0, 1, 2, 3, 4, 5]
    assert np.diff([obs[0] for obs in found]) == pytest.approx([0.1] * 5, abs=1e-6)
    assert env.reuses_array


@pytest.mark.parametrize("which", ["observation_space", "action_space"])
def test_an_environment_that_declares_no_space_is_one_line(which: str) -> None:
    class Bare(gymnasium.Env[Any, Any]):
        observation_space = Toy.observation_space
        action_space = Toy.action_space

    delattr(Bare, which)
    gymnasium.register("Bare-v0", Bare)
    assert "Bare-v0 declares no spaces: AttributeError" in fault(lambda: BoxEnv("Bare-v0"))
    del gymnasium.registry["Bare-v0"]


def test_what_is_called_data_in_an_environment_without_mujoco_is_its_own() -> None:
    class Connected(Toy):
        @property
        def data(self) -> Any:
            raise ConnectionError("no robot")

    gymnasium.register("Connected-v0", Connected)
    env = BoxEnv("Connected-v0")
    env.reset(0)
    env.step(ACTION)
    assert env.left_out == ""
    del gymnasium.registry["Connected-v0"]
