"""Tell a dead learner from a slow one, and never signal a process that is not the learner."""

from __future__ import annotations

import math
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest
from figures import Promise, figure
from learners import ENDLESS, LearnerProcess, Outcome, wait_for

from mbpo import control, doctor, train
from mbpo.runs import status as status_module
from mbpo.runs.status import RunStatus, this_process, write_status
from workbench.messages import RunsRead
from workbench.watcher import Watcher

DEATHS = figure(fast=1, full=20)
SUSPENSIONS = figure(fast=1, full=10)
SUSPENDED_S = figure(fast=3, full=5)
JUMPS = figure(fast=100, full=1000)
WAITED_S = 2.0  # from death to "lost" on the screen


class Shown:
    """Hold what the app's reader thread says of the runs, as it comes."""

    def __init__(self, root: Path) -> None:
        self.states: dict[str, str] = {}
        self.all_states: set[str] = set()
        self.watcher = Watcher(root, self._take)

    def _take(self, message: object) -> None:
        if isinstance(message, RunsRead):
            self.states = {row.run_id: row.state for row in message.reading.rows}
            self.all_states |= set(self.states.values())

    def __enter__(self) -> Shown:
        self.watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.watcher.stop()


def test_a_killed_learner_is_lost_within_two_seconds(
    start_learner: Callable[..., LearnerProcess], promise: Promise
) -> None:
    waited: list[float] = []
    with promise.tries(f"killed learners shown as lost within {WAITED_S:g} s") as tries:
        for number in range(DEATHS):
            with tries.one():
                waited.append(seconds_to_lost(start_learner(*ENDLESS, run_id=f"r{number}")))
                assert waited[-1] <= WAITED_S
        tries.note = f"{max(waited, default=math.nan):.2f} s"


def seconds_to_lost(learner: LearnerProcess) -> float:
    """Return how long after its death a learner is shown as lost."""
    with Shown(learner.paths.root.parent) as shown:
        name = learner.paths.run_id
        wait_for(lambda: shown.states.get(name) == "running", "the run to be seen")
        learner.process.kill()
        killed = time.monotonic()
        learner.process.wait()
        wait_for(lambda: shown.states[name] == "lost", "the loss to be seen")
        return time.monotonic() - killed


def test_a_suspended_learner_is_not_lost(start_learner: Callable[..., LearnerProcess], promise: Promise) -> None:
    learner = start_learner(*ENDLESS)
    learner.wait_for_env_steps(120)
    name = f"suspensions of {SUSPENDED_S} s without a false alarm"
    with Shown(learner.paths.root.parent) as shown, promise.tries(name) as tries:
        wait_for(lambda: shown.states, "the run to be seen")
        for _ in range(SUSPENSIONS):
            with tries.one():
                shown.all_states.clear()
                learner.process.send_signal(signal.SIGSTOP)
                time.sleep(SUSPENDED_S)
                learner.process.send_signal(signal.SIGCONT)
                steps = learner.newest("env_steps")
                wait_for(lambda n=steps: learner.newest("env_steps") > n, "it to go on")
                wait_for(lambda: shown.all_states, "another look")
                assert shown.all_states == {"running"}


def test_a_clock_that_is_set_makes_nobody_dead_or_alive(
    gone_pid: int, monkeypatch: pytest.MonkeyPatch, promise: Promise
) -> None:
    """A machine that slept, or whose clock was set, has another time now and another of boot."""
    rng = random.Random(0)
    now, boot = time.time(), psutil.boot_time()
    alive = RunStatus(state="running", heartbeat=now, **this_process())
    reused = msgspec.structs.replace(alive, create_time=alive.create_time - 90, since_boot=0.5)
    dead = msgspec.structs.replace(alive, pid=gone_pid)
    with promise.tries("clock jumps without a false alarm") as tries:
        for _ in range(JUMPS):
            jump = rng.choice([-1, 1]) * 10 ** rng.uniform(0, 8)  # from a second to three years
            with tries.one(), monkeypatch.context() as patch:
                # As the kernel has it: processes begin at boot + what does not change.
                patch.setattr("psutil._pslinux.boot_time", lambda j=jump: boot + j)
                patch.setattr(status_module.time, "time", lambda j=jump: now + j)
                psutil.boot_time()
                states = [s.derived_state() for s in (alive, dead, reused)]
                assert states == ["running", "lost", "lost"], jump
    psutil.boot_time()


WITNESS = """
import signal, sys, time
def note(number, frame):
    print(number, flush=True)
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, note)
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""


@pytest.mark.promise("a reused pid is never signalled")
def test_a_process_that_has_the_learners_pid_now_is_never_signalled(
    start_learner: Callable[..., LearnerProcess], call: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = start_learner(*ENDLESS, "--checkpoint-every", "50")
    learner.wait_for_env_steps(120)
    learner.kill()
    paths = learner.paths
    status = learner.status
    wait_for(lambda: time.time() - status.create_time > 3, "a pid's return: no system gives it away so soon")
    witness = subprocess.Popen([sys.executable, "-c", WITNESS], stdout=subprocess.PIPE, text=True)
    assert witness.stdout is not None
    try:
        assert witness.stdout.readline() == "ready\n"
        write_status(paths, msgspec.structs.replace(status, pid=witness.pid))
        for action in ("pause", "resume", "checkpoint", "stop"):
            outcome = call(control.main, paths.root, action)
            assert (outcome.code, outcome.out) == (1, "rejected: the run is lost\n")
        call(doctor.main, paths.root)
        monkeypatch.setattr(train, "train", lambda training: False)
        monkeypatch.setattr(train.Training, "finish", lambda self: None)
        assert call(train.main, "--resume", paths.root).code == 0
    finally:
        witness.kill()
    said, _ = witness.communicate()
    assert (witness.returncode, said) == (-signal.SIGKILL, "")  # ours
