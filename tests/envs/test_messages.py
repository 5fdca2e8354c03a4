"""What is said of an environment: one printable line, which still holds the mend where ids are long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from test_contract import ACTION, Quoted, fault, quoted

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.guard import told, versions
from mbpo.envs.spaces import Actions, Observations
from mbpo.envs.spec import EnvSpec


class Hidden(Exception):
    """Raise where someone asks what it says."""

    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("one\ntwo"), "ValueError: one"),
        (RuntimeError("\n \n"), "RuntimeError"),
        (Hidden(), "Hidden"),
        (OSError("\x1b[31m\u202e\udcff"), r"OSError: \x1b[31m\u202e\udcff"),
        (RuntimeError("x" * 999), "RuntimeError: " + "x" * 70),
        (SystemExit(), "SystemExit"),
    ],
)
def test_an_error_is_told_in_printable_words(error: BaseException, said: str) -> None:
    assert told(error) == said
    assert told(error).encode().decode().isprintable()


LONG = "QuotedFromAPackageWithANameOf-v0"  # 32 characters
gymnasium.register(LONG, Quoted)
WRONG = {f"argument_{number}": number for number in range(9)}
WIDE = Dict({"a": Box(-1, 1, (700,))})
NORMALIZED = EnvSpec(LONG, {}, ("gymnasium.wrappers:NormalizeObservation",))


def acted(what: dict[str, Any]) -> Callable[[pytest.MonkeyPatch], object]:
    """Return what steps in an environment after a reset."""

    def act(monkeypatch: pytest.MonkeyPatch) -> None:
        env = quoted(monkeypatch, LONG, **what)
        env.reset(0)
        env.step(ACTION)

    return act


@pytest.mark.parametrize(
    ("act", "mend"),
    [
        (acted({"reward_of": lambda: np.zeros((7, 7))}), "mend it in a --wrapper"),
        (acted({"step_of": lambda found: None}), "wrap it by shimmy"),
        (acted({"reset_of": lambda obs: [obs]}), "wrap it by shimmy"),
        (acted({"reset_of": lambda obs: (np.zeros((10, 10), np.float64), {})}), "mend the space or the observation"),
        (acted({"reward_of": lambda: 1 // 0}), f"(gymnasium {gymnasium.__version__}, mujoco "),
        (lambda patch: BoxEnv(EnvSpec(LONG, WRONG)), f"(gymnasium {gymnasium.__version__}, mujoco "),
        (lambda patch: BoxEnv(NORMALIZED), "leave it out; the model normalizes obs itself, --reward-scale rewards"),
        (lambda patch: Observations(WIDE, LONG).flat(np.zeros((1, 800))), "mend the space or the observation"),
        (lambda patch: Actions(Box(-np.inf, np.inf, (9,)), LONG), "BoundAction(low=-1.0, high=1.0)'"),
        (lambda patch: Actions(Discrete(9), LONG), "choose an environment with continuous actions"),
        (lambda patch: Actions(Box(-1, 1, (9,)), LONG).check_unchanged(Discrete(9)), "where the environment is made"),
    ],
)  # fmt: skip
def test_the_mend_stands_in_the_line_that_a_user_reads(act: Any, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = fault(lambda: act(monkeypatch))
    assert LONG in line
    assert mend in line


def test_versions_are_those_of_gymnasium_mujoco_and_the_environments_package() -> None:
    gymnasium.register("OfAPackage-v0", "hypothesis.strategies:integers")  # a package that is here, whatever it is
    found = versions("whatever:OfAPackage-v0")
    assert [part.split()[0] for part in found.split(", ")] == ["gymnasium", "hypothesis", "mujoco"]
    assert [part.split()[0] for part in versions("Unknown-v0").split(", ")] == ["gymnasium", "mujoco"]
    del gymnasium.registry["OfAPackage-v0"]
