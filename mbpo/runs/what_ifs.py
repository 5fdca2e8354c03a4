"""Follow what was asked of a run by what-ifs: how far one at work has come, and what the newest found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbpo.errors import NewerRecordError, RecordError
from mbpo.runs.layout import RUN_ID, RunPaths
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.what_if import Answered, Unanswered, read_answered, read_unanswered
from mbpo.runs.status import RunStatus, read_status

FOLDER = ".what-if"  # beside the run: what looks for runs passes over hidden folders
ASKED, ANSWERED = "asked.json", "what_if.json"
FOR_GOOD = frozenset({"finished", "diverged"})  # states of a fork that is not run again
MOST_FORKS = 10_000  # that are looked at

Mark = tuple[int, int, int]  # time, inode and size of a file; all 0 where there is none
NO_MARK: Mark = (0, 0, 0)
NOWHERE: tuple[int, Path | None] = (0, None)


@dataclass(frozen=True)
class Asking:
    """Hold a what-if without an answer as yet."""

    folder: Path
    asked: Unanswered
    at_work: bool  # else it was cut off
    finished: int = 0  # forks that came to an end
    learning: int = 0
    share: float = 0.0  # of the env steps of all forks, in whole percent


@dataclass(frozen=True)
class WhatIfs:
    """Hold what is known of a run's what-ifs."""

    asking: Asking | None = None
    answer: Answered | None = None  # the newest
    folder: Path | None = None  # where the answer, or what should be one, lies
    fault: str = ""  # why the newest cannot be read
    older: tuple[Path, ...] = ()  # folders of other answers, the newest first


def what_if_folder(run: RunPaths, step: int) -> Path:
    """Return where the forks of a run at env step ``step`` and their answer lie."""
    return run.root.parent / FOLDER / f"{run.run_id}@{step}"


class WhatIfReader:
    """Read the what-ifs of one run again and again; a file that did not change is not parsed twice."""

    def __init__(self, run: Path) -> None:
        self._run = RunPaths(run)
        self._known: dict[Path, tuple[Mark, Any]] = {}
        self._before: dict[Path, tuple[Mark, Any]] = {}

    def poll(self) -> WhatIfs:
        """Return what the files say now."""
        self._before, self._known = self._known, {}
        asked, answered = self._folders_with(ASKED), self._folders_with(ANSWERED)
        (asked_at, asked_in), (answered_at, folder) = max(asked, default=NOWHERE), max(answered, default=NOWHERE)
        asking = self._asking(asked_in) if asked_in else None
        if isinstance(asking, Asking) and not asking.at_work and asked_at < answered_at:
            asking = None  # cut off, and something else was asked since
        answer = self._read(folder / ANSWERED, read_answered) if folder else None
        faults = [found for found in (answer, asking) if isinstance(found, str)]
        return WhatIfs(
            asking if isinstance(asking, Asking) else None,
            answer if isinstance(answer, Answered) else None,
            folder,
            " ".join(faults),
            tuple(other for _, other in sorted(answered, reverse=True) if other != folder),
        )

    def _folders_with(self, name: str) -> list[tuple[int, Path]]:
        """Return the folders of this run that have a file ``name``, each with the file's time."""
        begins = f"{self._run.run_id}@"
        try:
            folders = [*(self._run.root.parent / FOLDER).iterdir()]
        except OSError:
            return []
        own = [path for path in folders if path.name.startswith(begins) and path.name[len(begins) :].isdecimal()]
        return [(mark[0], folder) for folder in own if (mark := _mark(folder / name)) != NO_MARK]

    def _asking(self, folder: Path) -> Asking | str:
        asked = self._read(folder / ASKED, read_unanswered)
        if isinstance(asked, str):
            return asked
        places = [folder / name for name in asked.forks[:MOST_FORKS] if RUN_ID.match(name)]
        found = [self._read(RunPaths(place).status, _status) for place in places]
        forks = [status for status in found if status is not None]
        finished = sum(status.state in FOR_GOOD for status in forks)
        learning = sum(status.live for status in forks)
        steps = sum(_share(status, asked) for status in forks)
        return Asking(
            folder,
            asked,
            at_work=learning > 0 or fitted(RunStatus, asked.process).live,
            finished=finished,
            learning=learning,
            share=int(100 * steps / max(len(asked.forks), 1)) / 100,
        )

    def _read(self, path: Path, parse: Callable[[Path], Any]) -> Any:
        """Return what ``parse`` makes of a file, or in words why it cannot."""
        mark, known = _mark(path), self._before.get(path)
        if known is None or known[0] != mark:
            known = mark, _parsed(path, parse)
        self._known[path] = known
        return known[1]


def _parsed(path: Path, parse: Callable[[Path], Any]) -> Any:
    try:
        return parse(path)
    except NewerRecordError as error:
        return str(error)
    except RecordError:
        return f"{path.parent.name}/{path.name} cannot be read."


def _status(path: Path) -> RunStatus | None:
    return read_status(RunPaths(path.parent))


def _share(status: RunStatus, asked: Unanswered) -> float:
    """Return how much of a fork is done."""
    if status.state in FOR_GOOD:
        return 1.0
    return min(max((status.env_steps - asked.step) / max(asked.steps, 1), 0.0), 1.0)


def _mark(path: Path) -> Mark:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return NO_MARK
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
