"""Run studies in the queue of this machine: what is missing, and nothing twice, whoever is killed when."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from learners import wait_for
from quick_study import RUNS, drive, driven, measured, of_no_environment, one_by_one, statuses, write_study

from mbpo import study
from mbpo.runs.queue import Queue


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("twin")
    return one_by_one(write_study(folder), folder / "runs")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the file of a study that has been run, and what that printed."""
    file = write_study(tmp_path_factory.mktemp("done"))
    code, out, err = driven(file)
    assert code == 0, err
    return file, out


def test_a_study_ends_with_its_table_and_the_runs_that_one_by_one_gives(done: tuple[Path, str], twin: object) -> None:
    file, out = done
    folder = file.parent / "runs" / "quick"
    assert f"{folder}: 2 k × 2 seeds = 4 runs" in out and "4 to begin" in out
    assert "k3-s1 finished at 200 env steps, evaluation" in out
    assert "rollout_length=1" in out and "P(X > Y)" in out
    assert measured(folder) == twin
    assert (folder / "study.toml").read_bytes() == file.read_bytes()


def test_what_has_finished_is_left_alone_and_what_lacks_is_run(done: tuple[Path, str], twin: object) -> None:
    file, _ = done
    folder = file.parent / "runs" / "quick"
    before = statuses(folder)
    code, out, err = driven(file)
    assert (code, statuses(folder)) == (0, before), err
    assert "4 finished" in out and "queue" not in out
    shutil.rmtree(folder / "k3-s0")
    code, out, err = driven(file)
    assert code == 0, err
    assert "1 to begin, 3 finished" in out and "of one learner" in out
    after = statuses(folder)
    assert [name for name in RUNS if after[name] != before[name]] == ["k3-s0"]
    assert measured(folder) == twin


def test_one_run_alone_can_be_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_study(tmp_path)
    code, out, err = driven(file, "--only", "k3-s1")
    assert code == 0, err
    assert "= 1 run" in out and "k3-s1 finished" in out
    assert [name for name, status in statuses(tmp_path / "runs" / "quick").items() if status] == ["k3-s1"]
    assert study.main([str(file), "--only", "k3-s7"]) == 2
    assert "--only k3-s7: the study has no such run; did you mean" in capsys.readouterr().err


def test_a_run_that_cannot_begin_has_its_reason(tmp_path: Path) -> None:
    file = write_study(tmp_path)
    said = of_no_environment(file)
    code, _, err = driven(file)
    assert code == 1 and said in err


def test_a_study_may_be_begun_and_followed_later_by_several(
    tmp_path: Path, twin: object, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_study(tmp_path)
    code, out, err = driven(file, "--detach")
    assert code == 0, err
    assert "the queue of" in out and "evaluation" not in out
    followers = [drive(file), drive(file)]
    for follower in followers:
        _, err = follower.communicate(timeout=240)
        assert follower.returncode == 0, err
    assert measured(tmp_path / "runs" / "quick") == twin
    assert study.main([str(file), "--on", "ray", "--detach"]) == 2
    assert "on Ray this command keeps the learners" in capsys.readouterr().err


def test_a_search_is_planned_anywhere_and_run_on_ray_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, root = write_study(tmp_path), f"--runs-root={tmp_path / 'runs'}"
    file.write_text(file.read_text().replace("[axes]", "[search]\nsamples = 3\n[search.space]"))
    assert study.main([str(file), root, "--plan"]) == 0
    assert "3 samples × 2 seeds = at most 6 runs" in capsys.readouterr().out
    assert study.main([str(file), root]) == 2
    assert "a [search] needs --on ray" in capsys.readouterr().err
    assert study.main([str(file), root, "--on", "ray", "--only", "k1-s0"]) == 2
    assert "a search goes on as a whole" in capsys.readouterr().err


def test_a_driver_that_is_killed_costs_nothing(tmp_path: Path, twin: object) -> None:
    file = write_study(tmp_path)
    folder = tmp_path / "runs" / "quick"
    first = drive(file)
    wait_for(lambda: any(statuses(folder).values()), "a run")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    code, _, err = driven(file)
    assert code == 0, err
    assert [status.attempt for status in statuses(folder).values() if status] == [1, 1, 1, 1]
    assert measured(folder) == twin


def test_ctrl_c_leaves_the_runs_at_work(tmp_path: Path) -> None:
    file = write_study(tmp_path, steps=100_000)
    folder, queue = tmp_path / "runs" / "quick", Queue(tmp_path / "runs")
    process = drive(file)
    try:
        wait_for(lambda: any(statuses(folder).values()), "a run")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 130 and "the same command again follows them" in out
        assert queue.has_runner
    finally:
        process.kill()
        queue.cancel()
        wait_for(lambda: _all_ended(folder, queue), "the end of every learner and of the runner")


def _all_ended(folder: Path, queue: Queue) -> bool:
    """Tell the learners at work to end, also those that have just begun; return whether nothing is left."""
    for status in statuses(folder).values():
        if status is not None and status.live:
            os.kill(status.pid, signal.SIGTERM)
    return not queue.read().unfinished and not queue.has_runner


def test_a_run_of_other_settings_is_never_gone_on_with(
    done: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "quick.toml"
    other.write_text(done[0].read_text().replace('preset = "debug"', 'preset = "debug"\ngamma = 0.5'))
    assert study.main([str(other), "--runs-root", str(done[0].parent / "runs")]) == 2
    said = capsys.readouterr().err
    assert said == "error: k1-s0 is there with gamma 0.99, and the study has 0.5; give the study another name\n"
