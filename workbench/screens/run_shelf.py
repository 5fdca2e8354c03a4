"""Do with runs what one does with files: name, tag, put away, throw away; and list them as one likes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.screen import Screen

from mbpo.errors import MBPOError
from mbpo.runs.about import change_about
from mbpo.runs.layout import RunPaths
from mbpo.runs.trash import Trashed, move_to_trash
from mbpo.settings.language import tr
from workbench.acting import changes_runs
from workbench.format import fitted
from workbench.messages import RunRow
from workbench.run_groups import is_group
from workbench.screens.selection import Selection
from workbench.screens.services import Services
from workbench.widgets.runs_panel import RunsPanel


class RunShelf(Screen[None]):
    """Be the part of the workbench whose keys act on runs as files. A group's runs are acted on together."""

    services: Services
    selection: Selection

    def action_group(self) -> None:
        """Fold runs that differ by their seed only into groups, or list them one by one again."""
        self.query_one(RunsPanel).group()
        view, groups = self.selection.view, self.selection.groups
        if not view.grouped and is_group(self.services.selected):
            self.services.select(next((row.path for row in self.selection.reading.rows), None))
        elif view.grouped and not groups:
            self.services.say(tr("No two runs here differ by their seed only, so there is no group."))
        self.services.redraw()

    def action_columns(self) -> None:
        """Choose the columns of the table."""
        from workbench.screens.columns_page import ColumnsPage

        view = self.selection.view
        shown = view.columns or self.query_one(RunsPanel).columns
        self.app.push_screen(ColumnsPage(shown), lambda chosen: self._chosen(chosen))

    def _chosen(self, columns: Sequence[str] | None) -> None:
        if columns is not None:
            self.selection.view.choose(columns)
            self.services.redraw()

    @changes_runs
    def action_about(self) -> None:
        """Open the form for title, note and tags."""
        from workbench.screens.about_form import AboutForm

        if rows := self._usable():
            self.app.push_screen(AboutForm(rows), lambda changes: self._change(rows, changes, tr("Kept")))

    @changes_runs
    def action_archive(self) -> None:
        """Put the run away, or list it again."""
        if rows := self._usable():
            away = not all(row.about.archived for row in rows)
            told = tr("Put away: A again lists it, and / archived what is put away.") if away else tr("Listed again.")
            self._change(rows, {"archived": away}, told)

    @changes_runs
    def action_delete(self) -> None:
        """Move the run into the trash, once confirmed."""
        from workbench.screens.trash_dialogs import ConfirmDelete

        rows = self._usable()
        if busy := [row for row in rows if row.active]:
            name = fitted(busy[0].titled, 40)
            self.services.say(
                tr("{name} is at work: s stops it, and then it can go into the trash.", name=name), "warning"
            )
        elif rows:
            self.app.push_screen(
                ConfirmDelete(self.services.runs_root, rows), lambda yes: self._delete(rows) if yes else None
            )

    def action_trash(self) -> None:
        """Show what is in the trash."""
        from workbench.screens.trash_page import TrashPage

        self.app.push_screen(TrashPage(self.services.runs_root, self.services.readonly, self.services.say))

    def action_archived(self) -> None:
        """List also what is put away, or no more."""
        view = self.selection.view
        view.archived = not view.archived
        self.services.redraw()

    def _usable(self) -> list[RunRow]:
        """Return the runs that a key acts on; none, and why, where there are none."""
        rows = self.selection.targets
        if not rows:
            self.services.say(self.selection.nothing, "warning")
        return [row for row in rows if row.state != "launching"]

    def _change(self, rows: Sequence[RunRow], changes: Mapping[str, Any] | None, told: str) -> None:
        if changes:
            self._off_the_loop(lambda: [change_about(RunPaths(row.path), changes) for row in rows], told)

    def _delete(self, rows: Sequence[RunRow]) -> None:
        root, after = self.services.runs_root, self._after(rows)

        def move() -> list[Trashed]:
            return [move_to_trash(root, row.path) for row in rows]

        told = tr("{n} runs are in the trash.", n=len(rows))
        if len(rows) == 1:
            name = fitted(rows[0].titled, 40)
            told = tr("{name} moved to the trash: ctrl+p, trash, restores it.", name=name)
        self._off_the_loop(move, told, lambda: self.services.select(after))

    def _after(self, rows: Sequence[RunRow]) -> Path | None:
        """Return what has the focus once ``rows`` are gone: the next line of the table, else the one before."""
        gone = {row.path for row in rows} | {self.services.selected}
        lines = self.query_one(RunsPanel).lines
        at = next((index for index, line in enumerate(lines) if line in gone), 0)
        return next((line for line in [*lines[at:], *reversed(lines[:at])] if line not in gone), None)

    def _off_the_loop(self, work: Callable[[], object], told: str, then: Callable[[], object] = lambda: None) -> None:
        """Do what touches files in a thread; say how it went."""

        def run() -> None:
            try:
                work()
            except (MBPOError, OSError) as error:
                self._tell(self.services.say, str(error), "error")
            else:
                self._tell(self.services.say, told)
                self._tell(then)

        self.run_worker(run, thread=True, exit_on_error=False)

    def _tell(self, say: Callable[..., object], *words: str) -> None:
        with contextlib.suppress(RuntimeError):  # the app ended meanwhile
            self.app.call_from_thread(say, *words)
