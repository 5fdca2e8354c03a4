"""Look at runs of containers with this host's name: a learner at work there is not lost, a dead one not in use."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from learners import DEBUG, ENDLESS, LearnerProcess, Outcome, environment, wait_for

from mbpo import control, doctor, train
from mbpo.runs import status as status_module
from mbpo.runs.layout import RunPaths
from mbpo.runs.locks import is_locked
from mbpo.runs.status import RunStatus, read_status, this_process, write_status
from workbench.run_index import RunIndex

Call = Callable[..., Outcome]
SPACES = (
    ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child"),
    ("unshare", "--user", "--map-root-user", "--fork", "--pid", "--mount-proc", "--kill-child"),
)
HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""
OTHER = "pid:[4026599999]"


def a_status(**changes: Any) -> RunStatus:
    """Return the status of this process, as a container sees it."""
    return RunStatus(**{"state": "running", "heartbeat": time.time(), **this_process(), **changes})


# Planted


def test_the_heartbeat_decides_in_another_pid_namespace(gone_pid: int) -> None:
    for pid in (gone_pid, 1, os.getpid(), 2**22 + 1):
        fresh = a_status(pid=pid, pid_namespace=OTHER)
        assert (fresh.derived_state(), fresh.live, fresh.local) == ("running", True, False)
        old = a_status(pid=pid, pid_namespace=OTHER, heartbeat=time.time() - 61)
        assert (old.derived_state(), old.live) == ("silent", False)
        slow = a_status(pid=pid, pid_namespace=OTHER, heartbeat=time.time() - 61, cadence_s=30.0)
        assert slow.derived_state() == "running"


def test_in_the_own_namespace_and_for_an_older_status_the_process_decides(gone_pid: int) -> None:
    for space in ("", this_process()["pid_namespace"]):
        assert a_status(pid=gone_pid, pid_namespace=space).derived_state() == "lost"
        assert a_status(pid_namespace=space, heartbeat=1.0).derived_state() == "running"


def test_a_boot_before_this_one_ended_the_learner_and_another_machine_did_not() -> None:
    begun = psutil.boot_time()
    for pid in (1, os.getpid(), 2**22 + 1):
        assert a_status(pid=pid, boot_id="0b0", heartbeat=begun - 5).derived_state() == "lost"
        elsewhere = a_status(pid=pid, boot_id="0b0")  # it beats after this boot: another machine of this name
        assert (elsewhere.derived_state(), elsewhere.live) == ("running", True)
        assert a_status(pid=pid, boot_id="0b0", heartbeat=max(begun + 1, time.time() - 90)).derived_state() in (
            "silent",
            "running",
        )


def test_a_process_that_only_its_owner_may_see_is_not_lost(gone_pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(pid: int, number: int) -> None:
        assert number == 0
        raise PermissionError

    monkeypatch.setattr(status_module.os, "kill", hidden)
    assert a_status(pid=gone_pid).derived_state() == "running"
    assert a_status(pid=gone_pid, heartbeat=time.time() - 61).derived_state() == "silent"
    assert a_status(heartbeat=1.0).derived_state() == "running"  # one that can be seen
    for pid in (0, -1):
        assert a_status(pid=pid).derived_state() == "lost"


def test_a_name_that_another_container_s_run_has_is_in_use(tmp_path: Path, call: Call) -> None:
    (tmp_path / "r").mkdir()
    write_status(RunPaths(tmp_path / "r"), a_status(pid_namespace=OTHER))
    outcome = call(train.main, *DEBUG, "--runs-root", tmp_path, "--run-id", "r")
    assert outcome.code == 7


@pytest.fixture
def stopped_run(tmp_path: Path, call: Call) -> RunPaths:
    """Return a run that was stopped, with a checkpoint."""
    call(train.main, *DEBUG, "--total-steps", 150, "--runs-root", tmp_path, "--run-id", "r", "--checkpoint-every", 100)
    paths = RunPaths(tmp_path / "r")
    shutil.rmtree(paths.checkpoints / "step-000000150")
    return paths


def test_a_resume_asks_the_lock_where_it_cannot_see_the_process(
    stopped_run: RunPaths, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_status(stopped_run, a_status(pid_namespace=OTHER))
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(stopped_run.metrics)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert is_locked(stopped_run) is True
        outcome = call(train.main, "--resume", stopped_run.root)
        process.kill()
    assert outcome.code == 7
    assert "which cannot be seen from here; stop it first" in outcome.error
    assert is_locked(stopped_run) is False
    monkeypatch.setattr("mbpo.runs.lease.STILL_S", 1.0)
    assert call(train.main, "--resume", stopped_run.root).code == 0  # it died: soon, whatever its heartbeat


def test_without_locks_the_heartbeat_decides_a_resume(
    stopped_run: RunPaths, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("mbpo.runs.locks.fcntl.flock", no_locks)
    monkeypatch.setattr("mbpo.runs.lease.ALWAYS_WATCHED_S", 1.0)
    write_status(stopped_run, a_status(pid_namespace=OTHER, heartbeat=time.time() - 61))
    assert call(train.main, "--resume", stopped_run.root).code == 0


# In a container's namespace


@pytest.fixture
def contained(tmp_path: Path) -> Iterator[LearnerProcess]:
    """Run a learner under this host's name with process numbers of its own."""
    space = next((s for s in SPACES if not subprocess.run([*s, "true"], capture_output=True).returncode), None)
    if space is None:
        pytest.skip("no PID namespace may be made here")
    argv = [sys.executable, "-m", "mbpo.train", *DEBUG, *ENDLESS, "--checkpoint-every", "50", "--run-id", "r"]
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [*space, *argv], cwd=tmp_path, env=environment(), stdout=out, stderr=out, start_new_session=True
        )
    learner = LearnerProcess(process, RunPaths(tmp_path / "runs" / "r"), tmp_path / "out", tmp_path / "out")
    learner.wait_for_env_steps(120)
    yield learner
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_run_in_a_container_is_seen_steered_and_not_taken(contained: LearnerProcess, call: Call) -> None:
    paths = contained.paths
    status = contained.status
    assert status.pid < 100  # a number of the container's
    assert status.derived_state() == "running"
    (row,) = RunIndex(paths.root.parent).rows()
    assert (row.state, row.active) == ("running", True)
    outcome = call(control.main, paths.root, "set", "real_ratio=0.3")
    assert outcome.code == 0, outcome.out
    assert json.loads(outcome.out)["new"] == {"real_ratio": 0.3}
    assert "running at env step" in call(doctor.main, paths.root).out
    assert call(train.main, "--resume", paths.root).code == 7
    assert call(train.main, *DEBUG, "--runs-root", paths.root.parent, "--run-id", "r").code == 7
    os.killpg(contained.process.pid, signal.SIGKILL)
    contained.process.wait()
    wait_for(lambda: is_locked(paths) is False, "its end")
    dead = read_status(paths)
    assert dead is not None
    assert dead.derived_state(now=dead.heartbeat + 61) == "silent"
