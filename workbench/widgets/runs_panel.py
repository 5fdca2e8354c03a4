"""Hold the table of runs, the line that filters it, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import DataTable, Input, Static

from mbpo.settings.language import tr, tr_n
from workbench.format import fitted
from workbench.group_figures import GroupScore
from workbench.messages import RunRow
from workbench.run_fields import columns_to_choose
from workbench.run_groups import RunGroup
from workbench.runs_view import RunsView
from workbench.study_rows import path_of, study_above
from workbench.widgets.quiet import subtitle
from workbench.widgets.runs_table import RunsTable

NO_RUNS = Content.from_markup(
    tr(
        "[b]No runs here yet.[/b]\nPress [b]n[/b] to start one,\n[b]T[/b] for a tour in five steps.\n"
        "Runs started elsewhere\nappear by themselves."
    )
)
FIELD_OF_COLUMN = {"run": "name", "band": "eval", "trend": "", "glyph": ""}  # where it is another
EXAMPLE = "env=Hopper* and k>=5 and best>1000"


class FilterLine(Input):
    """Take a filter; enter keeps it, esc lets it go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", tr("all runs"), id="filter.clear"),
        Binding("down", "submit", tr("to the runs"), id="filter.down", show=False),
    ]

    def action_clear(self) -> None:
        """Show all runs again."""
        self.value = ""
        self.post_message(self.Submitted(self, ""))


class NoRuns(Static):
    """Stand where there is no run; a click starts one."""

    async def on_click(self) -> None:
        """Show the launch form."""
        await self.run_action("app.new_run")


class RunsPanel(Vertical):
    """Show the runs that the filter lets through."""

    def __init__(self, view: RunsView, pick: Callable[[Path], object], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = tr("runs")
        self._view = view
        self._pick = pick
        self._rows: tuple[RunRow, ...] = ()
        self._shown: tuple[RunRow, ...] = ()
        self._selected: Path | None = None
        self._letters: Mapping[Path, str] = {}
        self._scores: Mapping[Path, GroupScore] = {}

    def compose(self) -> ComposeResult:
        """Lay out the table, what stands in its place without runs, and the filter."""
        yield RunsTable(self._focus, self.fold, id="runs")
        yield NoRuns(NO_RUNS, id="no-runs")
        yield FilterLine(self._view.filter, placeholder=EXAMPLE, id="filter", compact=True)

    def on_mount(self) -> None:
        """Show the filter of the last time, so that nobody wonders where runs are."""
        self.set_class(self._view.filtered, "-filtered")

    def show(
        self,
        rows: tuple[RunRow, ...],
        selected: Path | None,
        letters: Mapping[Path, str],
        scores: Mapping[Path, GroupScore],
    ) -> None:
        """Show those of ``rows`` that are asked for, the cursor on ``selected``."""
        self._rows, self._selected, self._letters, self._scores = rows, selected, letters, scores
        self._unfold_focus()
        self._shown = self._view.arranged(rows, selected, scores)
        table = self.query_one(RunsTable)
        table.lay_out(self._view.columns, self._view.grouped)
        table.show(self._shown, selected, letters)
        subtitle(self, self._counted())

    @property
    def lines(self) -> list[Path]:
        """Return what stands in the table, from the top."""
        return [row.path for row in self._shown]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that are shown and can be chosen."""
        choosable = set(columns_to_choose())
        return tuple(name for name in self.query_one(RunsTable).shown_columns if name in choosable)

    def ask(self) -> None:
        """Let a person type a filter."""
        self.set_class(True, "-filtered")
        self.query_one(FilterLine).focus()

    def sort(self, field: str | None = None) -> None:
        """List by a field, the next one where none is named; by the same one again: as at first."""
        self._view.sort(field)
        self._show_again()

    def group(self) -> None:
        """Fold runs that differ by their seed only into groups, or show them one by one again."""
        self._view.grouped = not self._view.grouped
        mine = self._group_of(self._selected)
        if mine is not None:
            self._focus(mine.path)
        self._show_again()

    def fold(self, path: Path, open: bool | None) -> None:
        """Show the runs of a group or study, or no more, or the other way round; ``path`` is its own or of a run of it.

        Where a group is folded already, its study is.
        """
        of, above = self._group_of(path), study_above(self._shown, path)
        if of is not None and (open is not False or of.path in self._view.unfolded):
            self._turn(self._view.unfolded, of.path, path, open)
        elif above is not None:
            self._turn(self._view.closed, above.path, path, None if open is None else not open)
        self._show_again()

    def _turn(self, lines: set[Path], line: Path, path: Path, inside: bool | None) -> None:
        """Put the line of a group or study into a set, or out of it, or the other way round; its runs may vanish."""
        if inside is False or (inside is None and line in lines):
            lines.discard(line)
        else:
            lines.add(line)
        if path != line and (line in lines) is (lines is self._view.closed):
            self._focus(line)

    def _group_of(self, path: Path | None) -> RunGroup | None:
        """Return the group that a path is of, or that has its run."""
        groups = self._view.groups(self._rows, self._selected)
        return next((at for at in groups if path == at.path or any(row.path == path for row in at.rows)), None)

    def _unfold_focus(self) -> None:
        """Show the run in focus where its group or study is folded: one that was found again, opened or started."""
        home = self._view.sections(self._rows, self._selected).home_of(self._selected)
        self._view.closed -= {path_of(study) for study in self._view.studies if study.folder == home}
        group = self._group_of(self._selected)
        if group is not None and group.path != self._selected:
            self._view.unfolded.add(group.path)

    def _focus(self, path: Path) -> None:
        """Put a run or a group in focus, known here at once."""
        self._selected = path
        self._pick(path)

    def _show_again(self) -> None:
        self.show(self._rows, self._selected, self._letters, self._scores)

    def _counted(self) -> str:
        view = self._view
        if view.fault:
            return f"[$error]{fitted(view.fault, max(self.size.width - 6, 20)).replace('[', '(')}[/]"
        if not self._rows:
            return ""
        groups = len(view.groups(self._rows, self._selected))
        shown = len(view.let_through(self._rows, self._selected)) if view.filtered else 0
        parts = (
            tr("{n} shown", n=shown) if view.filtered else "",
            tr_n("{n} group", "{n} groups", groups) if view.grouped else "",
            tr("by {field}", field=view.sorted_by) if view.sorted_by else "",
            tr("{n} of {of} at work", n=sum(row.active for row in self._rows), of=len(self._rows)),
        )
        return " · ".join(filter(None, parts))

    @on(DataTable.HeaderSelected)
    def _head_clicked(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        column = str(event.column_key.value)
        field = FIELD_OF_COLUMN.get(column, column)
        if field:
            self.sort(field)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value.strip() == self._view.filter and not self._view.fault:
            return  # that of the last time, as the app starts
        self._view.ask(event.value)
        self._show_again()
        if self._shown and self._selected not in {row.path for row in self._shown}:
            self._focus(self._shown[0].path)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.set_class(bool(event.value.strip()), "-filtered")
        self.query_one(RunsTable).focus()
