"""The situations in which the app is measured; each returns its figures, once the screen was found to be right."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.app_screen import focused, letters, names, steps
from benchmarks.figures import at
from benchmarks.terminal_session import LIMIT_S, Size, Terminal
from benchmarks.usage import DOWN, key_ms, usage
from benchmarks.watched_runs import HERE, growing, name_of, steps_at, stop, write_run

SETTLE_S = 3.0  # after the last key, until what it asked for is drawn
COMPARED = 8
MANY = 500

Figures = dict[str, float]


@dataclass(frozen=True)
class Part:
    """Name a situation, its terminal, and how it is measured: by a tree, a runs root and seconds."""

    title: str
    size: Size
    measure: Callable[[App, float], Figures]


@dataclass(frozen=True)
class App:
    """Start one tree's app on a runs root in a temporary folder."""

    tree: Path
    folder: Path
    size: Size

    @property
    def root(self) -> Path:
        """Return the runs root."""
        return self.folder / "runs"

    @contextlib.contextmanager
    def open(self, *probe: str) -> Iterator[Terminal]:
        """Run the app, under a ``probe`` if one is given."""
        env = {"PYTHONPATH": str(self.tree), "XDG_STATE_HOME": str(self.folder / "state")}
        way = [HERE / "benchmarks" / "lag_probe.py", *probe] if probe else ["-m", "workbench"]
        terminal = Terminal([sys.executable, *way, "--runs-root", self.root], self.size, env, self.folder)
        try:
            yield terminal
        finally:
            terminal.close()


def measure(name: str, tree: Path, seconds: float) -> Figures:
    """Measure one tree's app in one situation."""
    part = PARTS[name]
    with tempfile.TemporaryDirectory() as folder:
        return part.measure(App(tree, Path(folder), part.size), seconds)


def idle(app: App, seconds: float) -> Figures:
    """Watch a run that is finished."""
    write_run(app.root, 0, 500)
    with app.open() as terminal:
        _shows_steps(terminal, 0, 500)
        time.sleep(SETTLE_S)
        took = usage(terminal, seconds)
        _shows_steps(terminal, 0, 500)
    return {"cpu": took.cpu, "kb_per_s": took.kb_per_s}


def learning(app: App, seconds: float) -> Figures:
    """Watch a real learner at work."""
    train = ["-m", "mbpo.train", "--preset", "pendulum", "--total-steps", "50000", "--run-id", "pendulum"]
    command = [sys.executable, *train, "--runs-root", str(app.root)]
    learner = subprocess.Popen(command, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status = app.root / "pendulum" / "status.json"

    def reached() -> int:
        return int(json.loads(status.read_text())["env_steps"]) if status.exists() else 0

    try:
        deadline = time.monotonic() + 2 * LIMIT_S
        while reached() < 200:  # past warm-up, so that it refits, imagines and updates
            assert learner.poll() is None and time.monotonic() < deadline, "the learner does not learn"
            time.sleep(0.2)
        with app.open() as terminal:
            terminal.until(lambda lines: steps(lines) > 0, "the run")
            time.sleep(SETTLE_S)
            took = usage(terminal, seconds)
            now = reached()
            terminal.until(lambda lines: steps(lines) >= now, f"{now:,} env steps")
            assert learner.poll() is None, "the learner ended before the measurement"
    finally:
        learner.kill()
        learner.wait()
    return {"cpu": took.cpu, "kb_per_s": took.kb_per_s}


def compared(app: App, seconds: float) -> Figures:
    """Compare eight runs of 1,000 rows, each with two more a second."""
    return _compared(app, 1_000, 2.0, seconds, lag=False)


def points(app: App, seconds: float) -> Figures:
    """Compare eight runs of 10,000 rows in all four charts, each with five more a second."""
    return _compared(app, 10_000, 5.0, seconds, lag=True)


def many(app: App, seconds: float) -> Figures:
    """Open 500 runs, eight of them at work, and go down the table."""
    for run in range(MANY):
        write_run(app.root, run, 200)
    with growing(app.root, COMPARED, 200, 1.0), app.open() as terminal:
        table = terminal.until(lambda lines: len(names(lines)) >= COMPARED, "a table of runs")
        terminal.until(lambda lines: focused(lines) in names(lines), "a run in focus")
        time.sleep(SETTLE_S)
        late = [key_ms(terminal, DOWN, focused) for _ in range(max(20, int(6 * seconds)))]
    return {"start_s": table - terminal.started, "key_ms": at(late, 0.5), "key_ms_p99": at(late, 0.99)}


PARTS: Mapping[str, Part] = {
    "idle": Part("a finished run", (120, 34), idle),
    "learning": Part("one run that learns", (120, 34), learning),
    "compared": Part("8 runs compared, each growing", (120, 34), compared),
    "points": Part("4 charts of 8 × 10,000 points at 5 Hz", (160, 45), points),
    "many": Part("500 runs", (120, 34), many),
}


def _compared(app: App, rows: int, rate: float, seconds: float, *, lag: bool) -> Figures:
    for run in range(COMPARED):
        write_run(app.root, run, rows, "running")
    file = app.folder / "late.json"
    probe = (str(file), str(seconds)) if lag else ()
    with growing(app.root, COMPARED, rows, rate) as writer, app.open(*probe) as terminal:
        terminal.until(lambda lines: len(names(lines)) == COMPARED, "eight runs")
        for run in range(COMPARED):
            terminal.press("c" if run == 0 else DOWN + "c")
            time.sleep(0.3)
        terminal.until(lambda lines: letters(lines) == set("ABCDEFGH"), "eight letters")
        time.sleep(SETTLE_S)
        took = usage(terminal, seconds)
        late = _late(terminal, file, seconds) if lag else {}
        reached = stop(writer)
        wanted = {f"@ {steps_at(reached, run):,}" for run in range(COMPARED)}
        terminal.until(lambda lines: all(text in "\n".join(lines) for text in wanted), f"evaluations {sorted(wanted)}")
    return {"cpu": took.cpu, "kb_per_s": took.kb_per_s, **late}


def _late(terminal: Terminal, file: Path, seconds: float) -> Figures:
    """Return how late the app's event loop is."""
    os.kill(terminal.pid, signal.SIGUSR1)
    deadline = time.monotonic() + seconds + LIMIT_S
    while not file.exists():
        assert time.monotonic() < deadline, "the probe does not answer"
        time.sleep(0.1)
    late = json.loads(file.read_text())
    return {"late_ms": at(late, 0.5), "late_ms_p99": at(late, 0.99)}


def _shows_steps(terminal: Terminal, run: int, rows: int) -> None:
    """Wait until the run's name, its steps and its last evaluation lead the screen."""
    wanted = (name_of(run), f"{steps_at(rows, run):,} / ", f"evaluation {rows}")
    terminal.until(lambda lines: all(text in lines[0] for text in wanted), f"{wanted} in the first line")
