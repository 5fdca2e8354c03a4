"""Share learners: a finished run, a live process, and commands called in this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import torch
import toy_envs  # noqa: F401  registers the environments
from hypothesis import HealthCheck, settings
from learners import DEBUG, ENDLESS, LearnerProcess, Outcome

from mbpo.runs.layout import RunPaths

os.environ.pop("COLUMNS", None)  # of whoever runs the tests: tables follow it
torch.set_num_threads(1)  # tests share the machine
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return 4 workers for 2 cores: two fifths of the tests' time is waiting for processes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * cores


@pytest.fixture
def start_learner(tmp_path: Path) -> Iterator[Callable[..., LearnerProcess]]:
    """Start learners that end with the test."""
    started: list[LearnerProcess] = []

    def start(*arguments: str, run_id: str = "live") -> LearnerProcess:
        learner = LearnerProcess.start(tmp_path, *arguments, run_id=run_id)
        started.append(learner)
        return learner

    yield start
    for learner in started:
        learner.kill()


@pytest.fixture
def live_learner(shared_learner: LearnerProcess) -> Iterator[LearnerProcess]:
    """Lend the shared learner; between tests it takes no time. Whoever pauses it resumes it."""
    shared_learner.process.send_signal(signal.SIGCONT)
    yield shared_learner
    shared_learner.process.send_signal(signal.SIGSTOP)


@pytest.fixture(scope="session")
def shared_learner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LearnerProcess]:
    """Run one learner past its warm-up."""
    learner = LearnerProcess.start(tmp_path_factory.mktemp("live"), *ENDLESS)
    learner.wait_for_env_steps(150)
    yield learner
    learner.kill()


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Call the ``main`` of a command with a command line."""

    def run(main: Callable[[Sequence[str]], int], *arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """Share one finished debug run. Copy it to change it."""
    from mbpo.train import main

    root = tmp_path_factory.mktemp("finished") / "runs"
    before = os.umask(0)  # modes must come from the learner, not from the user's mask
    try:
        assert main([*DEBUG, "--runs-root", str(root), "--run-id", "done", "--seed", "3"]) == 0
    finally:
        os.umask(before)
    return RunPaths(root / "done")


@pytest.fixture
def gone_pid() -> int:
    """Return the pid of a process that ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not psutil.pid_exists(process.pid)
    return process.pid
