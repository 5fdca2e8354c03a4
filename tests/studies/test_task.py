"""Be one run of a study: begin it, go on with it, wait for who has it; and behind a guard, end with its starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from learners import environment, wait_for
from quick_study import measured, one_by_one, statuses, write_study

from mbpo.runs.layout import RunPaths
from mbpo.runs.status import read_status
from mbpo.studies import guard, task
from mbpo.studies.folder import keep

PARENT = """
import subprocess, sys, os, time
from mbpo.studies import guard
command = [sys.executable, "-m", "mbpo.studies.task", *sys.argv[1:]]
print(subprocess.Popen([sys.executable, guard.__file__, str(os.getpid()), *command]).pid, flush=True)
time.sleep(1000)
"""


def kept(folder: Path, steps: int = 200) -> Path:
    """Return the folder of a study of which nothing has run."""
    keep(write_study(folder, steps), folder / "runs" / "quick", "local")
    return folder / "runs" / "quick"


def started(folder: Path, run: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mbpo.studies.task", str(folder), run]
    return subprocess.Popen(command, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_a_task_begins_goes_on_and_has_nothing_left_to_do(tmp_path: Path) -> None:
    folder = kept(tmp_path, steps=600)
    first = started(folder, "k1-s0")
    wait_for(lambda: (s := statuses(folder)["k1-s0"]) is not None and s.env_steps > 120, "env step 120")
    first.send_signal(signal.SIGTERM)
    first.communicate()
    assert first.returncode == 143
    second = started(folder, "k1-s0")
    second.communicate()
    status = statuses(folder)["k1-s0"]
    assert second.returncode == 0 and status is not None and (status.state, status.attempt) == ("finished", 2)
    third = started(folder, "k1-s0")
    assert third.communicate()[0] == "k1-s0 has ended for good: nothing is left to do\n"
    assert third.returncode == 0
    alone = one_by_one(tmp_path / "quick.toml", tmp_path / "alone")
    assert measured(folder)["k1-s0"] == alone["k1-s0"]


def test_a_task_waits_for_the_learner_before_it(tmp_path: Path) -> None:
    folder = kept(tmp_path, steps=600)
    first = started(folder, "k1-s0")
    wait_for(lambda: (s := statuses(folder)["k1-s0"]) is not None and s.env_steps > 0, "a step")
    first.send_signal(signal.SIGSTOP)  # it does not end before the second looks
    second = started(folder, "k1-s0")
    assert second.stdout is not None
    said = second.stdout.readline()
    first.send_signal(signal.SIGCONT)
    out, _ = second.communicate()
    first.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert said == "k1-s0: waiting, at most 15 min, for the learner at work in it to end\n"
    assert "has ended for good" in out


@pytest.mark.parametrize("whom", ["starter", "guard"])
def test_behind_a_guard_a_learner_saves_when_whoever_started_it_is_killed(tmp_path: Path, whom: str) -> None:
    folder = kept(tmp_path, steps=100_000)
    command = [sys.executable, "-c", PARENT, str(folder), "k1-s0"]
    parent = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE)
    assert parent.stdout is not None
    between = int(parent.stdout.readline())
    paths = RunPaths(folder / "k1-s0")
    wait_for(lambda: (s := read_status(paths)) is not None and s.env_steps > 0, "a step")
    os.kill(parent.pid if whom == "starter" else between, signal.SIGKILL)
    wait_for(lambda: (s := read_status(paths)) is not None and s.state == "stopped", "its end")
    parent.kill()
    parent.communicate()
    status = read_status(paths)
    assert status is not None and status.exit_code == 143


def test_a_guard_hands_sigterm_on_and_ends_as_its_command(tmp_path: Path) -> None:
    folder = kept(tmp_path, steps=100_000)
    task = [sys.executable, "-m", "mbpo.studies.task", str(folder), "k1-s0"]
    between = subprocess.Popen([sys.executable, guard.__file__, str(os.getpid()), *task], env=environment())
    wait_for(lambda: (s := statuses(folder)["k1-s0"]) is not None and s.env_steps > 0, "a step")
    between.terminate()
    assert between.wait(60) == 143


def test_behind_a_guard_nothing_begins_whose_starter_is_gone(tmp_path: Path, gone_pid: int) -> None:
    command = [sys.executable, guard.__file__, str(gone_pid), "touch", str(tmp_path / "begun")]
    assert subprocess.run(command, env=environment()).returncode == 143
    assert not (tmp_path / "begun").exists()


def test_what_is_no_task_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert task.main([str(tmp_path), "k1-s0"]) == 2
    assert "holds no study: no study.toml" in capsys.readouterr().err
    assert task.main([str(kept(tmp_path)), "k9-s0"]) == 2
    assert "has no run 'k9-s0'" in capsys.readouterr().err
    assert not os.path.lexists(tmp_path / "runs" / "quick" / "k9-s0")
