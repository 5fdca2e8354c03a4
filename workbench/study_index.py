"""Find the studies among the folders that runs were looked for in; a file that did not change is not read again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mbpo.errors import ConfigError
from mbpo.studies.folder import ENGINE, KEPT, engine_of, read_kept, state_of
from workbench.studies_found import StudyFound

Mark = tuple[int, int] | None  # time and inode of a file, None where there is none


class StudyIndex:
    """List the studies under a root."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[Mark, ...], StudyFound]] = {}

    def look(self, folders: Iterable[Path]) -> tuple[StudyFound, ...]:
        """Return the study of each folder that holds one; the first folder is the runs root."""
        every = list(folders)
        found: dict[Path, tuple[tuple[Mark, ...], StudyFound]] = {}
        for folder in every:
            if (mark := _mark(folder / KEPT)) is None:
                continue
            state = state_of(folder)
            marks = (mark, _mark(state / ENGINE), _mark(state / "samples"))
            known = self._known.get(folder)
            found[folder] = known if known is not None and known[0] == marks else (marks, _study(folder, every[0]))
        self._known = found
        return tuple(study for _, study in found.values())


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
