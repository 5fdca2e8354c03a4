"""Try one task of a suite: check it, train 400 steps with a SIGKILL amid, resume, replay."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from venvs import environment

STEPS, KILLED_AT = 400, 210
SMALL = ("--preset", "debug", "--threads", "1")
OFTEN = ("--checkpoint-every", "100", "--log-every", "10", "--eval-episodes", "1")
PATIENCE_S = 900


class Failed(Exception):
    """Say which promise a task breaks."""


@dataclass(frozen=True)
class Task:
    """Name a task by the flags that a user types."""

    flags: tuple[str, ...]
    steps: int = 3000  # env steps that check_env plays
    repeats: bool = True

    @property
    def line(self) -> str:
        """Return what a user types."""
        return f"python -m mbpo.train {shlex.join(self.flags)}"


@dataclass(frozen=True)
class Outcome:
    """Hold what the table says of a task."""

    facts: dict[str, Any]  # what probe.py prints
    verdict: str


def trial(python: Path, task: Task, packages: list[str], folder: Path) -> Outcome:
    """Return how ``task`` goes in the environment of ``python``; runs and logs go to ``folder``.

    Raises:
        Failed: it does not keep its promises.
    """
    folder.mkdir(parents=True)
    asked = {"flags": task.flags, "steps": task.steps, "packages": packages}
    _end_well(folder, "probe", [str(python), str(Path(__file__).with_name("probe.py")), json.dumps(asked)])
    check = [str(python), "-m", "mbpo.check_env", *task.flags[1:], "--steps", str(task.steps), "--json"]
    _end_well(folder, "check_env", check)
    train = [str(python), "-m", "mbpo.train"]
    begin = [*train, *SMALL, *OFTEN, *task.flags, "--total-steps", str(STEPS), "--run-id", "trial"]
    _killed(folder, begin, folder / "runs" / "trial")
    _end_well(folder, "resume", [*train, "--resume", "runs/trial"])
    _end_well(folder, "replay", [*train, "--replay", "runs/trial", "--run-id", "again"])
    return outcome(folder, task)


def outcome(folder: Path, task: Task) -> Outcome:
    """Return what a trial left in ``folder``.

    Raises:
        Failed: it does not keep its promises, or left less than it should.
    """
    try:
        facts = json.loads(_last_line(folder / "probe.out"))
        checked = json.loads((folder / "check_env.out").read_text())  # nothing of the environment's is between
    except (OSError, ValueError) as error:
        raise Failed(f"no whole trial: {error}") from None
    parts = [_resumed(folder / "runs" / "trial", task), _replayed(folder / "runs" / "again")]
    if problems := [found["topic"] for found in checked["findings"] if found["level"] == "problem"]:
        parts.append(f"check_env: {', '.join(problems)}")
    return Outcome(facts, "; ".join(parts))


def _end_well(folder: Path, name: str, command: list[str]) -> None:
    """Run a process that must exit 0; stdout goes to NAME.out, stderr to NAME.log."""
    out, log = folder / f"{name}.out", folder / f"{name}.log"
    with out.open("wb") as stdout, log.open("wb") as stderr:
        done = subprocess.run(
            command, cwd=folder, env=environment(), stdout=stdout, stderr=stderr, timeout=PATIENCE_S, check=False
        )
    if done.returncode:
        raise Failed(f"{name} ended with exit code {done.returncode}: {_last_line(log)}")


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or [""])[-1]


def _killed(folder: Path, command: list[str], run: Path) -> None:
    """Start a learner and end it by SIGKILL in its second half."""
    with (folder / "train.log").open("wb") as log:
        learner = subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE_S
        while learner.poll() is None and time.monotonic() < until:
            if any(row.get("env_steps", 0) >= KILLED_AT for row in _rows(run / "metrics.jsonl")[-1:]):
                break
            time.sleep(0.01)
        learner.kill()
        code = learner.wait()
    if code != -signal.SIGKILL:
        raise Failed(f"train ended with exit code {code} before it was killed: {_last_line(folder / 'train.log')}")


def _resumed(run: Path, task: Task) -> str:
    """Say how the resume went, which must be exact, or said at the run's start that it would not be."""
    events = _rows(run / "events.jsonl")
    (resumed,) = [event for event in events if event["event"] == "resumed"]
    warnings = [event["reason"] for event in events if event["event"] == "warning"]
    verified = any(event["event"] == "resume_verified" for event in events)
    said_before = any("does not repeat" in text for text in warnings)
    state = json.loads((run / "status.json").read_text())
    if (state["state"], state["env_steps"]) != ("finished", STEPS):
        raise Failed(f"resumed, it is {state['state']} at {state['env_steps']}")
    if said_before == task.repeats:
        raise Failed("it was said not to repeat" if said_before else "it was not said that it does not repeat")
    if resumed["exact"] != task.repeats:
        raise Failed(f"the event resumed says exact: {resumed['exact']}, {resumed.get('why')}")
    if task.repeats and not verified:
        raise Failed(f"the resume is not exact: {warnings[-1:]}")
    if task.repeats:
        return "resume exact"
    return (
        "resume happened to be exact, said before that it may not be" if verified else "resume not exact, said before"
    )


def _replayed(run: Path) -> str:
    events = _rows(run / "events.jsonl")
    if any(event["event"] == "replay_verified" for event in events):
        return "replay exact"
    warnings = [event["reason"] for event in events if event["event"] == "warning"]
    if any("does not repeat" in text for text in warnings):
        return "replay not as before, said"
    raise Failed(f"the replay is not exact: {warnings[-1:]}")


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines]
