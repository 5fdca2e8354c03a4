"""Put a line for each study above its runs, and count how far they are. Pure functions of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from mbpo.studies.standing import AT_WORK, CUT_OFF, DIVERGED, FAILED, FINISHED, MISSING, standing_of
from workbench.fork_tree import origin
from workbench.messages import RunRow
from workbench.run_groups import GroupRow, RunGroup, groups_of
from workbench.studies_found import StudyFound

PREFIX = "study:"  # a run's path is whole, so that none begins so
STATES = {AT_WORK: "running", FAILED: "failed", DIVERGED: "diverged", CUT_OFF: "lost", MISSING: "waiting"}
"""The state of a run that a study's line is marked as, of its runs the first that there is; of none: finished."""
TROUBLES = (FAILED, DIVERGED, CUT_OFF)


@dataclass(frozen=True)
class StudyRow(RunRow):
    """Be the line of a study in the table."""

    study: StudyFound = StudyFound(Path())
    counts: Mapping[str, int] = field(default_factory=dict)  # of the runs that it asks for, by how they stand
    rows: tuple[RunRow, ...] = ()  # of these, those that have begun
    unfolded: bool = True

    @property
    def asked(self) -> int:
        """Return how many runs there are when all is done."""
        return sum(self.counts.values())

    @property
    def troubles(self) -> list[RunRow]:
        """Return the runs that do not go on by themselves, the worst first."""
        broken = [row for row in (*self.rows, *self.unbegun) if standing_in(self.study, row) in TROUBLES]
        return sorted(broken, key=lambda row: TROUBLES.index(standing_in(self.study, row)))

    @property
    def unbegun(self) -> list[RunRow]:
        """Return the runs that could not begin."""
        return [RunRow(self.study.folder / name, FAILED, reason=why) for name, why in self.study.unbegun.items()]

    @property
    def waiting(self) -> list[str]:
        """Return the names of the runs that have not begun, and may."""
        known = {row.path.name for row in self.rows} | set(self.study.unbegun)
        return [name for name in self.study.runs if name not in known]


def path_of(study: StudyFound) -> Path:
    """Return what stands for a study where a run's path would."""
    return Path(f"{PREFIX}{study.folder}")


def is_study(path: Path | None) -> bool:
    """Return whether a path stands for a study."""
    return path is not None and str(path).startswith(PREFIX)


def standing_in(study: StudyFound, row: RunRow) -> str:
    """Return what a run is to its study; one that a search has given up is done."""
    if row.state == "unreadable":
        return FAILED
    standing = standing_of(row.state)
    return FINISHED if standing == CUT_OFF and row.path.name in study.given_up else standing


def study_row(study: StudyFound, rows: Iterable[RunRow]) -> StudyRow:
    """Return the line of a study; ``rows`` are all that lie in its folder."""
    there = {row.path.name: row for row in rows}
    begun = tuple(there[name] for name in study.runs if name in there)
    counts = Counter(standing_in(study, row) for row in begun)
    unbegun = sum(name not in there for name in study.unbegun)
    counts[FAILED] += unbegun
    counts[MISSING] = len(study.runs) - len(begun) - unbegun + study.undrawn
    state = next((state for standing, state in STATES.items() if counts[standing]), "finished")
    returns = [row.eval_return for row in begun if row.eval_return is not None]
    best = [row.best_return for row in begun if row.best_return is not None]
    return StudyRow(
        path=path_of(study),
        state="unreadable" if study.fault else state,
        env_id=begun[0].env_id if begun else "",
        seed=-1,
        env_steps=sum(row.env_steps for row in begun),
        total_steps=sum(row.total_steps for row in begun),
        eval_return=max(returns, default=None),
        best_return=max(best, default=None),
        steps_per_s=sum(row.steps_per_s for row in begun if row.active),
        started=min((row.started for row in begun), default=0.0),
        reason=study.fault,
        name=study.title,
        study=study,
        counts={standing: number for standing, number in counts.items() if number},
        rows=begun,
    )


