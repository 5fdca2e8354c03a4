"""Hear what MBPO will trip over in environments with one quirk each."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from learners import PATIENCE_S, Outcome, python_m
from toy_envs import Toy

from mbpo import check_env
from mbpo.checks.diagnostic import Diagnostic
from mbpo.checks.environment.phrases import named
from mbpo.checks.environment.play import play
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.termination import RULES
from mbpo.lifecycle.command_line import parse_launch
from mbpo.settings.presets import preset_for

Call = Callable[..., Outcome]


class Quirk(Toy):
    """Observe a position in three ways; what subclasses do is their quirk."""

    observation_space: Any = Box(-np.inf, np.inf, (3,), np.float32)
    scale = 1.0

    def observe(self) -> Any:
        return np.array(self.seen(), np.float32) * np.float32(self.scale)

    def seen(self) -> list[float]:
        return [self.position, self.position**2, math.sin(self.position)]


class Walled(Quirk):
    """Cut one dim off at ±0.1."""

    def seen(self) -> list[float]:
        return [self.position, self.position**2, min(max(self.position, -0.1), 0.1)]


class Frozen(Quirk):
    """Hold one dim for good, and one until the next reset."""

    def seen(self) -> list[float]:
        return [self.position, 7.0, self.goal]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.goal = float(np.random.default_rng(seed).uniform())
        return super().reset(seed=seed)


class Far(Quirk):
    """Observe positions a billion metres away."""

    def seen(self) -> list[float]:
        return [1e9 + 100 * self.position, self.position, -self.position]


class Trembling(Quirk):
    """Observe a number near 1 that moves by rounding, as a quaternion's does."""

    def seen(self) -> list[float]:
        return [self.position, 1.0 - 1e-6 * self.position**2, -self.position]


class Easting(Quirk):
    """Observe positions on a map, by the centimetre."""

    def seen(self) -> list[float]:
        return [5e5 + 0.05 * self.position, self.position, -self.position]


class Vast(Quirk):
    """Observe in micrometres."""

    scale = 1e7


class Rich(Quirk):
    """Give rewards a thousand times those of others."""

    def reward(self) -> float:
        return -1000 * abs(self.position)


class Moody(Quirk):
    """Remember more than reset() forgets."""

    mood = 0

    def reward(self) -> float:
        self.mood += 1
        return -abs(self.position) + 1e-3 * self.mood


class Worn(Quirk):
    """Break for good after a thousand steps."""

    worn = 0

    def reward(self) -> float:
        self.worn += 1
        return math.nan if self.worn > 1000 else -abs(self.position)


class Curfew(Quirk):
    """Truncate at a whim of its own."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, _, info = super().step(action)
        return obs, reward, terminated, self.steps >= 13, info


class Mortal(Quirk):
    """Terminate where the position is beyond 1."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, _, truncated, info = super().step(action)
        return obs, reward, abs(self.position) > 1, truncated, info


class Strong(Quirk):
    """Take actions of a million."""

    action_space = Box(-1e6, 1e6, (1,), np.float32)


class Still(Quirk):
    """Do nothing at all."""

    scale = 0.0

    def reward(self) -> float:
        return 1.0


for quirk in (Quirk, Walled, Frozen, Far, Trembling, Easting, Vast, Rich, Moody, Worn, Curfew, Mortal, Strong, Still):
    gymnasium.register(f"{quirk.__name__}-v0", quirk, max_episode_steps=100)
gymnasium.register("Timeless-v0", Quirk)


def found(env_id: str, topic: str, steps: int = 1000) -> Diagnostic:
    findings = check_env.check(env_id, steps, 0)
    assert [f.topic for f in findings] == [
        "steps",
        "actions",
        "observations",
        "constant dims",
        "clipping",
        "float32",
        "scale",
        "time limit",
        "termination",
        "determinism",
    ]
    (one,) = (f for f in findings if f.topic == topic)
    return one


