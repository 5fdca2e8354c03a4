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


class StudyKept:
    """Hold a study as it was read, and know why runs of it could not begin."""

    def __init__(self, study: StudyFound, marks: tuple[Mark, ...]) -> None:
        self.marks = marks  # of the files that it was read from
        self._study = study
        self._paths = {study.folder / run: run for run in study.runs}
        self._errors = LastErrors(study.folder, study.engine)
        self._asked, self._known = -math.inf, dict[str, str]()

    def found(self, begun: Collection[Path]) -> StudyFound:
        """Return the study, with the reasons that there were some seconds ago; ``begun`` are the run directories."""
        missing = [run for path, run in self._paths.items() if path not in begun]
        if missing and monotonic() > self._asked + ASK_S:
            self._asked = monotonic()
            with suppress(OSError, ValueError):  # what an engine writes just now, it has written at the next look
                self._known = self._errors.of(missing)
        reasons = {run: self._known[run] for run in missing if run in self._known}
        return replace(self._study, unbegun=reasons) if reasons else self._study


class StudyIndex:
    """List the studies under a root."""

    def __init__(self) -> None:
        self._known: dict[Path, StudyKept] = {}

    def look(self, folders: Iterable[Path], begun: Iterable[Path]) -> tuple[StudyFound, ...]:
        """Return the study of each folder that holds one; the first folder is the runs root.

        ``begun`` are the run directories that are there.
        """
        every, there, found = list(folders), set(begun), dict[Path, StudyKept]()
        for folder in every:
            if (mark := _mark(folder / KEPT)) is None:
                continue
            state = state_of(folder)
            marks = (mark, _mark(state / ENGINE), _mark(state / "samples"))
            known = self._known.get(folder)
            if known is None or known.marks != marks:
                known = StudyKept(_study(folder, every[0]), marks)
            found[folder] = known
        self._known = found
        return tuple(kept.found(there) for kept in found.values())


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