class Sections:
    """Know which runs of a listing are of which study: those in its folder, and forks that stand below one there."""

    def __init__(self, studies: Sequence[StudyFound], rows: Sequence[RunRow], listed: Sequence[RunRow]) -> None:
        self.studies = {study.folder: study for study in studies}
        self._rows: dict[Path, list[RunRow]] = {folder: [] for folder in self.studies}
        for row in rows:
            if row.path.parent in self._rows:
                self._rows[row.path.parent].append(row)
        self._listed = listed
        self._arms: dict[Path, tuple[RunGroup, ...]] = {}
        self.members: dict[Path, list[RunRow]] = {}  # by folder, as they are listed
        self.rest: list[RunRow] = []
        homes: dict[str, Path | None] = {}
        for row in listed:
            above = homes.get(origin(row.parent)[0]) if row.lines else None
            home = homes[row.run_id] = row.path.parent if row.path.parent in self.studies else above
            (self.rest if home is None else self.members.setdefault(home, [])).append(row)

    @cached_property
    def heads(self) -> dict[Path, StudyRow]:
        """Return the line of each study, by its folder."""
        return {folder: study_row(study, self._rows[folder]) for folder, study in self.studies.items()}

    def home_of(self, path: Path | None) -> Path | None:
        """Return the folder of the study that a listed run is of."""
        return next((home for home, rows in self.members.items() if any(row.path == path for row in rows)), None)

    def groups(self, every: Sequence[RunRow]) -> tuple[RunGroup, ...]:
        """Return the groups among the runs of each study, and among the rest."""
        own = [group for home, rows in self.members.items() for group in groups_of(rows, every, place=str(home))]
        return (*groups_of(self.rest, every), *own)

    def arms(self, folder: Path, every: Sequence[RunRow]) -> tuple[RunGroup, ...]:
        """Return the arms of a study as groups, also those of which one seed is there, in the study's order."""
        if folder in self._arms:
            return self._arms[folder]
        places = {name: place for place, name in enumerate(self.studies[folder].runs)}
        found: Sequence[RunGroup] = groups_of(self.members.get(folder, ()), every, place=str(folder), least=1)
        found = sorted(found, key=lambda arm: min(places.get(row.path.name, len(places)) for row in arm.rows))
        return self._arms.setdefault(folder, tuple(found))

    def lines(
        self, folded: Iterable[Path], fold: Callable[[Sequence[RunRow]], Sequence[RunRow]], alone: bool
    ) -> tuple[RunRow, ...]:
        """Return the lines of a table: a study's where its first run would be, and its runs below it.

        A study of which no run is listed stands on top, unless only some runs are asked for, so not ``alone``.
        """
        closed = set(folded)
        heads = {folder: replace(head, unfolded=head.path not in closed) for folder, head in self.heads.items()}
        first = {rows[0].path: heads[folder] for folder, rows in self.members.items()}
        inside = {row.path for rows in self.members.values() for row in rows}
        tops: list[RunRow] = [head for folder, head in heads.items() if alone and folder not in self.members]
        for row in self._listed:
            if row.path in first:
                tops.append(first[row.path])
            elif row.path not in inside:
                tops.append(row)
        return tuple(line for top in fold(tops) for line in self._opened(top, fold))

    def _opened(self, top: RunRow, fold: Callable[[Sequence[RunRow]], Sequence[RunRow]]) -> Iterable[RunRow]:
        yield top
        if isinstance(top, StudyRow) and top.unfolded:
            folder = top.study.folder
            yield from _below(folder, fold(self.members.get(folder, ())))


def _below(folder: Path, lines: Sequence[RunRow]) -> Iterable[RunRow]:
    """Return lines as they stand below their study's, whose name need not be said again."""
    last = max((index for index, line in enumerate(lines) if not line.lines), default=-1)
    for index, line in enumerate(lines):
        before = " " if index > last else "│" if line.lines else "└" if index == last else "├"
        named = isinstance(line, GroupRow) or line.path.parent != folder
        yield replace(line, lines=before + line.lines, name=line.name if named else "")


def study_above(lines: Sequence[RunRow], path: Path) -> StudyRow | None:
    """Return the line of the study that a line of the table is, or stands below."""
    at = next((index for index, line in enumerate(lines) if line.path == path), None)
    while at is not None and at >= 0:
        line = lines[at]
        if isinstance(line, StudyRow):
            return line
        if not line.lines:
            return None
        at -= 1
    return None
