"""Each thing that check_env promises to find is planted and found, and is not found where it is not."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict
from learners import Outcome
from toy_envs import Toy

from mbpo import check_env
from mbpo.checks.diagnostic import Diagnostic
from mbpo.envs.spec import EnvSpec
from mbpo.envs.termination import RULES

LUCK = random.SystemRandom()


class Planted(Toy):
    """Be as an environment should be, but for what is planted."""

    observation_space = Box(-50.0, 50.0, (3,), np.float32)

    def __init__(self, plant: str = "", limit: int = 25) -> None:
        super().__init__()
        self.plant, self.limit = plant, limit
        self.buffer = np.zeros(3, np.float32)
        self.leaves = {"a": np.zeros(2), "b": np.zeros(1, np.float32)}
        if plant in SPACES:
            self.observation_space = SPACES[plant]
        if plant in ACTIONS:
            self.action_space = ACTIONS[plant]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.position += LUCK.random() if self.plant == "luck at reset" else 0.0
        return self.observe(), {}

    def observe(self) -> Any:
        seen = np.array([self.position, np.sin(9 * self.position), self.position**2], np.float32)
        if self.plant == "one array":
            self.buffer[:] = seen
            return self.buffer
        if self.plant == "views of one array":
            self.buffer[:] = seen
            return self.buffer[:]
        if self.plant == "leaves of a Dict":
            self.leaves["a"][:], self.leaves["b"][:] = seen[:2], seen[2:]
            return self.leaves
        if self.plant == "constant":
            seen[1] = 4.0
        return seen

    def step(self, action: Any) -> Any:
        obs, reward, _, _, info = super().step(np.asarray(action, float))
        reward += LUCK.random() if self.plant == "luck at step" else 0.0
        late, far = self.steps >= self.limit, abs(self.position) > 0.9
        ends = {
            "all ends on one step": (late, False),
            "the longest ends on one step": (late or far, False),
            "both flags": (late, late),
            "in a state": (far, False),
            "no end": (False, False),
        }.get(self.plant, (False, late))
        return obs, reward, *ends, info


SPACES: dict[str, Any] = {
    "leaves of a Dict": Dict({"a": Box(-50, 50, (2,)), "b": Box(-50, 50, (1,))}),
    "declared from 0 to 0": Box(np.float32([-50, 0, -50]), np.float32([50, 0, 50])),
    "narrow": Box(-0.1, 0.1, (3,), np.float32),
}
ACTIONS: dict[str, Any] = {
    "whole actions": Box(-3, 3, (1,), np.int32),
    "bytes": Box(0, 255, (2,), np.uint8),
    "fixed action": Box(np.float32([-1, 0.5]), np.float32([1, 0.5])),
}
gymnasium.register("Planted-v0", Planted)
gymnasium.register("PlantedFor20000-v0", Planted, max_episode_steps=20_000)

# What is planted: topic, level, what is said.
FOUND = {
    "one array": ("observations", "note", "returns one array again and again"),
    "views of one array": ("observations", "note", "returns one array again and again"),
    "leaves of a Dict": ("observations", "note", "returns one array again and again"),
    "declared from 0 to 0": ("observations", "note", "obs[1] leave their space: obs[1] is declared from 0 to 0"),
    "narrow": ("observations", "note", "obs[0-2] leave their space"),
    "luck at reset": ("determinism", "note", "two fresh ones with the same seed and actions differ at reset"),
    "luck at step": ("determinism", "note", "two fresh ones with the same seed and actions differ at step 1"),
    "constant": ("constant dims", "note", "obs[1] never changed"),
    "whole actions": ("actions", "note", "Actions are whole numbers (int32) and rounded to"),
    "bytes": ("actions", "note", "Actions are whole numbers (uint8) and rounded to"),
    "fixed action": ("actions", "note", "1 action dims are fixed and left out"),
    "all ends on one step": ("time as an end", "problem", "all, came as terminated after exactly 25 steps"),
    "the longest ends on one step": ("time as an end", "problem", "the longest, came as terminated after exactly 25"),
    "both flags": ("time as an end", "problem", "said terminated and truncated at once, all after 25 steps"),
}  # fmt: skip


def found(plant: str, steps: int = 1500, env_id: str = "Planted-v0", **more: Any) -> dict[str, Diagnostic]:
    spec = EnvSpec(env_id, {"plant": plant}, **more)
    return {each.topic: each for each in check_env.check(spec, steps, 0)}


@pytest.mark.parametrize("plant", FOUND)
def test_what_is_planted_is_found_and_nothing_else_of_its_kind(plant: str) -> None:
    topic, level, said = FOUND[plant]
    each = found(plant)[topic]
    assert (each.level, each.fatal) == (level, False)
    assert said in each.text
    plain = found("").get(topic)
    assert plain is None or (plain.level == "ok" and said not in plain.text)


@pytest.mark.parametrize("plant", ["all ends on one step", "the longest ends on one step", "both flags"])
def test_the_setting_that_it_names_mends_a_time_sent_as_an_end(plant: str) -> None:
    assert "give --time-limit 25" in found(plant)["time as an end"].text
    assert "time as an end" not in found(plant, time_limit=25)


def test_ends_in_a_state_are_no_time_limit() -> None:
    each = found("in a state", 3000)
    assert "time as an end" not in each
    assert each["termination"].numbers["terminal"] > 20


def test_a_limit_longer_than_an_evaluation_usually_plays_is_noted() -> None:
    for env_id, more in (("PlantedFor20000-v0", {}), ("Planted-v0", {"time_limit": 20_000})):
        each = found("no end", 300, env_id, **more)["time limit"]
        assert each.level == "note"
        assert "20,000 steps each: give a shorter --time-limit, or few --eval-episodes" in each.text
        assert found("no end", 300, env_id, time_limit=9_000)["time limit"].level == "ok"


@pytest.mark.parametrize(("threshold", "level"), [(0.9, "ok"), (1.2, "problem"), (0.3, "problem")])
def test_a_rule_is_held_to_the_labels(threshold: float, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "Planted-v0", lambda obs, action, next_obs: next_obs[:, 0].abs() > threshold)
    each = found("in a state", 3000)["termination"]
    assert each.level == level
    assert ("mend the rule" in each.text) == (level == "problem")


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "Hopper-v5", "Planted-v0"])
def test_none_of_it_is_found_where_it_is_not(env_id: str, call: Callable[..., Outcome]) -> None:
    each = {one.topic: one for one in check_env.check(env_id, 3000, 0)}
    assert "time as an end" not in each
    for topic in {topic for topic, *_ in FOUND.values()} - {"time as an end"}:
        assert each[topic].level == "ok", each[topic].text
    assert each["time limit"].level == ("note" if env_id == "Planted-v0" else "ok")  # it truncates by itself
    assert not any(one.level == "problem" for one in each.values())
