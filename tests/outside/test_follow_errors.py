"""Bad input gets one line that says what was expected, and nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from following import some_rows, started, write_run
from learners import Outcome
from other_ends import needs

from mbpo.follow import main

Call = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "a", some_rows(1, 3))


def test_an_unknown_tracker_is_named_with_the_nearest(call: Call, run: Path) -> None:
    outcome = call(main, run, "--to", "tensorbord")
    assert outcome.code == 2
    assert outcome.error == "error: unknown tracker tensorbord; did you mean tensorboard? (from --to)"


@pytest.mark.parametrize(
    ("name", "module"),
    [("tensorboard", "tensorboard.compat.proto.event_pb2"), ("wandb", "wandb"), ("trackio", "trackio")],
)
def test_a_missing_package_comes_with_the_command_that_installs_it(
    call: Call, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("TRACKIO_DIR", "")
    outcome = call(main, run, "--to", name, "--into", tmp_path / "there")
    assert outcome.code == 2
    assert "is not installed: " in outcome.error and outcome.error.endswith(f"pip install {name}")


def test_a_run_is_no_place_for_a_tracker(call: Call, run: Path) -> None:
    before = sorted(run.rglob("*"))
    outcome = call(main, run, "--to", "tensorboard", "--into", run / "tb")
    assert outcome.code == 2 and "--into must lie outside of runs" in outcome.error
    assert sorted(run.rglob("*")) == before


def test_a_folder_that_cannot_be_written_is_named(call: Call, run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = call(main, run, "--to", "tensorboard", "--into", tmp_path / "file")
    assert outcome.code == 2
    assert f"cannot write in {tmp_path / 'file'}"[:60] in outcome.error


def test_what_is_no_run_is_named(call: Call, tmp_path: Path) -> None:
    assert "does not exist" in call(main, tmp_path / "none", "--to", "tensorboard").error
    (tmp_path / "file").write_text("")
    assert "is a file" in call(main, tmp_path / "file", "--to", "tensorboard", "--live").error
    (tmp_path / "empty").mkdir()
    assert "is not a run and holds none" in call(main, tmp_path / "empty", "--to", "tensorboard").error


def test_two_followers_of_one_run_are_one_too_many(call: Call, run: Path, tmp_path: Path) -> None:
    needs("tensorboard")
    into = tmp_path / "tb"
    with started(tmp_path, "--to", "tensorboard", "--into", into, "--live") as first:
        assert first.stdout is not None
        first.stdout.readline()
        outcome = call(main, run, "--to", "tensorboard", "--into", into)
    assert outcome.code == 7
    assert outcome.error.startswith("error: a is followed into ")


def test_a_project_that_wandb_has_not_is_refused(call: Call, run: Path, tmp_path: Path) -> None:
    needs("wandb")
    outcome = call(main, run, "--to", "wandb", "--into", tmp_path / "w", "--project", "a/b")
    assert outcome.code == 2 and "--project must be" in outcome.error


def test_the_help_has_an_example_and_every_tracker(call: Call) -> None:
    with pytest.raises(SystemExit):
        call(main, "--help")


def test_no_follower_imports_torch(run: Path, tmp_path: Path) -> None:
    import subprocess

    from learners import environment

    code = "import sys; from mbpo.follow import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    for name in ("tensorboard", "wandb", "trackio"):
        needs(name)
        arguments = [run, "--to", name, "--into", tmp_path / name]
        command = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "False"
