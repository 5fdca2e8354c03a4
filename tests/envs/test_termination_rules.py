"""Enter a termination rule, name the one in use, and hear where real ends contradict it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from learners import DEBUG, Outcome
from toy_envs import Brink

from mbpo import check_env, train
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.rules import hopper, never
from mbpo.envs.termination import RULES, find_rule, rule_text

Call = Callable[..., Outcome]
TINY = (*DEBUG, "--total-steps", 160, "--warmup-steps", 60, "--eval-episodes", 1)


gymnasium.register("brinks/Brink-v3", Brink, max_episode_steps=40)


def right(obs: Any, action: Any, next_obs: Any) -> Any:
    return next_obs[:, 0].abs() > 0.8


def always(obs: Any, action: Any, next_obs: Any) -> Any:
    return ~never(obs, action, next_obs)


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr("mbpo.envs.termination.RULES", mine := dict[str, Any]())
    return mine


def test_nobody_has_entered_a_rule_yet() -> None:
    assert RULES == {}


@pytest.mark.parametrize("env_id", ["Brink-v0", "toy_envs:Brink-v0"])
def test_a_rule_is_found_by_the_id_that_was_registered(env_id: str, rules: Any) -> None:
    rules.update({"Brink-v0": right, "brinks/Brink-v3": always})
    assert find_rule(BoxEnv(env_id)) is right
    assert find_rule(BoxEnv("brinks/Brink-v3")) is always


def test_an_entered_rule_goes_before_the_known_one(rules: Any) -> None:
    rules["Pendulum-v1"] = always
    assert find_rule(BoxEnv("Pendulum-v1")) is always


def test_the_rule_of_another_environment_of_that_name_is_not_taken(rules: Any) -> None:
    rules["brinks/Brink-v3"] = always
    assert find_rule(BoxEnv("Brink-v0")) is None


@pytest.mark.parametrize("key", ["Brink", "mine:Brink-v0", "Brink-v1", "brinks/Brink", "toy_envs:Brink"])
def test_a_rule_under_nobodys_id_is_one_line(key: str, rules: Any, call: Call, tmp_path: Path) -> None:
    rules[key] = right
    outcome = call(train.main, *TINY, "--env-id", "Brink-v0", "--runs-root", tmp_path / "runs")
    assert outcome.code == 3
    assert f'RULES["Brink-v0"], got RULES["{key}"]' in outcome.error
    assert not (tmp_path / "runs").exists()
    assert call(check_env.main, "Brink-v0").code == 3


def writes(obs: Any, action: Any, next_obs: Any) -> Any:
    next_obs[:, 0] += 1
    return right(obs, action, next_obs)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (lambda obs, action, next_obs: next_obs[:, :1] > 9, "must return bool [1] on cpu, got bool [1, 1]"),
        (lambda obs, action, next_obs: (next_obs[:, :1] > 9).squeeze(), "must return bool [1] on cpu, got bool []"),
        (lambda obs, action, next_obs: next_obs[:, 0], "got float32 [1] on cpu"),
        (lambda obs, action, next_obs: [False] * len(obs), "got a list"),
        (lambda obs, action, next_obs: next_obs[:, 9] > 0, "raised IndexError: index 9 is out of bounds"),
        (lambda next_obs: next_obs[:, 0] > 0, "raised TypeError"),
        (3, "'int' object is not callable"),
        (writes, "must leave obs, action and next_obs as they are"),
    ],
)
def test_a_rule_that_cannot_be_used_is_one_line_before_there_is_a_directory(
    rule: Any, said: str, rules: Any, call: Call, tmp_path: Path
) -> None:
    rules["Brink-v0"] = rule
    outcome = call(train.main, *TINY, "--env-id", "Brink-v0", "--runs-root", tmp_path / "runs")
    assert outcome.code == 3
    assert said in outcome.error
    assert not (tmp_path / "runs").exists()


class Judge:
    """Be a rule that is an object."""

    def __call__(self, obs: Any, action: Any, next_obs: Any) -> Any:
        return right(obs, action, next_obs)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (None, "learned"),
        (never, "never"),
        (partial(hopper, z=(0.5, 2.0)), "hopper(z=(0.5, 2.0))"),
        (right, "test_termination_rules.right"),
        (partial(right, object()), "test_termination_rules.right(<object object>)"),
        (Judge(), "test_termination_rules.Judge"),
    ],
)
def test_a_rule_is_named_without_an_address(rule: Any, text: str) -> None:
    assert rule_text(rule) == text


def test_the_report_names_the_rule(rules: Any) -> None:
    rules["Brink-v0"] = right
    (finding,) = (f for f in check_env.check("Brink-v0", 500, 0) if f.topic == "termination")
    assert finding.level == "ok"
    assert "The rule of Brink-v0, test_termination_rules.right, agrees on 500 of 500" in finding.text
    assert finding.numbers["rule"] == "test_termination_rules.right"


@pytest.mark.parametrize("rule", [right, Judge()])
def test_the_manifest_names_the_rule(rule: Any, rules: Any, call: Call, tmp_path: Path) -> None:
    rules["Brink-v0"] = rule
    outcome = call(train.main, *TINY, "--env-id", "Brink-v0", "--runs-root", tmp_path, "--run-id", "r")
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads((tmp_path / "r" / "manifest.json").read_text())["termination"] == rule_text(rule)
