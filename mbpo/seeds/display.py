"""Show how learners come along: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from signal import Signals
from types import TracebackType
from typing import IO

from rich import box
from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mbpo.errors import one_line
from mbpo.runs.status import ENDED
from mbpo.seeds.learner_run import LearnerRun
from mbpo.settings.numbers import duration
from mbpo.settings.stdout import stdout

REDRAW_S = 0.5
PLAIN_LINE_S = 30.0
WIDTH = 100  # of a table where there is no terminal
NARROWER = [(0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 5), (0, 1, 2, 3), (0, 1, 3), (0, 1)]  # columns, as fewer and fewer fit
FRAME_LINES = 6  # of the table: title, head, rule, caption and what rich puts around them


@dataclass(frozen=True)
class Heading:
    """Say what stands above the learners, what one is called, and between which env steps they go."""

    title: str
    noun: str  # seed or fork
    begin: int  # env step
    end: int  # env step
    directories: bool = True  # whether each run directory is printed


class PoolConsole:
    """Write on ``file``; losing it, a closed terminal or pipe, is no error: the exit code says how the learners do."""

    def __init__(self, heading: Heading, preset_line: str = "", file: IO[str] | None = None) -> None:
        """Write on stdout where ``file`` is None."""
        self._heading = heading
        self._preset_line = preset_line  # said once, after the first run directory
        self._file = stdout().file if file is None else file
        self._console = RichConsole(file=self._file, highlight=False, markup=False, emoji=False)
        on_terminal = self._file.isatty() and self._console.is_interactive
        live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live = live if on_terminal else None
        self._every_s = REDRAW_S if on_terminal else PLAIN_LINE_S
        self._shown_at = -math.inf if on_terminal else time.monotonic()

    def __enter__(self) -> PoolConsole:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def begun(self, run: LearnerRun) -> None:
        """Print a run directory that was made."""
        if not self._heading.directories:
            return
        self.say(str(run.paths.root))
        if self._preset_line:
            self.say(self._preset_line)
            self._preset_line = ""

    def ended(self, run: LearnerRun) -> None:
        """Print how a learner ended; the live table shows it anyway."""
        if self._live is None:
            cells = f"evaluation {last_of(run)}", f"best {best_of(run)}", duration(run.wall_s)
            at = f"{run.state} at {self.env_steps(run)} env steps"
            self.say("  ".join([f"{self._heading.noun} {run.label}", at, *cells]))

    def stopping(self, running: int, number: Signals) -> None:
        """Print that a signal is handed on."""
        self.say(f"{number.name} is handed on to {counted(running, 'learner')}; a second Ctrl-C kills")

    def progress(self, runs: Sequence[LearnerRun]) -> None:
        """Show where the learners stand, if it is time to."""
        if time.monotonic() - self._shown_at < self._every_s:
            return
        self._shown_at = time.monotonic()
        if self._live is None:
            self.say(self._line(runs))
        else:
            self._live.update(self._live_table(runs), refresh=True)

    def failures(self, runs: Sequence[LearnerRun], told_to_stop: bool) -> None:
        """Say on stderr why learners failed, a line each; a stop that was asked for is no failure."""
        for run in runs:
            if run.exit_code and not (told_to_stop and run.state == "stopped"):
                text = f"{self._heading.noun} {run.label}, exit code {run.exit_code}: {run.reason}"
                with contextlib.suppress(OSError, ValueError):
                    print(one_line(text), file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        """Print a line, above the live table where that is shown."""
        if self._live is not None and self._live.is_started:
            self._console.print(Text(line), soft_wrap=True)
        else:
            with contextlib.suppress(OSError, ValueError):
                self._file.write(f"{line}\n")

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table under the heading; a line for each row where the terminal is too narrow for it."""
        console = self._console if self._live is not None else RichConsole(file=self._file, width=WIDTH)
        rows = [list(row) for row in rows]
        table = _table(titles, rows)
        if not self._fits(table, console):
            for row in rows:
                self.say(", ".join(f"{title} {cell}" for title, cell in zip(titles, row, strict=True)))
            return
        with console.capture() as captured:
            console.print(Text(self._heading.title, "italic"), table)
        self.say(captured.get().rstrip("\n"))

    def env_steps(self, run: LearnerRun) -> str:
        """Return how far a learner is, and where it ends."""
        return f"{_reached(run):,}/{self._end(run):,}"

    def _live_table(self, runs: Sequence[LearnerRun]) -> Group:
        fits = len(runs) + FRAME_LINES <= self._console.height
        shown = runs if fits else [run for run in runs if run.alive]
        rows = [
            [
                run.label,
                run.state,
                self.env_steps(run),
                last_of(run),
                f"{_speed(run):.0f}" if _speed(run) else "—",
                self._left([run]),
            ]
            for run in shown[: max(1, self._console.height - FRAME_LINES)]
        ]
        titles = [self._heading.noun, "state", "env steps", "last evaluation", "steps/s", "left"]
        for columns in NARROWER:
            cut = [[row[column] for column in columns] for row in rows]
            table = _table([titles[column] for column in columns], cut)
            if self._fits(table, self._console):
                break
        return Group(Text(self._heading.title, "italic"), table, Text(self._line(runs), "dim italic"))

    def _fits(self, table: Table, console: RichConsole) -> bool:
        return console.measure(table, options=console.options.update(max_width=10**4)).maximum <= console.width

    def _line(self, runs: Sequence[LearnerRun]) -> str:
        states = Counter(run.state for run in runs)
        begin = self._heading.begin
        done = sum(max(0, _reached(run) - begin) for run in runs)
        steps = sum(self._end(run) - begin for run in runs)
        parts = [
            ", ".join(f"{number} {state}" for state, number in states.items()),
            f"{done:,}/{steps:,} env steps",
            f"{self._left(runs)} left",
        ]
        return "  ".join(parts)

    def _end(self, run: LearnerRun) -> int:
        """Return the env step at which a learner ends, which a grid may have set for it."""
        return (run.status.total_steps if run.status is not None else 0) or self._heading.end

    def _left(self, runs: Sequence[LearnerRun]) -> str:
        """Return how long it takes from here, a dash where none learns yet: what goes by in warm-up is no measure."""
        speed, steps = 0.0, 0
        for run in runs:
            if run.exit_code is None:
                speed += 0.0 if run.status is not None and run.status.phase == "warm-up" else _speed(run)
                steps += self._end(run) - max(self._heading.begin, _reached(run))
        return duration(steps / speed) if speed else "—"


def counted(number: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{number} {noun}" + "s" * (number != 1)


def last_of(run: LearnerRun) -> str:
    """Return a learner's last evaluation, a dash where there is none."""
    return f"{run.evaluations[-1]:.1f}" if run.evaluations else "—"


def best_of(run: LearnerRun) -> str:
    """Return a learner's best evaluation, a dash where there is none."""
    return f"{max(run.evaluations):.1f}" if run.evaluations else "—"


def solved_of(run: LearnerRun) -> str:
    """Return the env step from which a learner's evaluations all reach the threshold, a dash where they do not."""
    solved = None if run.status is None else run.status.solved_at
    return "—" if solved is None else f"{solved:,}"


def _table(titles: Iterable[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in titles:
        table.add_column(name, justify="left" if name in ("state", "fork", "run") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _reached(run: LearnerRun) -> int:
    return 0 if run.status is None else run.status.env_steps


def _speed(run: LearnerRun) -> float:
    if not run.alive or run.status is None or run.status.state in ENDED:
        return 0.0
    return run.status.steps_per_s
