"""Hold the table of runs, the line that filters it, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import DataTable, Input, Static

from mbpo.errors import ConfigError
from workbench.format import fitted
from workbench.messages import RunRow
from workbench.run_filter import Test, in_order, parse_filter
from workbench.widgets.quiet import subtitle
from workbench.widgets.runs_table import RunsTable

NO_RUNS = Content.from_markup(
    "[b]No runs here yet.[/b]\n\nPress [b]n[/b] to start one,\n[b]T[/b] for a tour in five steps.\n"
    "Runs started elsewhere\nappear by themselves."
)
SORTED_BY = ("", "eval", "best", "steps", "name", "env", "state")  # as one key goes through them
SORTABLE = ("state", "env", "steps", "eval", "best", "solved", "hand")
FIELD_OF_COLUMN = {"run": "name", **dict(zip(SORTABLE, SORTABLE, strict=True))}
EXAMPLE = "env=Hopper* and k>=5 and best>1000"


class FilterLine(Input):
    """Take a filter; enter keeps it, esc lets it go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "all runs", id="filter.clear"),
        Binding("down", "submit", "to the runs", id="filter.down", show=False),
    ]

    def action_clear(self) -> None:
        """Show all runs again."""
        self.value = ""
        self.post_message(self.Submitted(self, ""))


class RunsPanel(Vertical):
    """Show the runs that the filter lets through."""

    def __init__(self, pick: Callable[[Path], object], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "runs"
        self._pick = pick
        self._rows: tuple[RunRow, ...] = ()
        self._selected: Path | None = None
        self._letters: Mapping[Path, str] = {}
        self._test: Test | None = None
        self._sorted_by = ""  # a field; nothing: those at work first, forks below their parents
        self._fault = ""

    def compose(self) -> ComposeResult:
        """Lay out the table, what stands in its place without runs, and the filter."""
        yield RunsTable(self._pick, id="runs")
        yield Static(NO_RUNS, id="no-runs")
        yield FilterLine(placeholder=EXAMPLE, id="filter", compact=True)

    def show(self, rows: tuple[RunRow, ...], selected: Path | None, letters: Mapping[Path, str]) -> None:
        """Show those of ``rows`` that the filter lets through, the cursor on ``selected``."""
        self._rows, self._selected, self._letters = rows, selected, letters
        shown = self._shown()
        self.query_one(RunsTable).show(shown, selected, letters)
        subtitle(self, self._counted(len(shown)))

    def ask(self) -> None:
        """Let a person type a filter."""
        self.set_class(True, "-filtered")
        self.query_one(FilterLine).focus()

    def sort(self, field: str | None = None) -> None:
        """List by a field, the next one where none is named; by the same one again: as at first."""
        if field is None:
            field = SORTED_BY[(SORTED_BY.index(self._sorted_by) + 1) % len(SORTED_BY)]
        self._sorted_by = "" if field == self._sorted_by else field
        self.show(self._rows, self._selected, self._letters)

    def _shown(self) -> tuple[RunRow, ...]:
        test = self._test
        rows = self._rows if test is None else tuple(row for row in self._rows if test(row))
        if not self._sorted_by:
            return rows
        return tuple(replace(row, lines="") for row in in_order(rows, self._sorted_by))  # no tree any more

    def _counted(self, shown: int) -> str:
        if self._fault:
            return f"[$error]{fitted(self._fault, max(self.size.width - 6, 20)).replace('[', '(')}[/]"
        if not self._rows:
            return ""
        at_work = f"{sum(row.active for row in self._rows)} of {len(self._rows)} at work"
        shares = f"{shown} shown" if self._test is not None else ""
        order = f"by {self._sorted_by}" if self._sorted_by else ""
        return " · ".join(part for part in (shares, order, at_work) if part)

    @on(DataTable.HeaderSelected)
    def _head_clicked(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        field = FIELD_OF_COLUMN.get(str(event.column_key.value))
        if field:
            self.sort(field)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        try:
            self._test, self._fault = (parse_filter(event.value) if event.value.strip() else None), ""
        except ConfigError as error:  # what was asked before stays in force while a person types
            self._fault = str(error)
        self.show(self._rows, self._selected, self._letters)
        shown = self._shown()
        if shown and self._selected not in {row.path for row in shown}:
            self._pick(shown[0].path)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.set_class(bool(event.value.strip()), "-filtered")
        self.query_one(RunsTable).focus()
