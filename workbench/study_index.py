"""Find the studies among the folders that runs were looked for in; a file that did not change is not read again.

Why runs could not begin is asked seldom: it stands in files that no run directory has.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic

from mbpo.errors import ConfigError
from mbpo.studies.folder import ENGINE, KEPT, engine_of, read_kept, state_of
from mbpo.studies.unbegun import LastErrors
from workbench.studies_found import StudyFound

Mark = tuple[int, int] | None  # time and inode of a file, None where there is none


ASK_S = 3.0  # between two questions why runs of a study could not begin


class Unbegun:
    """Know why runs of one study could not begin."""

    def __init__(self, study: StudyFound) -> None:
        self._study = study
        self._errors = LastErrors(study.folder, study.engine)
        self._asked, self._known = -math.inf, dict[str, str]()

    def of(self, missing: Collection[str]) -> dict[str, str]:
        """Return the reasons of those that there are, as some seconds ago."""
        if missing and monotonic() > self._asked + ASK_S:
            self._asked = monotonic()
            with suppress(OSError, ValueError):  # what an engine writes just now, it has written at the next look
                self._known = self._errors.of(missing)
        return {run: self._known[run] for run in missing if run in self._known}

    def is_of(self, study: StudyFound) -> bool:
        """Return whether it is of this study, as it is now."""
        return self._study is study


class StudyIndex:
    """List the studies under a root."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[Mark, ...], StudyFound]] = {}
        self._unbegun: dict[Path, Unbegun] = {}

    def look(self, folders: Iterable[Path], begun: Iterable[Path]) -> tuple[StudyFound, ...]:
        """Return the study of each folder that holds one; the first folder is the runs root.

        ``begun`` are the run directories that are there.
        """
        every, there = list(folders), set(begun)
        found: dict[Path, tuple[tuple[Mark, ...], StudyFound]] = {}
        for folder in every:
            if (mark := _mark(folder / KEPT)) is None:
                continue
            state = state_of(folder)
            marks = (mark, _mark(state / ENGINE), _mark(state / "samples"))
            known = self._known.get(folder)
            found[folder] = known if known is not None and known[0] == marks else (marks, _study(folder, every[0]))
        self._known = found
        self._unbegun = {folder: known for folder, known in self._unbegun.items() if folder in found}
        return tuple(self._with_reasons(study, there) for _, study in found.values())

    def _with_reasons(self, study: StudyFound, there: Collection[Path]) -> StudyFound:
        missing = [run for run in study.runs if study.folder / run not in there]
        known = self._unbegun.get(study.folder)
        if known is None or not known.is_of(study):
            known = self._unbegun[study.folder] = Unbegun(study)
        reasons = known.of(missing)
        return replace(study, unbegun=reasons) if reasons else study


def _study(folder: Path, root: Path) -> StudyFound:
    title = folder.name if folder == root else folder.relative_to(root).as_posix()
    try:
        study = read_kept(folder)
    except ConfigError as error:
        return StudyFound(folder, title, fault=str(error))
    runs, search = tuple(run.run_id for run in study.runs), study.search
    return StudyFound(
        folder=folder,
        title=title,
        name=study.name,
        words=study.words,
        runs=runs,
        is_search=search is not None,
        given_up=frozenset(run.run_id for run in study.runs if run.given_up),
        undrawn=max(search.samples * len(study.seeds) - len(runs), 0) if search is not None else 0,
        engine=engine_of(folder),
    )


def _mark(path: Path) -> Mark:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ino
