"""Know the runs, the one in focus, and those marked to be compared with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from workbench.comparison import Comparison, compare
from workbench.format import fitted
from workbench.lineage import family
from workbench.marks import LETTERS, Marks
from workbench.messages import RunDetail, RunRow, Snapshot

if TYPE_CHECKING:
    from workbench.screens.host import Host


class WatchingScreen(Screen[None]):
    """Hold what the reader thread said last, and the marks."""

    def __init__(self) -> None:
        super().__init__()
        self.snapshot = Snapshot()
        self.marks = Marks()

    @property
    def host(self) -> Host:
        """Return the app, as far as screens know it."""
        return cast("Host", self.app)

    @property
    def row(self) -> RunRow | None:
        """Return the run in focus."""
        wanted = self.host.selected
        return next((row for row in self.snapshot.rows if row.path == wanted), None)

    @property
    def detail(self) -> RunDetail | None:
        """Return the run in focus in full, once it was read."""
        detail = self.snapshot.detail
        return detail if detail is not None and detail.path == self.host.selected else None

    @property
    def comparison(self) -> Comparison:
        """Return the marked runs and the one in focus; nothing where no run is marked."""
        letters = self.marks.letters
        if not letters:
            return Comparison()
        curves = self.snapshot.compared
        return compare(self.snapshot.rows, letters, curves, self.host.selected, self.detail)

    def render_snapshot(self) -> None:
        """Bring every panel up to date."""
        raise NotImplementedError

    def action_compare(self) -> None:
        """Mark the run in focus for comparison, or take its mark off."""
        row = self.row
        if row is None:
            self.host.say("No run is selected: press n to start one.", "warning")
            return
        if row.path in self.marks.letters:
            self.marks.remove(row.path)
        else:
            self._mark([row.path])
        self._marked()

    def action_compare_family(self) -> None:
        """Mark the run in focus and all its kin; where all are marked, take off every mark."""
        kin = self.kin()
        marked = [path for path in kin if path in self.marks.letters]
        if kin and len(marked) == min(len(kin), len(LETTERS)):
            self.marks.clear()
        else:
            self._mark(kin)
        self._marked()

    def action_compare_none(self) -> None:
        """Take off every mark."""
        self.marks.clear()
        self._marked()

    def kin(self) -> list[Path]:
        """Return the family of the run in focus, parents first."""
        row = self.row
        return [kin.path for kin in family(self.snapshot.rows, row.path)] if row is not None else []

    def action_differences(self) -> None:
        """Show in full how the runs compared differ."""
        from workbench.screens.differences import Differences

        comparison = self.comparison
        if len(comparison.runs) > 1:
            self.app.push_screen(Differences(comparison))
        else:
            self.host.say("Nothing is compared yet: c marks the run in focus, C its family.")

    def forget_vanished(self) -> None:
        """Take the marks off runs that are no longer there."""
        before = self.marks.letters
        self.marks.keep({row.path for row in self.snapshot.rows})
        if before != self.marks.letters:
            self.host.compare(self.marks.letters)

    def _mark(self, paths: list[Path]) -> None:
        left_out = self.marks.add(paths)
        if left_out:
            name = fitted(paths[0].name, 40) if len(paths) == 1 else f"{left_out} of the family"
            self.host.say(f"{len(LETTERS)} runs are marked, the most there can be: {name} is not.", "warning")

    def _marked(self) -> None:
        self.host.compare(self.marks.letters)
        self.render_snapshot()