def test_a_well_behaved_environment_gets_a_note_on_scale_at_most(call: Call) -> None:
    outcome = call(check_env.main, "Pendulum-v1")
    assert (outcome.code, outcome.err) == (0, "")
    levels = {line[9:22].strip(): line[:9].strip() for line in outcome.out.splitlines()[1:-1] if line[0] != " "}
    assert levels.pop("scale") == "note"
    assert set(levels.values()) == {"ok"}
    assert "--normalize-targets true" in outcome.out
    assert "The rule of Pendulum-v1, never, agrees on 5,000 of 5,000 random steps" in outcome.out
    assert outcome.out.splitlines()[-1] == ("no problems, 1 note. To train: python -m mbpo.train --env-id Pendulum-v1")
    assert max(map(len, outcome.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("env_id", "topic", "level", "said"),
    [
        ("Quirk-v0", "constant dims", "ok", "Each of the 3 dims"),
        ("Frozen-v0", "constant dims", "note", "obs[1] never changed (1 of 3 dims). obs[2]"),
        ("Toy-v0", "constant dims", "note", "obs[1] changed by the same amount each step"),
        ("Quirk-v0", "clipping", "ok", "No dim"),
        ("Toy-v0", "clipping", "ok", "No dim"),  # its clock takes each value as often
        ("Walled-v0", "clipping", "note", "obs[2] look clipped: obs[2] is exactly"),
        ("Quirk-v0", "float32", "ok", "float32 resolves"),
        ("Toy-v0", "float32", "ok", "float32 resolves"),
        ("Vast-v0", "float32", "note", "obs[0-2] reach"),
        ("Far-v0", "float32", "problem", "obs[0]: values near 1e+09 are 64 apart"),
        ("Trembling-v0", "float32", "note", "obs[1] move by rounding only"),
        ("Easting-v0", "float32", "problem", "obs[0]: values near 5e+05 are 0.031 apart"),
        ("Rich-v0", "scale", "note", "Use --normalize-targets true"),
        ("Hopper-v5", "scale", "note", "--model-predicts next, and hurt on pendulums"),
        ("Toy-v0", "scale", "ok", "normalize_targets can stay false"),
        ("Still-v0", "scale", "problem", "nothing to learn"),
        ("Toy-v0", "time limit", "ok", "100 steps, reached by 10 episodes; obs[1] counts"),
        ("Quirk-v0", "time limit", "ok", "the time is not in obs. truncated never cuts"),
        ("Curfew-v0", "time limit", "note", "before the time limit of 100 steps, the first"),
        ("Timeless-v0", "time limit", "note", "one endless episode"),
        ("Mortal-v0", "termination", "note", 'RULES["Mortal-v0"] = lambda obs, action, next_obs'),
        ("InvertedPendulum-v5", "termination", "ok", "agrees on 1,000 of 1,000 random steps, 1"),
        ("Quirk-v0", "determinism", "ok", "The first 500 random steps came out the same"),
        ("Moody-v0", "determinism", "note", "fresh environment at step 1"),
        ("Worn-v0", "determinism", "note", "step 1 stopped: the reward was not finite"),
        ("Strong-v0", "actions", "note", "1 action dims are mapped to [-1, 1]"),
    ],
)
def test_each_quirk_is_named(env_id: str, topic: str, level: str, said: str) -> None:
    finding = found(env_id, topic)
    assert said in finding.text
    assert (finding.level, finding.fatal) == (level, False)


def test_the_ants_forces_are_seen_and_the_paper_leaves_them_out() -> None:
    full, paper = "Ant-v5", "mbpo/AntTruncated-v5"
    assert set(found(full, "constant dims", 2000).numbers["constant"]) >= set(range(33, 39))
    assert "mbpo/AntTruncated-v5 leaves" in found(full, "clipping", 2000).text
    assert found(paper, "constant dims", 500).level == found(paper, "clipping", 500).level == "ok"


def test_a_rule_that_disagrees_is_a_problem_with_three_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "Mortal-v0", lambda obs, action, next_obs: next_obs[:, 0] > 0.9)
    finding = found("Mortal-v0", "termination", 3000)
    assert finding.level == "problem"
    assert len(finding.numbers["disagreements"]) == 3
    assert "ends, the rule says it goes on: next_obs = [-1." in finding.text
    monkeypatch.setitem(RULES, "Mortal-v0", lambda obs, action, next_obs: next_obs[:, 0].abs() > 1)
    assert found("Mortal-v0", "termination", 3000).level == "ok"
    assert "half of the rule" in found("Mortal-v0", "termination", 1).text


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (lambda obs, action, next_obs: next_obs[:, 9] > 0, "IndexError"),
        (lambda obs, action, next_obs: next_obs[:, :1] > 0, "must return bool [100] on cpu, got bool [100, 1]"),
        (lambda obs, action, next_obs: torch.zeros(len(obs)), "got float32 [100]"),
    ],
)
def test_a_rule_that_cannot_be_used_stops_mbpo(rule: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "Mortal-v0", rule)
    finding = found("Mortal-v0", "termination", 100)
    assert finding.fatal
    assert said in finding.text


@pytest.mark.parametrize(("env_id", "said"), [("Broken-v0", "the joint came off")])
def test_what_mbpo_cannot_run_on_ends_with_3_and_what_was_seen(env_id: str, said: str, call: Call) -> None:
    outcome = call(check_env.main, env_id, "--json")
    assert (outcome.code, outcome.err) == (3, "")
    report = json.loads(outcome.out)
    assert report["exit_code"] == 3
    first = report["findings"][0]
    assert (first["level"], first["fatal"], first["numbers"]["env_steps"]) == ("problem", True, 29)
    assert said in first["text"]
    assert "cannot run" in call(check_env.main, env_id).out.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["Pendullum-v1"], 2, "did you mean Pendulum-v1"),
        (["no_such_module:Env-v0"], 2, "must name a Gymnasium environment"),
        (["Endless-v0"], 3, "expected finite action bounds"),
        (["Choice-v0"], 3, "expected a Box action space"),
        (["Unmakeable-v0"], 3, "robot.xml is not there"),
        ([], 2, "ENV_ID"),
        (["Pendulum-v1", "--steps", "0"], 2, "--steps must be from 1"),
        (["Pendulum-v1", "--steps", "many"], 2, "invalid int"),
        (["Pendulum-v1", "--seed", "-1"], 2, "--seed at least 0"),
        (["Pendulum-v1", "--jsn"], 2, "did you mean --json"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], code: int, said: str, call: Call) -> None:
    outcome = call(check_env.main, *arguments)
    assert outcome.code == code
    assert outcome.out == ""
    assert said in outcome.error


def test_json_holds_every_finding_and_one_seed_one_report(call: Call) -> None:
    first, again, other = (
        call(check_env.main, "Toy-v0", "--json", "--steps", 200, "--seed", seed).out for seed in (1, 1, 2)
    )
    assert first == again != other
    report = json.loads(first, parse_constant=pytest.fail)
    assert (report["env_id"], report["seed"], report["exit_code"]) == ("Toy-v0", 1, 0)
    for finding in report["findings"]:
        assert finding["level"] in ("ok", "note", "problem")
        assert finding["text"].endswith(".")
        assert isinstance(finding["numbers"], dict)


@pytest.mark.parametrize("env_id", ["Toy-v0", "Rich-v0", "Hopper-v5", "Pendulum-v1"])
def test_the_command_it_recommends_is_one(env_id: str, call: Call) -> None:
    last = call(check_env.main, env_id, "--steps", 200).out.splitlines()[-1]
    flags = last.split("mbpo.train ")[1].split()
    config = parse_launch(flags).config
    assert flags[:2] == ["--env-id", env_id] and "--preset" not in flags
    assert (config.env_id, config.preset) == (env_id, preset_for(env_id).name)
    assert config.normalize_targets == (env_id in ("Rich-v0", "Pendulum-v1"))  # no end by failure


@pytest.mark.parametrize("steps", [1, 2, 13, 14])
def test_a_short_play_is_no_trouble(steps: int) -> None:
    for env_id in ("Curfew-v0", "Mortal-v0", "Toy-v0", "Still-v0"):
        assert len(check_env.check(env_id, steps, 3)) == 10


def test_steps_count_from_one_in_each_episode() -> None:
    env = BoxEnv("Curfew-v0")
    played = play(env, 30, 0)
    assert played.step.tolist() == [*range(1, 14), *range(1, 14), *range(1, 5)]
    assert np.flatnonzero(played.ends).tolist() == [12, 25]
    assert (played.obs[1:13] == played.next_obs[:12]).all()
    assert len(play(env, 0, 0)) == 0


def test_dims_are_written_in_runs() -> None:
    assert named([0, 2, 3, 4, 9]) == "obs[0], obs[2-4], obs[9]"
    assert named(range(0, 20, 2)) == "obs[0], obs[2], obs[4], obs[6], obs[8], obs[10] and 4 more"


def test_help_teaches_by_example(tmp_path: Any) -> None:
    process = python_m("mbpo.check_env", "--help", cwd=tmp_path)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert "python -m mbpo.check_env my_module:MyEnv-v0" in out
    assert "exit codes" in out
