"""Packages whose ids are registered by a call, not by an import."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import pytest

from mbpo.envs.box_env import BoxEnv
from mbpo.errors import ConfigError, EnvironmentFault

LATE = """
import gymnasium

def register_envs():
    {what}
"""
ENTRY = 'gymnasium.register("{name}-v0", "gymnasium.envs.classic_control.pendulum:PendulumEnv")'


def written(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, what: str) -> None:
    (folder / f"{module}.py").write_text(LATE.format(what=what))
    monkeypatch.syspath_prepend(str(folder))


def test_a_package_that_registers_by_a_call_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, monkeypatch, "late_module", ENTRY.format(name="Late"))
    for _ in range(2):
        env = BoxEnv("late_module:Late-v0")
        assert env.reset(0).shape == (3,)
        env.close()


def test_it_is_not_called_where_the_import_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, monkeypatch, "early_module", 'raise RuntimeError("called")')
    gymnasium.register("Early-v0", "gymnasium.envs.classic_control.pendulum:PendulumEnv")
    BoxEnv("early_module:Early-v0").close()


def test_what_it_raises_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, monkeypatch, "failing_module", 'raise RuntimeError("no licence")')
    with pytest.raises(EnvironmentFault, match="failing_module raised RuntimeError: no licence"):
        BoxEnv("failing_module:Failing-v0")


def test_another_id_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, monkeypatch, "other_module", ENTRY.format(name="Other"))
    with pytest.raises(ConfigError, match="module other_module registers Other-v0"):
        BoxEnv("other_module:Mine-v0")
