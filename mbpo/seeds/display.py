"""Show how the seeds come along: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import math
import shlex
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from signal import Signals
from types import TracebackType

from rich import box
from rich.console import Console as RichConsole
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mbpo.errors import one_line
from mbpo.lifecycle.console import duration
from mbpo.runs.status import ENDED
from mbpo.seeds.plan import Plan
from mbpo.seeds.seed_run import SeedRun
from mbpo.settings.stdout import say, stdout

REDRAW_S = 0.5
PLAIN_LINE_S = 30.0
WIDTH = 100  # of the summary where there is no terminal
FRAME_LINES = 6  # of the table: title, head, rule, caption and what rich puts around them


class SeedsConsole:
    """Write on stdout; losing it, a closed terminal or pipe, is no error: the exit code says how the learners do."""

    def __init__(self, plan: Plan, preset_line: str = "") -> None:
        self._plan = plan
        self._preset_line = preset_line  # said once, after the first run directory
        self._console = RichConsole(file=stdout().file, highlight=False, markup=False, emoji=False)
        on_terminal = stdout().isatty() and self._console.is_interactive
        live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live = live if on_terminal else None
        self._every_s = REDRAW_S if on_terminal else PLAIN_LINE_S
        self._shown_at = -math.inf if on_terminal else time.monotonic()

    def __enter__(self) -> SeedsConsole:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def directory(self, run: SeedRun) -> None:
        """Print a run directory that was made."""
        self._print(str(run.paths.root))
        if self._preset_line:
            self._print(self._preset_line)
            self._preset_line = ""

    def ended(self, run: SeedRun) -> None:
        """Print how a seed ended; the live table shows it anyway."""
        if self._live is None:
            cells = f"evaluation {_last(run)}", f"best {_best(run)}", duration(run.wall_s)
            at = f"{run.state} at {self._env_steps(run)} env steps"
            self._print("  ".join([f"seed {run.seed}", at, *cells]))

    def stopping(self, running: int, number: Signals) -> None:
        """Print that a signal is handed on."""
        learners = _counted(running, "learner")
        self._print(f"{number.name} is handed on to {learners}; a second Ctrl-C kills")

    def progress(self, runs: Sequence[SeedRun]) -> None:
        """Show where the seeds stand, if it is time to."""
        if time.monotonic() - self._shown_at < self._every_s:
            return
        self._shown_at = time.monotonic()
        if self._live is None:
            self._print(self._line(runs))
        else:
            self._live.update(self._live_table(runs), refresh=True)

    def summary(self, runs: Sequence[SeedRun], told_to_stop: bool) -> None:
        """Print what came of each seed, of all together, and what to type to compare them.

        Why a seed failed goes to stderr, a line each; a stop that was asked for is no failure.
        """
        console = self._console if self._live is not None else RichConsole(file=stdout().file, width=WIDTH)
        with console.capture() as captured:
            console.print(self._summary_table(runs))
        self._print(captured.get().rstrip("\n"))
        scores = [run.evaluations[-1] for run in runs if run.finished and run.evaluations]
        if scores:
            spread = f"{statistics.stdev(scores):.1f}" if len(scores) > 1 else "—"
            of = _counted(len(scores), "finished seed")
            self._print(f"mean ± std of {of}: {statistics.fmean(scores):.1f} ± {spread}")
        if any(run.status is not None for run in runs):
            self._print(f"to compare them: python -m mbpo.compare {self._pattern()}")
        for run in runs:
            if run.exit_code and not (told_to_stop and run.state == "stopped"):
                text = f"seed {run.seed}, exit code {run.exit_code}: {run.reason}"
                with contextlib.suppress(OSError, ValueError):
                    print(one_line(text), file=sys.stderr, flush=True)

    def _title(self) -> str:
        plan = self._plan
        threads = _counted(plan.threads, "thread")
        return f"{plan.name}: {plan.config.env_id}, {plan.jobs} at once, {threads} each"

    def _live_table(self, runs: Sequence[SeedRun]) -> Table:
        fits = len(runs) + FRAME_LINES <= self._console.height
        shown = runs if fits else [run for run in runs if run.alive]
        rows = [
            [
                str(run.seed),
                run.state,
                self._env_steps(run),
                _last(run),
                f"{_speed(run):.0f}" if _speed(run) else "—",
                self._left([run]),
            ]
            for run in shown[: max(1, self._console.height - FRAME_LINES)]
        ]
        titles = ["seed", "state", "env steps", "last evaluation", "steps/s", "left"]
        return _table(self._title(), titles, rows, caption=self._line(runs))

    def _summary_table(self, runs: Sequence[SeedRun]) -> Table:
        rows = [
            [
                str(run.seed),
                "not started" if run.state == "waiting" else run.state,
                self._env_steps(run),
                _last(run),
                _best(run),
                f"{run.wall_s:.1f}",
            ]
            for run in runs
        ]
        titles = ["seed", "state", "env steps", "last evaluation", "best", "wall s"]
        return _table(self._title(), titles, rows)

    def _line(self, runs: Sequence[SeedRun]) -> str:
        states = Counter(run.state for run in runs)
        done = sum(run.status.env_steps for run in runs if run.status is not None)
        total = len(runs) * self._plan.config.total_steps
        parts = [
            ", ".join(f"{number} {state}" for state, number in states.items()),
            f"{done:,}/{total:,} env steps",
            f"{self._left(runs)} left",
        ]
        return "  ".join(parts)

    def _env_steps(self, run: SeedRun) -> str:
        done = 0 if run.status is None else run.status.env_steps
        return f"{done:,}/{self._plan.config.total_steps:,}"

    def _left(self, runs: Sequence[SeedRun]) -> str:
        total, speed, steps = self._plan.config.total_steps, 0.0, 0
        for run in runs:
            if run.exit_code is None:
                speed += _speed(run)
                steps += total - (0 if run.status is None else run.status.env_steps)
        return duration(steps / speed) if speed else "—"

    def _pattern(self) -> str:
        """Return a glob of the run directories, as a shell reads it, shorter than their names."""
        named, here = self._plan.runs_root / self._plan.name, Path.cwd()
        near = named.relative_to(here) if named.is_relative_to(here) else named
        return shlex.quote(f"./{near}" if str(near).startswith("~") else str(near)) + "-s*"

    def _print(self, line: str) -> None:
        if self._live is not None and self._live.is_started:
            self._console.print(Text(line), soft_wrap=True)
        else:
            say(line)


def _table(title: str, titles: Iterable[str], rows: Iterable[Sequence[str]], caption: str | None = None) -> Table:
    table = Table(
        title=title, caption=caption, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", caption_justify="left"
    )
    for name in titles:
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def _speed(run: SeedRun) -> float:
    if not run.alive or run.status is None or run.status.state in ENDED:
        return 0.0
    return run.status.steps_per_s


def _last(run: SeedRun) -> str:
    return f"{run.evaluations[-1]:.1f}" if run.evaluations else "—"


def _best(run: SeedRun) -> str:
    return f"{max(run.evaluations):.1f}" if run.evaluations else "—"
