"""Ask what-ifs in processes that outlive the app, and notice those that begin and those that fail."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mbpo.errors import RecordError, StorageError
from mbpo.runs.layout import RunPaths, begun_now
from mbpo.runs.reader import last_words
from mbpo.runs.records.what_if import read_unanswered
from mbpo.runs.what_ifs import ASKED, what_if_folder
from mbpo.settings.language import tr
from workbench.spawn import spawn

WHAT_IF = (sys.executable, "-m", "mbpo.what_if")


@dataclass(frozen=True)
class Question:
    """Hold what is asked of a run."""

    run: Path
    step: int
    sets: tuple[str, ...]  # NAME=VALUE,VALUE
    steps: int
    repeats: int
    further: tuple[str, ...] = ()  # flags of a what-if that goes on, beside these

    @property
    def name(self) -> str:
        """Return RUN@STEP."""
        return f"{self.run.name}@{self.step}"

    def typed(self, run: Path) -> str:
        """Return the command as a person would type it, with ``run`` for the path."""
        return shlex.join(["python", "-m", "mbpo.what_if", *self.flags(run)])

    def flags(self, run: Path) -> list[str]:
        """Return the command line's arguments, with ``run`` for the path."""
        sets = [word for text in self.sets for word in ("--set", text)]
        length = ["--steps", str(self.steps), "--repeats", str(self.repeats)]
        return [f"{run}@{self.step}", *sets, *length, *self.further]


@dataclass
class AskingProcess:
    """Hold a what-if that this app started."""

    question: Question
    folder: Path
    output: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    began: bool = False
    exit_code: int | None = None

    def poll(self) -> None:
        """See whether it has begun: it said what it asks, or found that all of it is answered."""
        self.exit_code = self.process.poll()
        if self.began:
            return
        self.began = self.exit_code == 0
        if self.exit_code is None:
            with contextlib.suppress(RecordError):
                self.began = read_unanswered(self.folder / ASKED).process.get("pid") == self.process.pid

    @property
    def last_words(self) -> str:
        """Return the error it ended with, or else the last line that it printed."""
        return last_words(self.output).removeprefix("error: ") or tr("exit code {code}", code=self.exit_code)

    def give_up(self) -> None:
        """End it before it has begun, and leave nothing of it."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self.process.terminate()
            self.process.wait(timeout=2.0)
        self.forget()

    def forget(self) -> None:
        """Remove what it printed, and the folders that hold nothing else."""
        with contextlib.suppress(OSError):
            self.output.unlink()
            self.folder.rmdir()
            self.folder.parent.rmdir()


class Asker:
    """Start what-ifs and keep their process handles."""

    def __init__(self, command: Sequence[str] = WHAT_IF) -> None:
        self._command = tuple(command)
        self.begun: list[AskingProcess] = []  # and have not been seen to end

    def start(self, question: Question) -> AskingProcess:
        """Start the command; it runs on whatever happens to this app.

        Raises:
            StorageError: the folder beside the run cannot be written, or there is no Python to start.
        """
        folder = what_if_folder(RunPaths(question.run), question.step)
        output = folder / f"output-{begun_now()}-{time.monotonic_ns() % 1000:03}.txt"
        argv = [*self._command, *question.flags(question.run)]
        try:
            for path in (folder.parent, folder):
                path.mkdir(mode=0o700, exist_ok=True)
            return AskingProcess(question, folder, output, spawn(argv, output))
        except OSError as error:
            why = error.strerror or error
            raise StorageError(
                tr("cannot start a what-if in {folder}: {why}; make it writable", folder=folder, why=why)
            ) from None

    def keep(self, asking: AskingProcess) -> None:
        """Watch for the end of one that began."""
        self.begun.append(asking)

    def reap(self) -> list[AskingProcess]:
        """Return those that ended since the last call; none stays a zombie."""
        for asking in self.begun:
            asking.poll()
        ended = [asking for asking in self.begun if asking.exit_code is not None]
        self.begun = [asking for asking in self.begun if asking.exit_code is None]
        return ended
