"""Start commands from a notebook's shell: its MPLBACKEND stops neither a plot nor a learner."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from learners import DEBUG, environment, rows

from mbpo.comparison.picture_files import check_matplotlib
from mbpo.errors import ConfigError
from mbpo.runs.layout import RunPaths
from mbpo.settings.plot_backend import leave_notebook

NOTEBOOKS = [
    "module://matplotlib_inline.backend_inline",
    "inline",
    "nbAgg",
    "widget",
    "module://no_such.backend",
    "tpyo",
]
DRAWS = """
import gymnasium, toy_envs
import matplotlib.pyplot as plt

class Draws(toy_envs.Toy):
    def step(self, action):
        plt.figure().gca().plot([0, 1])
        plt.close("all")
        return super().step(action)

gymnasium.register("Draws-v0", Draws, max_episode_steps=20)
"""


@pytest.mark.parametrize("backend", NOTEBOOKS)
def test_a_notebook_s_backend_is_left(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", backend)
    leave_notebook()
    assert os.environ["MPLBACKEND"] == "agg"


@pytest.mark.parametrize("backend", ["TkAgg", "agg", "QtAgg", "svg", "", "module://toy_envs.backend"])
def test_what_a_process_may_want_is_kept(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", backend)
    leave_notebook()
    assert os.environ["MPLBACKEND"] == backend
    monkeypatch.delenv("MPLBACKEND")
    leave_notebook()
    assert "MPLBACKEND" not in os.environ


@pytest.mark.parametrize("backend", [*NOTEBOOKS[:3], "TkAgg", "tpyo"])
def test_compare_draws_whatever_the_backend(backend: str, finished_run: RunPaths, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    argv = [sys.executable, "-m", "mbpo.compare", str(finished_run.root), "--png", "a.png"]
    environ = {**environment(), "MPLBACKEND": backend}
    done = subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_an_environment_that_draws_is_trained_in(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "draws.py").write_text(DRAWS)
    argv = [sys.executable, "-m", "mbpo.train", *DEBUG, "--total-steps", "120", "--env-id", "draws:Draws-v0"]
    environ = {**environment(), "MPLBACKEND": NOTEBOOKS[0]}
    done = subprocess.run([*argv, "--run-id", "r"], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "runs" / "r" / "metrics.jsonl")


def test_in_a_notebook_itself_a_backend_that_is_none_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    script = "from mbpo import compare\nimport sys\nsys.exit(compare.main(['.', '--png', 'a.png']))"
    done = subprocess.run(
        [sys.executable, "-c", script], env={**environment(), "MPLBACKEND": "tpyo"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --png needs matplotlib, and that knows no MPLBACKEND tpyo; unset it\n"
    check_matplotlib("--png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match="--png needs matplotlib: "):
        check_matplotlib("--png")
