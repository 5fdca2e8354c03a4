"""Keyword arguments and wrappers of an environment: the same from a command line, a file, a form and another run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import tomli_w
from gymnasium.spaces import Box
from learners import DEBUG, Outcome
from tiny_runs import Train
from toy_envs import Toy

from mbpo import check_env, evaluate
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.evaluation import Evaluator
from mbpo.envs.spec import EnvSpec
from mbpo.errors import ConfigError, EnvironmentFault
from mbpo.lifecycle.command_line import parse_launch
from mbpo.runs.config_file import read_config
from mbpo.seeds.plan import make_plan
from mbpo.settings.config import SETTINGS, Config, resolve, resolve_run

HERE = __name__  # a module that wrappers are found in
KWARGS: dict[str, Any] = {
    "speed": 2.5,
    "name": "a; b=c",
    "deep": {"on": True, "path": [1, "two", [3.5]], "a key": -1},
    "count": 3,
    "words": "1.2.3",
    "empty": "",
}


class Told(Toy):
    """Keep what it was made with."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self.kwargs = kwargs


class Scaled(gymnasium.RewardWrapper[Any, Any]):  # type: ignore[misc]
    """Give the reward ``by`` times."""

    def __init__(self, env: Any, by: float = 1.0, plus: float = 0.0, note: str = "") -> None:
        super().__init__(env)
        self.by, self.plus, self.note = by, plus, note

    def reward(self, reward: Any) -> float:
        return self.by * float(reward) + self.plus


class Fussy(Scaled):
    """Refuse to be made."""

    def __init__(self, env: Any) -> None:
        raise SystemExit("no display\nnone at all")


gymnasium.register("Told-v0", Told, max_episode_steps=20)
WRAPPERS = (f"{HERE}:Scaled(by=2.0)", f"{HERE}:Scaled(plus=-1.0, note='(a; b), \"c\"')", f"{HERE}:Scaled")


def words(config: Config) -> list[str]:
    """Return the command line of the two settings."""
    return [
        part
        for name in ("env_kwargs", "wrappers")
        for word in SETTINGS[name].words(getattr(config, name))
        for part in (SETTINGS[name].flag, word)
    ]


def given() -> Config:
    return resolve({"env_id": "Told-v0", "env_kwargs": KWARGS, "wrappers": WRAPPERS}, "debug")


def test_a_command_line_a_form_and_a_file_say_the_same(tmp_path: Path) -> None:
    config = given()
    assert config.env_kwargs == KWARGS
    launch = parse_launch(["--preset", "debug", "--env-id", "Told-v0", *words(config)])
    assert launch.config == config
    for name in ("env_kwargs", "wrappers"):
        setting = SETTINGS[name]
        assert setting.parse(setting.text(getattr(config, name))) == getattr(config, name)
    file = tmp_path / "mine.toml"
    file.write_bytes(tomli_w.dumps(config.to_dict()).encode())
    assert parse_launch(["--config", str(file)]).config == config
    (tmp_path / "config.toml").write_text(launch.toml)
    assert resolve_run(read_config(tmp_path / "config.toml")) == config
    over = parse_launch(["--config", str(file), "--env-kwargs", "speed=1"]).config
    assert over.env_kwargs == {"speed": 1}


def test_each_of_several_seeds_has_them(tmp_path: Path) -> None:
    launch = parse_launch(
        ["--preset=debug", "--env-id=Told-v0", *words(given()), "--seeds=0:2", f"--runs-root={tmp_path}"]
    )
    plan = make_plan(launch)
    for seed, point in enumerate(plan.grid.points):
        command = plan.command(point)
        config = parse_launch(command[command.index("mbpo.train") + 1 :]).config
        assert (config.env_kwargs, config.wrappers, config.seed) == (KWARGS, WRAPPERS, seed)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x=1", 1),
        ("x=-1e-3", -1e-3),
        ("x=true", True),
        ("x=True", "True"),
        ("x='1'", "1"),
        ("x=reach-v3", "reach-v3"),
        ("x=[1, [2.0]]", [1, [2.0]]),
        ('x={action = {type = "ContinuousAction"}}', {"action": {"type": "ContinuousAction"}}),
        ("x=a=b", "a=b"),
        ("x=", ""),
        ("x=2026-11-28", "2026-11-28"),  # a date is no keyword argument
        ("x=1\ny=2", None),
    ],
)
def test_a_value_is_toml_else_text(text: str, value: Any) -> None:
    setting = SETTINGS["env_kwargs"]
    if value is None:
        with pytest.raises(ConfigError):
            setting.parse_each([text])
        return
    table = setting.parse_each([text])
    assert table == {"x": value}
    assert type(table["x"]) is type(value)  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--env-kwargs", "speed"], "key=value, values as in TOML, got 'speed'"),
        (["--env-kwargs", "a b=1"], "got 'a b=1'"),
        (["--env-kwargs", "a=1", "a=2"], "each key once, got a twice"),
        (["--wrapper", "Scaled"], "wrapper must be like 'module:Class(key=1.0)'"),
        (["--wrapper", f"{HERE}:Scaled(by)"], "wrapper must be like"),
        (["--wrapper", f"{HERE}:Scaled(by=1); import os"], "wrapper must be like"),
        (["--wrapper", "os:system('true')"], "wrapper must be like"),
    ],
)
def test_what_is_none_is_refused_in_one_line(flags: list[str], said: str, train_on: Train) -> None:
    run = train_on("Told-v0", *flags)
    assert run.outcome.code == 2
    assert said in run.outcome.error
    assert not run.paths.root.exists()


