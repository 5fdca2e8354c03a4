"""Be the environment that a seed and a number draw. A learner names it ``drawn_env:Drawn-v0``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import torch
from drawn_case import EPISODE_STEPS, NO_ENVIRONMENTS, NO_REWARDS, REWARDS, draw
from drawn_habits import RAISED, Unwilling, returned_by_reset, returned_by_step, unlike
from drawn_spaces import filled, strength
from gymnasium.spaces import Box


class DrawnEnv(gymnasium.Env[Any, Any]):
    """Pull a point toward 0 against the actions; the reward is minus its distance."""

    made = 0
    data = Unwilling()  # as MuJoCo's are called

    def __new__(cls, seed: int, number: int) -> Any:
        """Return an environment, or what else this one's maker returns."""
        case = draw(seed, number)
        if case.fault == "no environment":
            return NO_ENVIRONMENTS[case.of_kind]
        return super().__new__(cls)

    def __init__(self, seed: int, number: int) -> None:
        self.case = draw(seed, number)
        DrawnEnv.made += 1
        self.order = DrawnEnv.made  # the first trains, the second evaluates
        self.calls = {"reset": 0, "step": 0, "make": 0, "close": 0}
        self.luck = 0.0
        self.buffer: Any = None
        self.make_spaces()
        self._at("make")
        if self.case.fault == "declares nothing":
            delattr(self, f"{self.case.of_kind}_space")
        if self.case.fault == "takes no seed":
            self.reset = lambda: self._start()  # type: ignore[method-assign]
        if self.case.fault == "takes no action":
            self.step = lambda: self._on(0.0)  # type: ignore[method-assign]

    def make_spaces(self) -> None:
        """Declare spaces, equal ones each time."""
        rng = np.random.default_rng([self.case.seed, self.case.number, 1])
        self.observation_space: Any = self.case.observation.make(rng)
        self.action_space: Any = self.case.action.make(rng)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._start()

    def step(self, action: Any) -> Any:
        return self._on(strength(self.action_space, action))

    def close(self) -> None:
        self.calls["close"] += 1
        for habit in self.case.habits:
            if "close" in habit.places:
                habit.act(self)
        if self.case.closes:
            raise RAISED[self.case.closes]()

    def _start(self) -> Any:
        self._at("reset")
        self.steps = 0
        self.position = float(self.np_random.uniform(-1, 1)) + 1e-3 * self.luck
        obs = self._observed("reset")
        if self._due("reset", "changes its spaces"):
            setattr(self, f"{self.case.of_kind}_space", Box(-9, 9, (47,), np.float64))
            obs = np.zeros(47) if self.case.of_kind == "observation" else obs
        return returned_by_reset(self.case.of_kind, obs) if self._due("reset", "reset of others") else (obs, {})

    def _on(self, push: float) -> Any:
        self._at("step")
        self.steps += 1
        self.position = 0.9 * self.position + 0.3 * push + 1e-3 * self.luck
        found = self._observed("step"), self._reward(), *self._flags(), {"position": self.position}
        return returned_by_step(self.case.of_kind, found) if self._due("step", "step of others") else found

    def _observed(self, place: str) -> Any:
        case, space = self.case, self.observation_space
        obs = filled(space, self._numbers())
        if case.fault == "far too large" and case.of_kind == "observation":
            return np.float64(1e20) * obs
        if self._due(place, "unlike observation"):
            return unlike(case.of_kind, obs)
        if case.fault == "never finite":
            return unlike("not finite", obs)
        if not isinstance(space, Box):
            return obs
        if case.given == "as a list":
            return obs.tolist()
        if case.given == "in float64":
            return obs.astype(np.float64)
        if case.given == "read-only":
            obs.flags.writeable = False
        if case.given == "in Fortran's order":
            return np.asfortranarray(obs)
        if case.given == "as a tensor":
            return torch.tensor(obs, device="cpu")
        if case.given == "flat":
            return obs.ravel()
        if case.given in ("in one buffer", "as a view"):
            self.buffer = np.zeros((2, *obs.shape), obs.dtype) if self.buffer is None else self.buffer
            self.buffer[0] = obs
            return self.buffer[0, ...] if case.given == "as a view" else np.asarray(self.buffer[0])
        return obs

    def _numbers(self) -> Iterator[float]:
        return (self.position * math.cos(k) + 0.01 * k * self.position**2 for k in itertools.count())

    def _reward(self) -> Any:
        case = self.case
        if self.calls["step"] in case.not_finite:
            return [math.nan, math.inf, -1e39][self.calls["step"] % 3]
        if case.fault == "far too large" and case.of_kind == "reward":
            return -1e30 * abs(self.position)
        return {**REWARDS, **NO_REWARDS}[case.reward](-abs(self.position))

    def _flags(self) -> tuple[Any, Any]:
        ends, late, far = self.case.ends, self.steps >= EPISODE_STEPS, abs(self.position) > 0.5 and self.steps > 5
        terminated: Any = {
            "in a state": far,
            "by registration and in a state": far,
            "time as terminated": late,
            "both flags": late,
            "terminated at once": True,
        }.get(ends, False)
        truncated: Any = {"truncated at once": True}.get(ends, late and (ends in ("by itself", "both flags")))
        if ends.startswith("flags"):
            flag = {"flags of numpy": np.bool_, "flags of int": int, "flags in arrays": lambda x: np.array([x])}[ends]
            terminated, truncated = flag(far), flag(late)
        return terminated, truncated

    def _at(self, place: str) -> None:
        """Do what this environment does at a place besides its work."""
        self.calls[place] += 1
        for habit in self.case.habits:
            if place in habit.places:
                habit.act(self)
        if self._due(place, "raises") or (self.order == 2 and self._due(place, "raises in evaluation")):
            raise MemoryError if self.case.of_kind == "MemoryError" else RAISED[self.case.of_kind]()

    def _due(self, place: str, fault: str) -> bool:
        case = self.case
        return case.fault == fault and case.place == place and self.calls[place] >= case.at


for name, limit in (("Drawn-v0", None), ("DrawnLimited-v0", EPISODE_STEPS)):
    gymnasium.register(name, DrawnEnv, max_episode_steps=limit)
