"""Know the run in focus, and those marked to be compared with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from mbpo.settings.language import tr
from workbench.fork_tree import family
from workbench.group_figures import GroupAsked
from workbench.groups_side_by_side import GroupComparison, compare_groups
from workbench.marked_runs import LETTERS, MarkedRuns
from workbench.messages import Reading, RunDetail, RunRow
from workbench.run_groups import RunGroup, is_group
from workbench.runs_view import RunsView
from workbench.screens.services import Services
from workbench.side_by_side import Comparison, compare
from workbench.study_rows import StudyRow, is_study


class Selection:
    """Hold what the reader thread said last, and the marks."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.reading = Reading()
        self.marks = MarkedRuns()
        self.view = RunsView(services.runs_root)
        self._asked: tuple[GroupAsked, ...] = ()

    @property
    def row(self) -> RunRow | None:
        """Return the run in focus."""
        wanted = self._services.selected
        return next((row for row in self.reading.rows if row.path == wanted), None)

    @property
    def study(self) -> StudyRow | None:
        """Return the study in focus."""
        return self.view.study(self.reading.rows, self._services.selected)

    @property
    def detail(self) -> RunDetail | None:
        """Return the run in focus in full, once it was read."""
        detail = self.reading.detail
        return detail if detail is not None and detail.path == self._services.selected else None

    @property
    def groups(self) -> tuple[RunGroup, ...]:
        """Return the groups that runs are folded into; none where they are not."""
        return self.view.groups(self.reading.rows, self._services.selected)

    @property
    def targets(self) -> list[RunRow]:
        """Return the run in focus, or all runs of the group in focus."""
        focus = self._services.selected
        group = next((group for group in self.groups if group.path == focus), None)
        return list(group.rows) if group is not None else [self.row] if self.row is not None else []

    @property
    def nothing(self) -> str:
        """Say why there is no run that a key could act on."""
        if is_group(self._services.selected):
            return tr("A group of seeds is in focus: enter unfolds it, and its runs take keys.")
        if is_study(self._services.selected):
            return tr("A study is in focus: its runs below it take keys; enter folds and unfolds it.")
        return tr("No run is selected: press n to start one.")

    @property
    def grouped(self) -> GroupComparison:
        """Return what is marked and in focus as groups of seeds, of a study its arms; nothing where none is a group."""
        rows, focus = self.reading.rows, self._services.selected
        if arms := self.view.arms(rows, focus):
            return compare_groups(
                rows, arms, dict(zip([arm.path for arm in arms], LETTERS, strict=False)), None, self.reading.groups
            )
        return compare_groups(rows, self.groups, self.marks.letters, focus, self.reading.groups)

    def ask_for_groups(self) -> None:
        """Have the figures of all groups read, and the curves of those in focus and marked."""
        drawn = self.grouped.asked
        rest = (group.asked(drawn=False) for group in self.groups if group.path not in drawn)
        asked = (*drawn.values(), *rest)
        if asked != self._asked:
            self._asked = asked
            self._services.follow_groups(asked)

    @property
    def comparison(self) -> Comparison:
        """Return the marked runs and the one in focus; nothing where no run is marked."""
        letters = self.marks.letters
        if not letters:
            return Comparison()
        curves = self.reading.compared
        return compare(self.reading.rows, letters, curves, self._services.selected, self.detail)

    @property
    def on_screen(self) -> list[Path]:
        """Return the runs that the charts show: those compared, those of groups, or the one in focus."""
        if groups := self.grouped.groups:
            return list(dict.fromkeys(row.path for group in groups for row in group.seeds))
        compared = [run.row.path for run in self.comparison.runs]
        return compared if len(compared) > 1 else [self.row.path] if self.row is not None else []

    @property
    def kin(self) -> list[Path]:
        """Return the family of the run in focus, parents first."""
        row = self.row
        return [kin.path for kin in family(self.reading.rows, row.path)] if row is not None else []

    def take(self, reading: Reading) -> None:
        """Take in a new reading; the marks leave runs that are no longer there."""
        self.reading = reading
        before = self.marks.letters
        self.marks.keep({row.path for row in reading.rows} | {group.path for group in self.groups})
        if before != self.marks.letters:
            self._services.compare(self.marks.letters)

    def mark(self) -> None:
        """Mark the run in focus for comparison, or take its mark off."""
        focus = self._services.selected
        if focus is None or not self.targets:
            self._services.say(self.nothing, "warning")
        elif focus in self.marks.letters:
            self.marks.remove(focus)
            self._services.compare(self.marks.letters)
        else:
            self._add([focus])

    def mark_family(self) -> None:
        """Mark the run in focus and all its kin; where all are marked, take off every mark."""
        kin = self.kin
        if self._all_marked(kin):
            self.clear_marks()
        else:
            self._add(kin)

    def mark_shown(self) -> None:
        """Mark every run that the table lists, of groups their lines; where all are marked, take off every mark."""
        shown = self.view.to_mark(self.reading.rows, self._services.selected, self.reading.groups.scores)
        if not shown:
            self._services.say(tr("No run is listed that could be compared."), "warning")
        elif self._all_marked(shown):
            self.clear_marks()
        elif not self._add(shown):
            marked = len(self.marks.letters)
            self._services.say(tr("{n} are compared; * again takes off every mark.", n=marked))

    def _all_marked(self, paths: Collection[Path]) -> bool:
        """Return whether there are any, and as many of them have a letter as there can be."""
        return 0 < sum(path in self.marks.letters for path in paths) == min(len(paths), len(LETTERS))

    def clear_marks(self) -> None:
        """Take off every mark."""
        self.marks.clear()
        self._services.compare(())

    def _add(self, paths: Sequence[Path]) -> int:
        """Mark what has no letter yet; return of how many that could not be done, and say so."""
        left_out = self.marks.add(paths)
        if left_out:
            self._services.say(
                tr("{n} are marked, the most there can be; left out: {more}.", n=len(LETTERS), more=left_out), "warning"
            )
        self._services.compare(self.marks.letters)
        return left_out
