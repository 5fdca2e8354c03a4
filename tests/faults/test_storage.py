"""Fill the disk, take the directory away, make it read-only: nothing written is ever harmed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disks import Disk, mounted
from figures import figure
from learners import DEBUG, LearnerProcess, Outcome, rows, wait_for

from mbpo import train
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import MACHINE_KEYS
from mbpo.runs.reader import JsonLines
from mbpo.runs.status import read_status
from mbpo.saving.store import CheckpointStore

Call = Callable[..., Outcome]
STEPS = ("--total-steps", "1500", "--checkpoint-every", "70", "--log-every", "10", "--seed", "4")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Return a disk that has room for a run."""
    with mounted(tmp_path / "disk", "12m") as disk:
        yield disk


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """Share the run that always had space."""
    root = tmp_path_factory.mktemp("twin")
    assert train.main([*DEBUG, *STEPS, "--runs-root", str(root), "--run-id", "twin"]) == 0
    return RunPaths(root / "twin")


def compared(paths: RunPaths) -> list[dict[str, object]]:
    """Return the rows as a reader gets them: what a full disk cut off in a line is no row."""
    skipped = MACHINE_KEYS | {"attempt"}
    lines = JsonLines(paths.metrics)
    found = iter(lines.poll, [])
    return [{k: v for k, v in row.items() if k not in skipped} for some in found for row in some]


@pytest.mark.promise("a disk that fills up: every row, no corrupt file")
@pytest.mark.parametrize("number", range(figure(1, 20)))
def test_a_disk_that_fills_up_for_a_while_costs_nothing(
    number: int, disk: Disk, tmp_path: Path, twin: RunPaths
) -> None:
    rng = random.Random(number)
    learner = LearnerProcess.start(tmp_path / "out", *STEPS, "--runs-root", str(disk.root))
    learner.paths = RunPaths(disk.root / "live")
    try:
        learner.wait_for_env_steps(rng.randint(10, 1100))
        disk.fill()
        before, saved = len(rows(learner.paths.metrics)), _newest(learner.paths)
        wait_for(
            lambda: (
                "the disk is full" in learner.stdout.read_text()
                or learner.process.poll() is not None
                or "no new checkpoint" in learner.stdout.read_text()
            ),
            "word of the full disk",
        )
        assert len(rows(learner.paths.metrics)) >= before
        assert _newest(learner.paths) >= saved
        disk.free()
        assert learner.exit_code() == 0, learner.stderr.read_text()
    finally:
        learner.kill()
    assert compared(learner.paths) == compared(twin)
    saved_last, damaged = CheckpointStore(learner.paths.checkpoints).load_newest()
    assert saved_last is not None
    assert (saved_last.loop["env_steps"], damaged) == (1500, [])
    assert not list(learner.paths.root.rglob("*.tmp"))


def _newest(paths: RunPaths) -> int:
    saved, _ = CheckpointStore(paths.checkpoints).load_newest()
    return int(saved.loop["env_steps"]) if saved else -1


@pytest.mark.promise("a run that ends on a full disk goes on afterwards")
def test_a_run_that_ends_on_a_full_disk_says_so_and_can_be_resumed(
    disk: Disk, twin: RunPaths, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbpo.runs.writer.RunWriter.settle.__defaults__", (1.0,))
    monkeypatch.setattr("mbpo.saving.store.FULL_DISK_PATIENCE_S", 1.0)
    whole = train.update_policy

    def fill_at_1200(self: train.Training, env_steps: int, settings: object) -> None:
        whole(self, env_steps, settings)  # type: ignore[arg-type]
        if env_steps == 1200:
            self.store.settle()
            disk.fill()

    with monkeypatch.context() as patch:
        patch.setattr(train, "update_policy", fill_at_1200)
        outcome = call(train.main, *DEBUG, *STEPS, "--runs-root", disk.root, "--run-id", "r")
    assert outcome.code == 5
    assert "No space left" in outcome.err or "disk is full" in outcome.err
    assert "Traceback" not in outcome.err
    run = RunPaths(disk.root / "r")
    disk.free()
    status = read_status(run)
    if status is not None and status.live:  # the last word found no space: it says running
        (run.status).write_text(run.status.read_text().replace(f'"pid": {os.getpid()}', '"pid": 0'))
    assert call(train.main, "--resume", run.root).code == 0
    assert compared(run) == compared(twin)


def rename(path: Path) -> None:
    path.rename(path.parent / "away")


@pytest.mark.promise("a vanished directory ends the run, exit 5")
@pytest.mark.parametrize("leave", [shutil.rmtree, rename])
def test_a_run_whose_directory_vanishes_ends_as_a_storage_fault(leave: Callable[[Path], None], tmp_path: Path) -> None:
    learner = LearnerProcess.start(tmp_path, "--total-steps", "1000000", "--log-every", "10")
    try:
        learner.wait_for_env_steps(50)
        leave(learner.paths.root)
        assert learner.exit_code() == 5
        said = learner.stderr.read_text()
        assert "has vanished" in said or "No such file or directory" in said
        assert said.count("error: ") == 1
        assert "Traceback" not in said
    finally:
        learner.kill()
    assert not learner.paths.root.exists()


@pytest.mark.promise("a read-only directory is refused in one line, exit 5")
def test_a_read_only_file_system_is_one_line(disk: Disk) -> None:
    disk.read_only()
    command = [sys.executable, "-m", "mbpo.train", *DEBUG, "--runs-root", str(disk.root / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
    assert "Read-only file system" in done.stderr


HANG = """
import sys, time
from mbpo import train
whole = train.update_policy
def update(training, env_steps, settings):
    whole(training, env_steps, settings)
    if env_steps == 150:
        stand_still(training.reports.writer.paths.events)
def stand_still(events):
    while "no progress" not in events.read_text():
        time.sleep(0.05)
train.update_policy = update
sys.exit(train.main(sys.argv[1:]))
"""


@pytest.mark.promise("a hang is noticed and its stack written")
def test_a_loop_that_stands_still_is_named_with_its_stack(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANG, *DEBUG, "--hang-after", "2"]
    done = subprocess.run([*command, "--runs-root", str(tmp_path), "--run-id", "r"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = RunPaths(tmp_path / "r")
    assert "stand_still" in run.stacks.read_text()
    (warning,) = (event for event in rows(run.events) if event["event"] == "warning")
    assert "no progress for 2 s in phase train" in warning["reason"]


@pytest.mark.promise("a suspended run is not taken for a hung one")
def test_a_suspended_run_is_not_taken_for_a_hung_one(tmp_path: Path) -> None:
    learner = LearnerProcess.start(tmp_path, "--total-steps", "1000000", "--hang-after", "2", "--log-every", "10")
    try:
        learner.wait_for_env_steps(150)
        learner.process.send_signal(signal.SIGSTOP)
        subprocess.run(["sleep", "3"], check=True)
        learner.process.send_signal(signal.SIGCONT)
        learner.wait_for_env_steps(int(learner.newest("env_steps")) + 50)
        learner.process.terminate()
        assert learner.exit_code() == 143
    finally:
        learner.kill()
    assert not [event for event in rows(learner.paths.events) if event["event"] == "warning"]
    assert not learner.paths.stacks.exists()
