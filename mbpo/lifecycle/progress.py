"""Show how far a run is in one line at the bottom of a terminal."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.progress import Progress
from rich.progress_bar import ProgressBar
from rich.text import Text

from mbpo.runs.status import RunStatus
from mbpo.settings.config import Config
from mbpo.settings.numbers import duration, short
from mbpo.settings.stdout import OurStdout, stdout
from mbpo.settings.terminal import BottomLine

REDRAW_S = 0.5
JOIN_S = 1.0
RECENT_S = 120.0  # over which speed is measured: refits come and go within
LEAST_BAR, MOST_BAR = 10, 30  # cells
LEAST_NEEDED = dict.fromkeys((5, 4, 3, 2), LEAST_BAR + 2) | {1: 0}
"""Ranks of words, in the order in which they go; and the room that is left beside them. The bar goes before rank 1."""
PHASE_CELLS = len("evaluation")

Status = Callable[[], RunStatus]


class RunProgress:
    """Draw the line twice a second in a thread of its own, so that it moves during a refit and holds nobody up."""

    def __init__(self, config: Config, status: Status, line: BottomLine, rich: RichConsole) -> None:
        self.k = ""  # in force, as last measured
        self._config = config
        self._status = status
        self._line = line
        self._rich = rich
        self._speed = Progress(console=rich, auto_refresh=False, speed_estimate_period=RECENT_S)
        self._task = self._speed.add_task("", total=config.total_steps, completed=status().env_steps)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._draw_until_ended, name="progress", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._line.begin()
        self._thread.start()

    def end(self) -> None:
        """Take the line away."""
        self._ended.set()
        self._thread.join(JOIN_S)  # no longer: a terminal may stand still
        self._line.end()

    def _draw_until_ended(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone, and the run goes on
            while not self._ended.is_set():
                self._line.show(*self.drawn(self._status(), self._line.width))
                self._ended.wait(REDRAW_S)

    def drawn(self, status: RunStatus, width: int) -> tuple[str, int]:
        """Return the line for a terminal of ``width`` cells, escape codes included, and its cells."""
        task = self._speed.tasks[self._task]
        if status.phase in ("train", "refit", "rollout", "evaluation", "repeat") and status.state == "running":
            self._speed.update(self._task, completed=status.env_steps)
        else:  # what goes by in warm-up or a pause is no measure of what comes
            self._speed.reset(self._task, total=self._config.total_steps, completed=status.env_steps)
        speed, left = task.speed, task.time_remaining
        return self._laid_out(status, speed, left, width - 1)

    def _laid_out(self, status: RunStatus, speed: float | None, left: float | None, width: int) -> tuple[str, int]:
        total = max(self._config.total_steps, 1)
        parts = parts_of(status, total, speed, left, self.k)
        for rank, room in LEAST_NEEDED.items():
            if _cells(parts) <= width - room:
                break
            parts = [part for part in parts if part[0] != rank]
        words = Text("  ").join(Text(*text) for _, text in parts)
        words.truncate(width)
        bar_width = min(width - words.cell_len - 2, MOST_BAR)
        self._rich.width = width
        drawn, cells = self._rendered(words), words.cell_len
        if bar_width < LEAST_BAR:
            return drawn, cells
        bar = ProgressBar(total, status.env_steps, bar_width, complete_style="cyan", finished_style="green")
        # Without colour only the part that is done is drawn.
        return f"{self._rendered(bar):<{bar_width}}  {drawn}", cells + bar_width + 2

    def _rendered(self, part: RenderableType) -> str:
        with self._rich.capture() as captured:
            self._rich.print(part, end="", no_wrap=True)
        return captured.get().replace("\n", "")


def parts_of(
    status: RunStatus, total: int, speed: float | None, left: float | None, k: str
) -> list[tuple[int, tuple[str, str]]]:
    """Return the words of the line, each with its style; those of the highest rank are the first to go."""
    doing = status.phase if status.state == "running" else status.state
    steps = f"{status.env_steps:>{len(f'{total:,}')},}/{total:,}"
    parts = [
        (0, (f"{min(status.env_steps / total, 1):>4.0%}", "bold")),
        (1, (steps, "")),
        (3, (f"{short(speed):>4} steps/s" if speed else "", "")),
        (0, (f"{duration(left) if left is not None else '?':>4} left", "")),
        (2, (f"eval {status.eval_return:.1f}" if status.eval_return is not None else "", "")),
        (4, (f"k {k}" if k else "", "")),
        (5, (f"{doing:<{PHASE_CELLS}}", "dim")),
    ]
    return [(rank, text) for rank, text in parts if text[0]]


def _cells(parts: list[tuple[int, tuple[str, str]]]) -> int:
    return sum(len(words) + 2 for _, (words, _) in parts) - 2


@contextlib.contextmanager
def shown_progress(config: Config, status: Status) -> Iterator[RunProgress | None]:
    """Show the line while inside, and yield it; None where stdout is no terminal that can draw it."""
    progress = _progress_on(stdout(), config, status)
    if progress is None:
        yield None
        return
    progress.start()
    try:
        yield progress
    finally:
        progress.end()


def _progress_on(ours: OurStdout, config: Config, status: Status) -> RunProgress | None:
    line = ours.bottom_line()
    if line is None:
        return None
    rich = RichConsole(file=ours.file, highlight=False, markup=False, emoji=False)
    return RunProgress(config, status, line, rich) if rich.is_interactive else None
