"""Go on with runs of a study by the engine that had it: the queue here, or a driver that outlives the app."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mbpo.errors import ConfigError, StorageError
from mbpo.runs.reader import last_words, read_text_tail
from mbpo.settings.language import tr, tr_n
from mbpo.studies.engine import Place
from mbpo.studies.folder import KEPT, read_kept
from mbpo.studies.standing import AT_WORK, DONE, check_same, standings
from workbench.format import fitted
from workbench.queueing import Queueing
from workbench.spawn import spawn
from workbench.studies_found import StudyFound

DRIVER = (sys.executable, "-m", "mbpo.study")
LOCAL, RAY = "local", "ray"
LONGEST_NAME = 40  # characters


@dataclass
class Driving:
    """Hold a driver that this app started."""

    study: StudyFound
    output: Path  # what it prints
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def refusal(self) -> str:
        """Return why it did nothing, once it has ended; nothing where it says what became of the runs."""
        words = last_words(self.output)
        told = any(line.split(" ")[0] in self.study.runs for line in read_text_tail(self.output))
        return words.removeprefix("error: ") if words.startswith("error: ") or not told else ""


class StudyStarter:
    """Have runs of studies gone on with, and keep the process handles of drivers."""

    def __init__(self, queueing: Queueing, command: Sequence[str] = DRIVER) -> None:
        self._queueing = queueing
        self._command = tuple(command)
        self.driving: list[Driving] = []

    def go_on(self, study: StudyFound, only: Sequence[str] = ()) -> str:
        """Have what is left of a study done, or of its runs ``only`` these; return what is to be said of it.

        A search goes on as a whole.

        Raises:
            ConfigError: the study is not one that can be gone on with where it lies.
            StorageError: it cannot be queued, or there is no Python to start.
        """
        if study.fault or study.name != study.folder.name:
            raise ConfigError(
                study.fault
                or tr("{folder} is not called {name}, as its study is: rename it", folder=study.folder, name=study.name)
            )
        if study.is_search:
            only = ()
        name = fitted(only[0] if len(only) == 1 else study.title, LONGEST_NAME)
        if study.engine in ("", LOCAL):
            return self._queue(study, only, name)
        self._drive(study, only)
        return tr(
            "Going on with {name} on {engine}. It runs on when this app ends.",
            name=name,
            engine=fitted(study.engine, LONGEST_NAME),
        )

    def _queue(self, study: StudyFound, only: Sequence[str], name: str) -> str:
        place = Place(study.folder.parent, read_kept(study.folder))
        found = [one for one in standings(place.study, place.folder) if not only or one.run.run_id in only]
        check_same(found)
        left = [one.run for one in found if one.state not in (*DONE, AT_WORK)]
        if not left:
            return tr("Nothing is left to do of {name}.", name=name)
        self._queueing.go_on_in_study(place, left)
        if only:
            return tr("{name} waits in the queue, and goes on when this app ends, too. Q shows it.", name=name)
        return tr_n(
            "{n} run of {name} is in the queue. Q shows it.",
            "{n} runs of {name} are in the queue. Q shows them.",
            len(left),
            name=name,
        )

    def _drive(self, study: StudyFound, only: Sequence[str]) -> None:
        where = [str(study.folder / KEPT), "--runs-root", str(study.folder.parent), "--on", study.engine]
        argv = [*self._command, *where, *(text for run in only for text in ("--only", run))]
        argv += ["--detach"] if study.engine != RAY else []  # there the driver keeps the learners
        folder = self._queueing.root / ".launch"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, output = tempfile.mkstemp(prefix=f"study-{study.name}-", suffix=".log", dir=folder)
            os.close(handle)
            self.driving.append(Driving(study, Path(output), spawn(argv, Path(output))))
        except OSError as error:
            raise StorageError(tr("cannot start {name}: {why}", name=study.name, why=error.strerror or error)) from None

    def reap(self) -> Iterator[str]:
        """Yield the line of each driver that ended since the last call and did nothing."""
        for driving in [each for each in self.driving if each.process.poll() is not None]:
            self.driving.remove(driving)
            refusal = driving.refusal if driving.process.returncode else ""
            with contextlib.suppress(OSError):
                driving.output.unlink()
            if refusal:
                yield tr(
                    "Not gone on with {name}: {words}", name=fitted(driving.study.title, LONGEST_NAME), words=refusal
                )
