"""Advice on what to install: it names what lacks, and works where the user stands."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

import mbpo.envs.make  # noqa: F401  registers ours
from mbpo.envs.box_env import BoxEnv
from mbpo.errors import EnvironmentFault, one_line
from mbpo.settings.packages import install_command, lacking
from mbpo.settings.presets import PRESETS


def without_mujoco(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)


def on_mujoco(spec: gymnasium.envs.registration.EnvSpec) -> bool:
    return isinstance(spec.entry_point, str) and spec.entry_point.startswith("gymnasium.envs.mujoco.")


def test_exactly_the_environments_on_mujoco_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(map(lacking, gymnasium.registry))  # it is installed here
    without_mujoco(monkeypatch)
    shipped = {env_id: spec for env_id, spec in gymnasium.registry.items() if spec.namespace in (None, "mbpo")}
    needy = {env_id for env_id in shipped if lacking(env_id)}
    assert needy == {env_id for env_id, spec in shipped.items() if on_mujoco(spec)}
    assert {preset.env_id for preset in PRESETS.values()} - needy == {"Pendulum-v1", ""}


def test_the_learner_says_the_same_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    without_mujoco(monkeypatch)

    def refuse(env_id: str, **given: object) -> None:  # as gymnasium does, in however many words
        raise gymnasium.error.DependencyNotInstalled("MuJoCo is not installed, run `pip install x`\n" * 9)

    monkeypatch.setattr(gymnasium, "make", refuse)
    with pytest.raises(EnvironmentFault) as raised:
        BoxEnv("Hopper-v5")
    assert str(raised.value) == f"Hopper-v5 needs MuJoCo: {install_command('gymnasium[mujoco]')}"
    longest = lacking("InvertedDoublePendulum-v5")
    assert one_line(longest) == f"error: {longest}"


def of_python(executable: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "executable", str(executable))
    return shlex.split(install_command("x"))[0]


def test_the_python_is_called_as_shortly_as_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my venv" / "bin"
    folder.mkdir(parents=True)
    own = folder / "python"
    own.symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    assert of_python(own, monkeypatch) == "my venv/bin/python"
    monkeypatch.chdir("/")
    assert of_python(own, monkeypatch) == str(own)[1:]
    monkeypatch.chdir(folder)
    assert of_python(own, monkeypatch) == str(own)  # a bare name would be looked for elsewhere
    monkeypatch.setenv("PATH", str(folder))
    assert of_python(own, monkeypatch) == "python"


def test_the_command_can_be_run() -> None:
    command = install_command("gymnasium[mujoco]")
    done = subprocess.run(f"{command} --help", shell=True, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "pip install" in done.stdout


def test_looking_for_mujoco_imports_nothing() -> None:
    code = (
        "import sys; from mbpo.settings.packages import lacking; lacking('Hopper-v5');"
        "print({'mujoco', 'gymnasium', 'numpy', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr
