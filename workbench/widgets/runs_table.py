"""List the runs, those at work first, and keep the selection on the run, not on the row."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rich.text import Span, Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from workbench.charts.picture import GREEN, GREY, ORANGE, PURPLE, RUN_COLORS, SKY, VERMILLION, YELLOW, filled
from workbench.fork_tree import origin
from workbench.format import GLYPHS, ending, fitted, number, safe_text, sparkline, squeezed, whole
from workbench.messages import RunRow

COLORS = {
    "launching": SKY,
    "starting": SKY,
    "running": GREEN,
    "paused": YELLOW,
    "stopping": ORANGE,
    "finished": SKY,
    "stopped": GREY,
    "failed": VERMILLION,
    "diverged": VERMILLION,
    "lost": PURPLE,
    "silent": PURPLE,
    "unreadable": GREY,
}

Column = tuple[str, int]
NARROW: tuple[Column, ...] = (("", 1), ("run", 13), ("eval", 7), ("trend", 5))
MIDDLE: tuple[Column, ...] = (("", 1), ("run", 18), ("steps", 7), ("eval", 7), ("trend", 7))
FULL: tuple[Column, ...] = (("", 1), ("run", 16), ("state", 8), ("env", 14), ("steps", 6), ("eval", 7), ("trend", 7))
WIDE: tuple[Column, ...] = (
    ("", 1),
    ("run", 24),
    ("state", 10),
    ("env", 18),
    ("steps", 9),
    ("eval", 9),
    ("best", 9),
    ("solved", 8),
    ("trend", 16),
    ("hand", 4),
)


def columns_for(width: int) -> tuple[Column, ...]:
    """Return the columns that fit; the run's name takes what is left."""
    for columns in (WIDE, FULL, MIDDLE, NARROW):
        spare = width - sum(w for _, w in columns) - 2 * len(columns)
        if spare >= 0 or columns is NARROW:
            return tuple((n, w + spare if n == "run" else w) for n, w in columns)
    return NARROW


def cell(row: RunRow, name: str, width: int, letter: str = "") -> Text:
    """Return one cell as text that nothing interprets."""
    color = COLORS.get(row.state, GREY)
    if name == "":
        return Text(GLYPHS.get(row.state, "·"), style=color)
    if name == "run":
        return label(row, width, letter)
    if name == "state":
        return Text(fitted(row.state, width), style=color)
    if name == "env":
        return Text(fitted(row.env_id, width), style=GREY)
    if name == "steps":
        return Text(fitted(whole(row.env_steps), width), justify="right")
    if name == "eval":
        text = number(row.eval_return) if row.eval_return is not None else row.state
        return Text(fitted(text, width), justify="right", style="" if row.active else GREY)
    if name == "best":
        return Text(fitted(number(row.best_return), width), justify="right", style="" if row.active else GREY)
    if name == "solved":
        return Text(fitted(solved_cell(row), width), justify="right", style=GREEN)
    if name == "trend":
        return Text(sparkline(row.recent, width), style=SKY if row.active else GREY)
    return Text("yes" if row.interactive else "", style=PURPLE)


def solved_cell(row: RunRow) -> str:
    """Return the env step from which on all evaluations reach the task's threshold; nothing where they do not."""
    return "" if row.solved_at is None else f"@{whole(row.solved_at)}"


def label(row: RunRow, width: int, letter: str = "") -> Text:
    """Return the run's name: under its parent with the step of the fork, else with the parent.

    ``letter`` is that of a run marked for comparison.
    """
    before = after = ""
    mark = f"{letter} " if letter else ""
    if row.lines:
        lines = row.lines[-max(width // 4, 2) :]
        before = f"{lines}@{origin(row.parent)[1]} "
    elif row.parent:
        room = max(width - len(mark) - len(safe_text(row.run_id)) - 2, width // 2 - 1)
        after = " ⑂" + ending(f" {row.parent}", room)
    name = squeezed(row.run_id, width - len(before) - len(mark) - len(after))
    text = Text.assemble(
        (before, GREY),
        (mark, f"bold {RUN_COLORS[letter]}" if mark else ""),
        (name, "" if row.active else GREY),
        (after, GREY),
    )
    text.truncate(max(width, 1), overflow="ellipsis")
    return text


class RunsTable(DataTable[Text]):
    """Show the rows of a reading."""

    def __init__(self, pick: Callable[[Path], object], *, id: str | None = None) -> None:
        """Call ``pick`` at once when a person moves to another run: by a message, a redraw might come before it."""
        super().__init__(id=id, cursor_type="row", zebra_stripes=False, cell_padding=1)
        self._pick = pick
        self._placing = False  # whether the table itself moves its cursor
        self._rows: tuple[RunRow, ...] = ()
        self._letters: Mapping[Path, str] = {}
        self._layout: tuple[Column, ...] = ()
        self.picked: Path | None = None

    def show(self, rows: tuple[RunRow, ...], picked: Path | None, letters: Mapping[Path, str]) -> None:
        """Show ``rows`` with the cursor on ``picked`` and the letters of those marked."""
        self.picked = picked
        layout = columns_for(self.content_size.width or 30)
        same = layout == self._layout and [r.path for r in rows] == [r.path for r in self._rows]
        old = self._lettered()
        self._rows, self._letters = rows, letters
        if same:
            self._update(old)
        else:
            self._layout = layout
            self._rebuild()
        self._follow()

    def on_mount(self) -> None:
        """Draw all in other colours with another theme."""
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._rebuild())

    def on_resize(self) -> None:
        """Choose the columns again."""
        self.show(self._rows, self.picked, self._letters)

    def watch_cursor_coordinate(self, old_coordinate: Coordinate, new_coordinate: Coordinate) -> None:
        """Report the run under the cursor, unless the table itself moved it."""
        super().watch_cursor_coordinate(old_coordinate, new_coordinate)
        if self._placing or not new_coordinate.row < len(self._rows):
            return
        path = self._rows[new_coordinate.row].path
        if path != self.picked:
            self.picked = path
            self._pick(path)

    def _lettered(self) -> list[tuple[RunRow, str]]:
        return [(row, self._letters.get(row.path, "")) for row in self._rows]

    def _update(self, rows_before: list[tuple[RunRow, str]]) -> None:
        for now, before in zip(self._lettered(), rows_before, strict=True):
            if now == before:
                continue
            for name, width in self._layout:
                new, old = (cell(row, name, width, letter) for row, letter in (now, before))
                if (new, new.style) != (old, old.style):  # all are the same where only the heart beat
                    self.update_cell(str(now[0].path), name or "glyph", self._inked(new))

    def _rebuild(self) -> None:
        with self._placed():
            self.clear(columns=True)
            for name, width in self._layout:
                self.add_column(Text(name), width=width, key=name or "glyph")
            for row, letter in self._lettered():
                cells = [self._inked(cell(row, name, width, letter)) for name, width in self._layout]
                self.add_row(*cells, key=str(row.path))

    def _inked(self, text: Text) -> Text:
        """Return a cell in the colours of the theme, which Rich does not know by name."""
        inks = self.app.theme_variables
        spans = [Span(start, end, filled(str(style), inks)) for start, end, style in text.spans]
        return Text(text.plain, filled(str(text.style), inks), justify=text.justify, spans=spans)

    def _follow(self) -> None:
        for index, row in enumerate(self._rows):
            if row.path == self.picked and index != self.cursor_row:
                with self._placed():
                    self.move_cursor(row=index, animate=False)

    @contextlib.contextmanager
    def _placed(self) -> Iterator[None]:
        self._placing = True
        try:
            yield
        finally:
            self._placing = False