@pytest.mark.parametrize(
    ("wrapper", "code", "said"),
    [
        (f"{HERE}:Nothing", 2, f"wrapper {HERE}:Nothing must be a class of gymnasium.Wrapper, got NoneType"),
        (f"{HERE}:Told", 2, "must be a class of gymnasium.Wrapper"),
        ("no_such_wrappers:Any", 2, "needs module no_such_wrappers, which is not found; give --module-path"),
        (f"{HERE}:Fussy", 3, f"wrapper {HERE}:Fussy cannot be made: SystemExit: no display"),
        (f"{HERE}:Scaled(speed=1)", 3, "cannot be made: TypeError"),
        ("mbpo.envs.wrappers:BoundAction", 0, ""),
    ],
)
def test_a_wrapper_that_cannot_be_made_is_one_line(wrapper: str, code: int, said: str, train_on: Train) -> None:
    run = train_on("Told-v0", "--wrapper", wrapper)
    assert run.outcome.code == code
    assert code == 0 or said in run.outcome.error


def test_training_evaluation_and_checks_have_them_alike(train_on: Train, call: Callable[..., Outcome]) -> None:
    plain, wrapped = ("Told-v0", *words(resolve({"env_id": "Told-v0"}, "debug"))), ("Told-v0", *words(given()))
    runs = [train_on(*flags, run_id=name) for flags, name in ((plain, "plain"), (wrapped, "wrapped"))]
    assert [run.outcome.code for run in runs] == [0, 0]
    (before, *_), (after, *_) = (run.metrics("episode") for run in runs)  # of warm-up: the same actions
    assert after["episode/return"] == pytest.approx(2 * before["episode/return"] - 20)
    recorded = read_config(runs[1].paths.config)
    assert (recorded["env_kwargs"], tuple(recorded["wrappers"])) == (KWARGS, WRAPPERS)
    measured = [call(evaluate.main, run.paths.root, "--episodes", 2, "--json") for run in runs]
    assert [outcome.code for outcome in measured] == [0, 0]
    spec = EnvSpec("Told-v0", KWARGS, WRAPPERS)
    evaluator = Evaluator(spec, 2, 0)
    told = [env._env.unwrapped for env in (BoxEnv(spec), *evaluator._envs)]
    assert all(env.kwargs == KWARGS for env in told)
    checked = call(check_env.main, *wrapped, "--steps", 100)
    assert (checked.code, checked.err) == (0, "")


def test_the_first_wrapper_is_the_innermost() -> None:
    env = BoxEnv(EnvSpec("Told-v0", {}, WRAPPERS[:2]))
    names = [getattr(layer, "by", None) for layer in env.layers()]
    assert names[:2] == [1.0, 2.0]
    bare = BoxEnv("Told-v0")
    for each in (env, bare):
        each.reset(0)
    rewards = [each.step(np.ones(1, np.float32))[1] for each in (env, bare)]
    assert rewards[0] == pytest.approx(2 * rewards[1] - 1)


class Boundless(Toy):
    """Take any action."""

    action_space = Box(-np.inf, np.inf, (1,), np.float64)


gymnasium.register("Boundless-v0", Boundless, max_episode_steps=20)


def test_the_wrapper_that_a_refusal_names_helps() -> None:
    with pytest.raises(EnvironmentFault) as raised:
        BoxEnv("Boundless-v0")
    flag = str(raised.value).split("give ")[1]
    assert flag.startswith("--wrapper '") and flag.endswith("'")
    env = BoxEnv(EnvSpec("Boundless-v0", {}, (flag.removeprefix("--wrapper '")[:-1],)))
    env.reset(0)
    env.step(np.array([7.0], np.float32))
    (action,) = env._env.unwrapped.actions
    assert (action.tolist(), action.dtype) == ([1.0], np.float64)


def test_a_fork_and_the_lineage_keep_them(train_on: Train, call: Callable[..., Outcome]) -> None:
    from mbpo import train

    run = train_on("Told-v0", *words(given()))
    root = run.paths.root
    forked = call(
        train.main, "--fork", f"{root}@60", "--real-ratio", "0.5", "--runs-root", root.parent, "--run-id", "fork"
    )
    assert forked.code == 0, forked.err
    assert read_config(root.parent / "fork" / "config.toml")["env_kwargs"] == KWARGS
    assert DEBUG  # the preset of both
