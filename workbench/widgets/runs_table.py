"""List the runs, those at work first, and keep the selection on the run, not on the row."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Span, Text
from textual.coordinate import Coordinate
from textual.geometry import Region
from textual.widgets import DataTable

from workbench.charts.picture import filled
from workbench.messages import RunRow
from workbench.run_groups import GroupRow
from workbench.study_rows import StudyRow
from workbench.widgets.run_columns import COLORS, Column, cell, columns_for, head_of, label

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["COLORS", "RunsTable", "label"]


class RunsTable(DataTable[Text]):
    """Show the rows of a reading."""

    _putting = False  # whether it changes a cell

    def __init__(
        self, pick: Callable[[Path], object], fold: Callable[[Path, bool | None], object], *, id: str | None = None
    ) -> None:
        """Call ``pick`` at once when a person moves to another run: by a message, a redraw might come before it.

        Call ``fold`` where a person asks for the runs of a group or study to be shown, or not, or the other way round.
        """
        super().__init__(id=id, cursor_type="row", zebra_stripes=False, cell_padding=1)
        self._pick = pick
        self._fold = fold
        self._chosen: tuple[str, ...] = ()
        self._grouped = False
        self._placing = False  # whether the table itself moves its cursor
        self._rows: tuple[RunRow, ...] = ()
        self._letters: Mapping[Path, str] = {}
        self._layout: tuple[Column, ...] = ()
        self.picked: Path | None = None

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """Return the names of the columns that are shown."""
        return tuple(name for name, _ in self._layout if name)

    def lay_out(self, chosen: tuple[str, ...], grouped: bool) -> None:
        """Show other columns from the next time on: those chosen, or as many as fit."""
        self._chosen, self._grouped = chosen, grouped

    def action_cursor_right(self) -> None:
        """Show the runs of the group or study under the cursor."""
        self._unfold(True)

    def action_cursor_left(self) -> None:
        """Show the runs of the group or study no more, that of the run under the cursor."""
        self._unfold(False)

    def _unfold(self, open: bool) -> None:
        if self.cursor_row < len(self._rows):
            self._fold(self._rows[self.cursor_row].path, open)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Fold or unfold by enter, or by a click on the row under the cursor."""
        event.stop()
        row = self._rows[event.cursor_row] if event.cursor_row < len(self._rows) else None
        if isinstance(row, (GroupRow, StudyRow)):
            self._fold(row.path, None)

    def show(self, rows: tuple[RunRow, ...], picked: Path | None, letters: Mapping[Path, str]) -> None:
        """Show ``rows`` with the cursor on ``picked`` and the letters of those marked."""
        self.picked = picked
        layout = columns_for(self.content_size.width or 30, self._chosen, self._grouped)
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
        for index, (now, before) in enumerate(zip(self._lettered(), rows_before, strict=True)):
            if now == before:
                continue
            for name, width in self._layout:
                new, old = (cell(row, name, width, letter) for row, letter in (now, before))
                if (new, new.style) != (old, old.style):  # all are the same where only the heart beat
                    self._put(index, name or "glyph", self._inked(new))

    def _put(self, index: int, column: str, text: Text) -> None:
        """Change a cell and draw its row anew, where Textual would draw the whole table."""
        self._putting = True
        self.update_cell(str(self._rows[index].path), column, text)
        self._putting = False
        self.refresh_row(index)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Draw anew, but not the whole of it for a cell."""
        if self._putting and not regions and not layout:
            return self
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _rebuild(self) -> None:
        with self._placed():
            self.clear(columns=True)
            for name, width in self._layout:
                self.add_column(Text(head_of(name)), width=width, key=name or "glyph")
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
