"""Know how a person wants the runs listed: which ones, in which order and columns, folded into groups or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError
from workbench.format import safe_text
from workbench.group_figures import GroupScore
from workbench.memory import keep, kept, load, save
from workbench.messages import RunRow
from workbench.run_fields import field_named, in_order
from workbench.run_filter import Test, asks_for_archived, parse_filter
from workbench.run_groups import RunGroup, folded
from workbench.studies_found import StudyFound
from workbench.study_rows import Sections, StudyRow, is_study, path_of

SORTED_BY = ("eval", "best", "steps", "name", "env", "state")  # as one key goes through them, before other columns
COLUMNS = "columns"  # the app's memory of those chosen
MOST_COLUMNS = 40
LISTING = "listing"  # the memory of filter, order and groups, of each runs root
MOST_FILTER = 1000  # characters


class RunsView:
    """Hold the filter, the order, the columns and the folds."""

    def __init__(self, root: Path | None = None) -> None:
        """List the runs as they were listed last under ``root``."""
        self.filter = ""
        self.fault = ""  # what is wrong with the filter that is being typed
        self.sorted_by = ""  # a field; nothing: those at work first, forks below their parents
        self.grouped = False
        self.archived = False  # whether those put away are listed too
        self.columns = _kept_columns()  # nothing: as many as fit, chosen by the width
        self.unfolded: set[Path] = set()  # groups
        self.studies: tuple[StudyFound, ...] = ()  # that there are
        self.closed: set[Path] = set()  # lines of studies whose runs are not listed
        self._test: Test | None = None
        self._sections_of: tuple[object, ...] = ()
        self._sections = Sections((), (), ())
        self._groups: tuple[RunGroup, ...] | None = None  # among them, once asked for
        self._lines_of: tuple[object, ...] = ()
        self._lines: tuple[RunRow, ...] = ()
        self._root = root
        if root is not None:
            self._recall(load(root, LISTING))
        self._remembered = self._listing

    @property
    def _listing(self) -> Mapping[str, Any]:
        """Return what is remembered, as JSON takes it."""
        return {"filter": self.filter, "sorted_by": self.sorted_by, "grouped": self.grouped}

    def remember(self) -> None:
        """Keep filter, order and groups for the next start, where they are others than before."""
        if self._root is not None and self._remembered != self._listing:
            self._remembered = self._listing
            save(self._root, LISTING, self._remembered)

    def _recall(self, kept: Any) -> None:
        """List as a file says; what it does not tell, or nobody can read, is as at first."""
        told = kept if isinstance(kept, Mapping) else {}
        asked, field = told.get("filter"), told.get("sorted_by")
        if isinstance(asked, str) and len(asked) <= MOST_FILTER:
            self.ask(safe_text(asked, MOST_FILTER))
            self.fault = ""  # nobody typed it just now
        if isinstance(field, str) and _is_field(field):
            self.sorted_by = field
        self.grouped = told.get("grouped") is True

    @property
    def filtered(self) -> bool:
        """Return whether a filter is in force."""
        return self._test is not None

    def ask(self, text: str) -> None:
        """List by another filter; what was asked before stays in force while it cannot be read."""
        try:
            self._test, self.fault = (parse_filter(text) if text.strip() else None), ""
            self.filter = text.strip()
        except ConfigError as error:
            self.fault = str(error)

    def sort(self, name: str | None = None) -> None:
        """List by a field, the next one where none is named; by the same one again: as at first."""
        if name is None:
            fields = ["", *dict.fromkeys((*SORTED_BY, *self.columns))]
            name = fields[(fields.index(self.sorted_by) + 1) % len(fields)] if self.sorted_by in fields else ""
        self.sorted_by = "" if name == self.sorted_by else name

    def choose(self, columns: Sequence[str]) -> None:
        """Show these columns from now on, also after the next start."""
        self.columns = tuple(columns)[:MOST_COLUMNS]
        keep(COLUMNS, "\n".join(self.columns))

    def let_through(self, rows: Iterable[RunRow], focus: Path | None) -> tuple[RunRow, ...]:
        """Return the runs that are asked for. One that is put away stays while it has the focus."""
        every = self.archived or asks_for_archived(self.filter)
        listed = (row for row in rows if every or not row.about.archived or row.path == focus)
        return tuple(row for row in listed if self._test is None or self._test(row))

    def sections(self, rows: tuple[RunRow, ...], focus: Path | None) -> Sections:
        """Return the runs asked for by study."""
        of = (rows, self.let_through(rows, focus), self.studies)
        if self._sections_of != of:
            self._sections_of, self._groups = of, None
            self._sections = Sections(self.studies, rows, of[1])
        return self._sections

    def groups(self, rows: tuple[RunRow, ...], focus: Path | None) -> tuple[RunGroup, ...]:
        """Return the groups among the runs asked for; none where runs are not folded."""
        if not self.grouped:
            return ()
        sections = self.sections(rows, focus)
        if self._groups is None:
            self._groups = sections.groups(rows)
        return self._groups

    def study(self, rows: tuple[RunRow, ...], path: Path | None) -> StudyRow | None:
        """Return the line of the study at ``path``."""
        found = next((study for study in self.studies if path == path_of(study)), None)
        return self.sections(rows, path).heads[found.folder] if found is not None else None

    def arms(self, rows: tuple[RunRow, ...], path: Path | None) -> tuple[RunGroup, ...]:
        """Return the arms of the study at ``path``."""
        study = self.study(rows, path)
        return self.sections(rows, path).arms(study.study.folder, rows) if study is not None else ()

    def asking_for(self, path: Path) -> StudyFound | None:
        """Return the study that asks for the run at ``path``."""
        return next((study for study in self.studies if study.folder == path.parent and path.name in study.runs), None)

    def arranged(
        self, rows: tuple[RunRow, ...], focus: Path | None, scores: Mapping[Path, GroupScore]
    ) -> tuple[RunRow, ...]:
        """Return the lines of the table; the same where nothing has changed."""
        sections = self.sections(rows, focus)
        of = (sections, {*self.closed}, {*self.unfolded}, self.grouped, self.sorted_by, self.filtered, scores)
        if self._lines_of == of:
            return self._lines

        def fold(listed: Sequence[RunRow]) -> Sequence[RunRow]:
            if self.grouped:
                return folded(listed, self.groups(rows, focus), scores, self.unfolded, self._in_order)
            if self.sorted_by:
                return tuple(replace(row, lines="") for row in self._in_order(listed))  # no tree any more
            return listed

        self._lines_of, self._lines = of, sections.lines(self.closed, fold, alone=not self.filtered)
        return self._lines

    def to_mark(
        self, rows: tuple[RunRow, ...], focus: Path | None, scores: Mapping[Path, GroupScore]
    ) -> tuple[Path, ...]:
        """Return what stands in the table, without runs below the line of their group, and lines of studies."""
        inside = {row.path for group in self.groups(rows, focus) for row in group.rows}
        lines = (row.path for row in self.arranged(rows, focus, scores))
        return tuple(path for path in lines if path not in inside and not is_study(path))

    def _in_order(self, rows: Sequence[RunRow]) -> Sequence[RunRow]:
        return in_order(rows, self.sorted_by) if self.sorted_by else rows


def _kept_columns() -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(_is_field, kept(COLUMNS).split("\n")[:MOST_COLUMNS])))


def _is_field(name: str) -> bool:
    """Return whether a name that was kept is still known; it may be of another version."""
    try:
        field_named(name)
    except ConfigError:
        return False
    return True
