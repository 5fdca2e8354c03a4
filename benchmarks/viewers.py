"""Drive W&B's terminal viewer and the app alike: make their runs, open them, read what they show."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from benchmarks.app_screen import focused, names, steps
from benchmarks.figures import at
from benchmarks.terminal_session import Lines, Terminal
from benchmarks.usage import DOWN, key_ms, usage
from benchmarks.watched_runs import HERE, as_installed, at_work, growing, name_of, row, steps_at, stop, write_run
from mbpo.runs.metrics import METRICS

RUNS, METRICS_EACH, ROWS, RATE = 50, 40, 1_000, 2.0
SIZE = (160, 45)
SETTLE_S = 3.0
CURVES = 100  # cells with braille in them, of a screen that shows curves
DRAWN = row(1, 0, ROWS)
MORE = [key for key in METRICS if key not in DRAWN][: METRICS_EACH - len(DRAWN)]


class Viewer(Protocol):
    """Show runs in a terminal."""

    name: str

    def make(self) -> None:
        """Write its runs."""

    def open(self) -> contextlib.AbstractContextManager[Terminal]:
        """Run it on them."""

    def grow(self) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
        """Let one run grow that it has in focus when it is opened."""

    def is_full(self, lines: Lines) -> bool:
        """Return whether its runs and curves are on screen."""

    def newest(self, lines: Lines) -> int:
        """Return how many rows the run in focus has, by the screen."""

    def focus(self, lines: Lines) -> str:
        """Return which run is in focus, by what is shown of it."""


class Ours:
    """Be the app."""

    name = "ours"

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder, self.python = folder, python

    def make(self) -> None:
        """Write the runs."""
        as_installed(HERE)
        for run in range(RUNS):
            self._write(run)

    def _write(self, run: int) -> None:
        write_run(self.folder / "runs", run, ROWS, more=MORE)

    @contextlib.contextmanager
    def open(self) -> Iterator[Terminal]:
        """Run the app, with no memory of an earlier time."""
        command = [str(self.python), "-m", "workbench", "--runs-root", str(self.folder / "runs")]
        env = {"PYTHONPATH": str(HERE), "XDG_STATE_HOME": str(self.folder / f"state-{time.monotonic_ns()}")}
        with contextlib.closing(Terminal(command, SIZE, env, self.folder)) as terminal:
            yield terminal

    @contextlib.contextmanager
    def grow(self) -> Iterator[subprocess.Popen[str]]:
        """Let the first run grow, which is at work then and so on top."""
        with growing(self.folder / "runs", 1, ROWS, RATE, MORE) as writer:
            yield writer
        shutil.rmtree(self.folder / "runs" / name_of(0))
        self._write(0)

    def is_full(self, lines: Lines) -> bool:
        """Return whether the table and curves are on screen."""
        return len(names(lines)) >= 10 and _drawn(lines)

    def newest(self, lines: Lines) -> int:
        """Return the rows from the steps in the first line."""
        return steps(lines) // steps_at(1, 0)

    def focus(self, lines: Lines) -> str:
        """Return the name in the first line."""
        return focused(lines)


class Leet:
    """Be W&B LEET."""

    name = "leet"

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder, self.python = folder, python

    def make(self) -> None:
        """Log the runs."""
        self.folder.mkdir(parents=True)
        self._log("make", RUNS, ROWS).wait()
        assert len(self._runs()) == RUNS

    def _runs(self) -> set[Path]:
        return set(self.folder.glob("wandb/offline-run-*"))

    @contextlib.contextmanager
    def open(self) -> Iterator[Terminal]:
        """Run it on the folder, with no memory of an earlier time."""
        command = [str(self.python.parent / "wandb"), "leet", str(self.folder / "wandb")]
        (self.folder / "wandb" / ".wandb-leet.json").unlink(missing_ok=True)
        home = self.folder / f"home-{time.monotonic_ns()}"
        home.mkdir()
        with contextlib.closing(Terminal(command, SIZE, self._env(home), self.folder)) as terminal:
            yield terminal

    @contextlib.contextmanager
    def grow(self) -> Iterator[subprocess.Popen[str]]:
        """Log one run more, the newest, which it opens with."""
        finished = self._runs()
        with at_work(self._log("grow", ROWS, RATE)) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == "grows\n"
            yield writer
        for path in self._runs() - finished:
            shutil.rmtree(path)

    def is_full(self, lines: Lines) -> bool:
        """Return whether the list, the curves and the summary are on screen."""
        text = "\n".join(lines)
        return "offline-run-" in text and "Summary [" in text and _drawn(lines)

    def newest(self, lines: Lines) -> int:
        """Return the step of the summary, counted from 0."""
        found = re.search(r"_step +(\d+)", "\n".join(lines))
        return int(found[1]) if found else 0

    def focus(self, lines: Lines) -> str:
        """Return the run's id in the overview."""
        found = re.search(r"ID: (\w+)", "\n".join(lines))
        return found[1] if found else ""

    def _log(self, what: str, *numbers: float) -> subprocess.Popen[str]:
        command = [str(self.python), "-m", "benchmarks.leet_runs", str(self.folder), what, *map(str, numbers), *MORE]
        return subprocess.Popen(command, cwd=HERE, env=self._env(self.folder), stdout=subprocess.PIPE, text=True)

    def _env(self, home: Path) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "HOME": str(home), "WANDB_MODE": "offline", "WANDB_SILENT": "true"}


def measure(viewer: Viewer, seconds: float) -> dict[str, float]:
    """Return how long a start takes, and what it costs idle and while a run grows."""
    with viewer.open() as terminal:
        started, full = terminal.started, terminal.until(viewer.is_full, "a full screen")
        time.sleep(SETTLE_S)
        idle = usage(terminal, seconds)
    with viewer.grow() as writer, viewer.open() as terminal:
        terminal.until(viewer.is_full, "a full screen")
        time.sleep(SETTLE_S)
        took = usage(terminal, seconds)
        last = stop(writer)
        terminal.until(lambda lines: viewer.newest(lines) == last, f"row {last}")
    return {
        "start_s": full - started,
        "mb": took.mb,
        "idle_cpu": idle.cpu,
        "idle_kb": idle.kb_per_s,
        "cpu": took.cpu,
        "kb": took.kb_per_s,
    }


def key_times(viewer: Viewer, presses: int) -> dict[str, float]:
    """Return how long it takes from a key to another run in focus."""
    with viewer.open() as terminal:
        terminal.until(viewer.is_full, "a full screen")
        time.sleep(SETTLE_S)
        late = [key_ms(terminal, DOWN, viewer.focus) for _ in range(presses)]
    return {"key_ms": at(late, 0.5), "key_ms_p99": at(late, 0.99)}


def _drawn(lines: Lines) -> bool:
    """Return whether there are curves."""
    return sum("\u2800" < cell <= "\u28ff" for line in lines for cell in line) >= CURVES
