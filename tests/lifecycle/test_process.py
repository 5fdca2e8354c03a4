"""End a learner in every way there is: signals, closed pipes, faults; hold the exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from learners import DEBUG, PATIENCE_S, LearnerProcess, Outcome, environment, rows, wait_for

from mbpo.errors import (
    CheckpointError,
    ConfigError,
    DivergedError,
    EnvironmentFault,
    RunInUseError,
    StorageError,
    report,
)
from mbpo.lifecycle.process import learner_process
from mbpo.runs.create import create_run_dir
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, read_status
from mbpo.runs.writer import RunWriter
from mbpo.saving.checkpoint import load_checkpoint
from mbpo.settings.config import LIVE_SETTINGS, SETTINGS
from mbpo.train import main

Call = Callable[..., Outcome]
Start = Callable[..., LearnerProcess]


def test_each_error_has_the_exit_code_of_the_contract() -> None:
    assert [
        kind.exit_code
        for kind in (ConfigError, EnvironmentFault, DivergedError, StorageError, CheckpointError, RunInUseError)
    ] == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("text", ["x" * 500, "two\nlines", "\x1b]52;c;eA==\x07", "tab\there", ""])
def test_an_error_is_reported_in_one_printable_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(StorageError(text)) == 5
    line = capsys.readouterr().err.removesuffix("\n")
    assert line.startswith("error: ")
    assert line.isprintable()
    assert len(line) <= 200


# Faults, in this process


@pytest.mark.parametrize(
    ("env_id", "code", "words"),
    [
        ("Choice-v0", 3, "expected a Box action space, got Discrete"),
        ("CartPole-v1", 3, "CartPole-v1"),
        ("Endless-v0", 3, "expected finite action bounds"),
        ("Unmakeable-v0", 3, "robot.xml is not there"),
    ],
)
def test_an_environment_that_cannot_be_used_ends_with_3_and_leaves_no_directory(
    env_id: str, code: int, words: str, call: Call, tmp_path: Path
) -> None:
    outcome = call(main, *DEBUG, "--runs-root", tmp_path / "runs", "--env-id", env_id)
    assert outcome.code == code
    assert words in outcome.error
    assert outcome.out == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("env_id", "code", "state", "reason"),
    [("Broken-v0", 3, "failed", "Broken-v0.step raised RuntimeError: the joint came off")],
)
def test_a_fault_on_the_way_is_named_in_status_event_log_and_stderr(
    env_id: str, code: int, state: str, reason: str, call: Call, tmp_path: Path
) -> None:
    outcome = call(main, *DEBUG, "--runs-root", tmp_path, "--run-id", "r", "--env-id", env_id)
    paths = RunPaths(tmp_path / "r")
    status = read_status(paths)
    assert status is not None
    assert outcome.code == status.exit_code == code
    assert reason in outcome.error
    assert status.state == state
    assert status.env_steps == 29
    assert reason in status.reason
    last = rows(paths.events)[-1]
    assert (last["event"], last["exit_code"]) == (state, code)
    assert reason in last["reason"]
    assert reason in paths.log.read_text()


def test_a_stranger_is_warned_that_its_termination_is_unknown(call: Call, tmp_path: Path) -> None:
    arguments = ("--runs-root", tmp_path, "--run-id", "r", "--env-id", "Grid-v0")
    outcome = call(main, *DEBUG, "--total-steps", 160, *arguments)
    assert outcome.code == 0
    assert outcome.err == ""
    warnings = [e for e in rows(tmp_path / "r" / "events.jsonl") if e["event"] == "warning"]
    assert len(warnings) == 1
    assert "no termination rule for Grid-v0" in warnings[0]["reason"]
    assert (tmp_path / "r" / "MBPO_Grid-v0_returns_data.csv").exists()


def test_a_root_that_cannot_be_written_ends_with_5(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    outcome = call(main, *DEBUG, "--runs-root", tmp_path / "file" / "runs")
    assert outcome.code == 5
    assert "give a writable --runs-root" in outcome.error
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_name_of_an_ended_run_ends_with_2(call: Call, finished_run: RunPaths) -> None:
    before = finished_run.status.read_bytes()
    root = finished_run.root.parent
    outcome = call(main, *DEBUG, "--runs-root", root, "--run-id", "done")
    assert outcome.code == 2
    assert "--run-id done names a run that exists" in outcome.error
    assert finished_run.status.read_bytes() == before


def raise_(error: BaseException) -> Callable[[], None]:
    def train() -> None:
        raise error

    return train


@pytest.mark.parametrize(
    ("train", "state", "code"),
    [
        (lambda: None, "finished", 0),
        (raise_(DivergedError("nan")), "diverged", 4),
        (raise_(EnvironmentFault("gone")), "failed", 3),
        (raise_(StorageError("full")), "failed", 5),
        (raise_(OSError(28, "No space left on device")), "failed", 5),
        (raise_(CheckpointError("bad")), "failed", 6),
        (raise_(MemoryError()), "failed", 8),
        (lambda: torch.empty(10**17), "failed", 8),
        (raise_(KeyboardInterrupt()), "stopped", 130),
        (raise_(RuntimeError("a bug\nof two lines")), "failed", 1),
    ],
    ids=[
        "finished",
        "diverged",
        "environment",
        "storage",
        "disk full",
        "checkpoint",
        "memory",
        "allocator",
        "interrupted",
        "bug",
    ],
)
def test_however_training_ends_it_has_a_state_and_a_code(
    train: Callable[[], None], state: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = create_run_dir(tmp_path, "r", preset="debug", seed=0)
    checks = {name: setting.check for name, setting in LIVE_SETTINGS.items()}
    controls = {name: SETTINGS[name].default for name in LIVE_SETTINGS}
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with RunWriter(paths, RunStatus(env_id="Toy-v0"), checks, controls) as run:
        assert learner_process(run, train, "mbpo") == code
    status = read_status(paths)
    assert status is not None
    assert (status.state, status.exit_code, status.phase) == (state, code, "ended")
    assert rows(paths.events)[-1]["event"] == state
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == (0 if code in (0, 130) else 1)
    assert all(len(line) <= 200 for line in errors)
    now = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert now == handlers


@pytest.mark.parametrize("code", [0, 4])
def test_a_full_disk_that_refuses_the_log_leaves_the_outcome_alone(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def train() -> None:
        print("words that find no space")
        if code:
            raise DivergedError("the weights are gone")

    paths = create_run_dir(tmp_path, None, preset="debug", seed=0)
    monkeypatch.setattr("mbpo.lifecycle.log.open_to_append", lambda path: os.open("/dev/full", os.O_WRONLY))
    with RunWriter(paths, RunStatus(), {}, {}) as run:
        assert learner_process(run, train, "mbpo") == code
    assert "words that find no space" in capsys.readouterr().out


# Signals and pipes, in a process of its own


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_learner_with_its_networks_saved(
    number: signal.Signals, code: int, start_learner: Start
) -> None:
    learner = start_learner("--total-steps", "1000000")
    learner.wait_for_env_steps(150)
    learner.process.send_signal(number)
    assert learner.exit_code() == code
    status = learner.status
    assert (status.state, status.exit_code, status.reason) == ("stopped", code, number.name)
    index = json.loads((learner.paths.checkpoints / "index.json").read_text())
    assert index["final"] == f"step-{status.env_steps:09d}"
    for part in ("actor", "critic", "critic_target", "ensemble", "temperature"):
        assert load_checkpoint(learner.paths.checkpoints / index["final"], part)
    assert rows(learner.paths.events)[-1]["event"] == "stopped"
    assert learner.stderr.read_text() == ""
    assert learner.stdout.read_text().startswith(f"{learner.paths.root}\n")
    assert f"stopped at {status.env_steps:,} env steps" in learner.paths.log.read_text()


def test_a_second_sigint_ends_a_hanging_learner_at_once(start_learner: Start) -> None:
    learner = start_learner("--env-id", "toy_envs:Stuck-v0")
    wait_for(lambda: learner.paths.status.exists() and learner.status.env_steps == 29, "the hang")
    learner.process.send_signal(signal.SIGINT)
    wait_for(lambda: learner.status.state == "stopping", "the first to be taken")
    assert learner.process.poll() is None
    learner.process.send_signal(signal.SIGINT)
    assert learner.exit_code() == 130
    assert (learner.status.state, learner.status.reason) == ("stopped", "SIGINT, twice")


def test_a_closed_stdout_does_not_end_a_run(tmp_path: Path) -> None:
    """``| head -1``, and ``>&-``: no standard output at all."""
    flags = " ".join((*DEBUG, "--total-steps", "120", "--log-every", "10", "--run-id"))
    command = f"{sys.executable} -m mbpo.train {flags}"
    script = f"""
        ({command} piped 2>piped.err; echo $? >piped.rc) | head -1 >piped.out &
        {command} closed 2>closed.err >&-
        echo $? >closed.rc
        wait
    """
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment(), check=True, timeout=PATIENCE_S)
    for name in ("piped", "closed"):
        status = read_status(RunPaths(tmp_path / "runs" / name))
        assert status is not None
        assert (status.state, status.env_steps) == ("finished", 120)
        assert rows(tmp_path / "runs" / name / "metrics.jsonl")
        assert (tmp_path / f"{name}.err").read_text() == ""
        assert (tmp_path / f"{name}.rc").read_text() == "0\n"
        assert "finished at 120" in (tmp_path / "runs" / name / "log.txt").read_text()
    assert (tmp_path / "piped.out").read_text() == f"{tmp_path / 'runs' / 'piped'}\n"


def test_a_killed_learner_is_lost_and_what_it_wrote_is_whole(start_learner: Start) -> None:
    learner = start_learner("--total-steps", "1000000", "--log-every", "1")
    learner.wait_for_env_steps(130)
    wait_for(lambda: learner.status.derived_state() == "running", "a heartbeat")
    learner.process.send_signal(signal.SIGSTOP)
    assert learner.status.derived_state() == "running"  # halted is not lost
    os.kill(learner.process.pid, signal.SIGKILL)
    start = time.monotonic()
    wait_for(lambda: learner.status.derived_state() == "lost", "lost")
    assert time.monotonic() - start < 2.0
    found = rows(learner.paths.metrics)
    assert [row["seq"] for row in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize(
    ("given", "wanted"), [({}, "1000"), ({"GOMP_SPINCOUNT": "5"}, "5"), ({"OMP_WAIT_POLICY": "active"}, "None")]
)
def test_threads_wait_shortly_unless_the_user_says_how(given: dict[str, str], wanted: str) -> None:
    code = "import mbpo, os, sys; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    kept = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    said = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **given}, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [wanted, "False"]
