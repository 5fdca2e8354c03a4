"""Type paths with ~ to every command: they lead home, and ./~ is a folder of that name."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from learners import DEBUG, Outcome, rows

from mbpo import compare, control, doctor, evaluate
from mbpo.errors import ConfigError
from mbpo.lifecycle.command_line import parse_launch
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import load_runs
from mbpo.settings.typed_path import typed_path
from mbpo.train import main
from workbench.command_line import options_or_exit

Call = Callable[..., Outcome]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished_run: RunPaths) -> Path:
    """Live in a home of one's own, with a run in it, and work in another folder."""
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    shutil.copytree(finished_run.root, home / "runs" / "done")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    return home


@pytest.mark.parametrize("text", ["~", "~/", "~/runs", "~//runs/../runs"])
def test_a_tilde_is_the_home_folder(text: str, home: Path) -> None:
    assert typed_path(text) == home / text.lstrip("~/")


def test_another_user_has_a_home_too(home: Path) -> None:
    user = pwd.getpwuid(os.getuid())
    assert typed_path(f"~{user.pw_name}/x") == Path(user.pw_dir) / "x"
    with pytest.raises(ConfigError, match=r"user nobody-of-that-name, which is unknown; give \./~ for a folder"):
        typed_path("~nobody-of-that-name/x")


@pytest.mark.parametrize("text", ["./~", "./~/runs", "./~someone", "a/~", "x~"])
def test_a_folder_of_that_name_stays_within_reach(text: str, home: Path) -> None:
    path = typed_path(text)
    assert path.absolute() == Path.cwd() / text
    assert typed_path(str(path)).absolute() == path.absolute()


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (compare.main, ("~/runs",)),
        (compare.main, ("~/runs/d*", "--csv", "~/figures.csv")),
        (doctor.main, ("~/runs/done",)),
        (evaluate.main, ("~/runs/done", "--episodes", "1")),
    ],
)
def test_every_command_reads_it(
    main: Callable[[Sequence[str]], int], arguments: Sequence[str], home: Path, call: Call
) -> None:
    outcome = call(main, *arguments)
    assert outcome.code == 0, outcome.err
    assert (home / "figures.csv").exists() == ("--csv" in arguments)
    assert list(Path.cwd().iterdir()) == []


def test_control_reads_it(home: Path, call: Call) -> None:
    outcome = call(control.main, "~/runs/done", "pause")
    assert (outcome.code, outcome.out) == (1, "rejected: the run is finished\n")


def test_a_launch_reads_it_in_every_flag(home: Path) -> None:
    (home / "mine.toml").write_text("total_steps = 321\n")
    launch = parse_launch(["--config=~/mine.toml", "--runs-root=~/more"])
    assert (launch.config.total_steps, launch.runs_root) == (321, home / "more")
    assert parse_launch(["--resume=~/runs/done"]).runs_root == home / "runs"
    assert parse_launch(["--replay", "~/runs/done", "--runs-root", "~"]).replay == home / "runs" / "done"
    assert parse_launch(["--replay", "~/runs/done", "--runs-root", "~"]).runs_root == home
    fork = parse_launch(["--fork=~/runs/done@120", "--runs-root=~/forks"])
    assert fork.fork is not None
    assert (fork.fork.parent, fork.fork.at, fork.runs_root) == (home / "runs" / "done", 120, home / "forks")
    assert parse_launch(["--runs-root=./~"]).runs_root == Path.cwd() / "~"


def test_help_reads_it(home: Path, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "mine.toml").write_text("total_steps = 321\n")
    with pytest.raises(SystemExit, match="0"):
        main(["--config=~/mine.toml", "--help"])
    assert "default 321" in capsys.readouterr().out


def test_a_run_is_made_at_home(home: Path, call: Call) -> None:
    outcome = call(main, *DEBUG, "--total-steps", 60, "--runs-root=~/mine", "--run-id", "a")
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, str(home / "mine" / "a"))
    assert rows(home / "mine" / "a" / "metrics.jsonl")
    assert list(Path.cwd().iterdir()) == []


def test_in_python_a_text_is_typed_and_a_path_is_none(home: Path) -> None:
    assert set(load_runs("~/runs/*")["run"]) == {"done"}
    shutil.copytree(home / "runs" / "done", "~")
    assert set(load_runs(Path("~"))["run"]) == {"~"}
    assert set(load_runs("./~")["run"]) == {"~"}


def test_the_app_reads_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.command_line.check_terminal", lambda preset: None)
    assert options_or_exit(["--runs-root=~/runs"]).runs_root == home / "runs"
    assert options_or_exit([]).runs_root == Path("runs")
    with pytest.raises(SystemExit, match="2"):
        options_or_exit(["--runs-root=~nobody-of-that-name"])
