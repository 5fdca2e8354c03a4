"""A run that ends leaves a report and a picture, in a process of their own: never at its own cost."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_run import make_run, status_of
from family import a_family, put_config
from learners import DEBUG, ROOT, LearnerProcess, Outcome, environment
from other_ends import needs
from page_parts import parts_of

from mbpo.lifecycle.left_beside import what_is_left
from mbpo.outside.report import at_end
from mbpo.outside.report.at_end import leave_comparison, leave_report
from mbpo.runs.layout import RunPaths
from mbpo.runs.what_ifs import FOLDER
from mbpo.train import main

Call = Callable[..., Outcome]
REPORT = ("--report", "true")


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    path = make_run(tmp_path, "swing", status_of("finished"), rows=40)
    put_config(path, seed=3)
    return RunPaths(path)


def needs_both() -> None:
    needs("bokeh")
    needs("matplotlib.figure")


def test_a_run_that_ends_leaves_its_report_and_says_where(tmp_path: Path, call: Call) -> None:
    needs_both()
    outcome = call(main, *DEBUG, *REPORT, "--runs-root", tmp_path, "--run-id", "done", "--total-steps", "200")
    root = tmp_path / "done"
    assert outcome.code == 0
    assert f"  picture: {root}/returns.png\n  report: {root}/report.html\n" in outcome.out
    assert (root / "returns.png").read_bytes().startswith(b"\x89PNG")
    assert "finished at 200 of 200 env steps" in parts_of(root / "report.html").text
    assert {stat.S_IMODE((root / name).stat().st_mode) for name in ("returns.png", "report.html")} == {0o600}


def test_a_run_that_is_stopped_leaves_one_too(start_learner: Callable[..., LearnerProcess]) -> None:
    needs_both()
    learner = start_learner(*REPORT, "--total-steps", "1000000", "--eval-every", "1000000", "--log-every", "10")
    learner.wait_for_env_steps(120)
    learner.process.send_signal(signal.SIGTERM)
    assert learner.exit_code() == 128 + signal.SIGTERM
    assert "state stopped at" in parts_of(learner.paths.root / "report.html").text


def test_seeds_leave_one_page_that_compares_them(tmp_path: Path) -> None:
    needs_both()
    command = [sys.executable, "-m", "mbpo.train", *DEBUG, *REPORT, "--seeds", "0:2", "--runs-root", str(tmp_path)]
    done = subprocess.run(
        [*command, "--total-steps", "200"], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (page,) = tmp_path.glob("*.html")
    assert done.stdout.splitlines()[-1] == f"compared in a report: {page}"
    assert "2 runs in 1 group" in parts_of(page).text
    assert len(list(tmp_path.glob("debug-*/report.html"))) == 2


def test_what_cannot_be_written_is_one_line_and_no_failure(tmp_path: Path, call: Call) -> None:
    needs_both()
    root = tmp_path / "done"
    outcome = call(main, *DEBUG, "--runs-root", tmp_path, "--run-id", "done", "--total-steps", "200")
    assert outcome.code == 0 and not (root / "report.html").exists()  # the debug preset leaves none
    assert f"  report: python -m mbpo.report {root}" in outcome.out
    (root / "report.html").mkdir()
    (said,) = leave_report(RunPaths(root))
    assert said.startswith("no report: cannot write ") and "\n" not in said


def test_without_a_package_for_it_commands_are_said(run: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_end, "NEEDS", ("no_such_package",))
    assert leave_report(run) == []
    assert leave_comparison([run, run], run.root.parent / "x.html") == []
    assert not (run.root / "report.html").exists()


def test_forks_of_a_what_if_and_runs_without_rows_leave_none(tmp_path: Path) -> None:
    for path in (make_run(tmp_path / FOLDER, "fork", status_of(), rows=9), make_run(tmp_path, "new", status_of())):
        assert leave_report(RunPaths(path)) == []


def test_of_more_rows_than_one_waits_for_the_commands_are_said(run: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_end, "MOST_BYTES", 1000)
    assert leave_report(run) == []


def test_whatever_fails_is_a_line() -> None:
    def fails() -> list[str]:
        raise RuntimeError("torn\nin two")

    assert what_is_left(fails) == ["no report: RuntimeError: torn in two"]


def test_a_report_that_takes_too_long_is_ended(run: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_both()
    monkeypatch.setattr(at_end, "LIMIT_S", 0.01)
    (said,) = leave_report(run)
    assert said.startswith("no report: it took longer than 0 s")
    assert not (run.root / "report.html").exists()


def test_a_family_that_ended_is_compared(tmp_path: Path) -> None:
    needs_both()
    a_family(tmp_path)
    put_config(tmp_path / "base", seed=3)
    put_config(tmp_path / "base-k5", seed=3)
    runs = [RunPaths(tmp_path / name) for name in ("base", "base-k5")]
    assert leave_comparison(runs, tmp_path / "page.html") == [f"compared in a report: {tmp_path}/page.html"]
    assert leave_comparison(runs[:1], tmp_path / "one.html") == []
