"""Plan the forks of a what-if: where each lies, what begins it and what goes on with it."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec import to_builtins

from mbpo.errors import RunInUseError, StorageError, refused
from mbpo.runs.checkpoint_names import checkpoint_steps
from mbpo.runs.history import changes_before
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.records.what_if import Unanswered
from mbpo.runs.status import read_status, this_process
from mbpo.runs.what_ifs import ASKED, what_if_folder
from mbpo.seeds.learner_run import LearnerRun, clear_unbegun
from mbpo.seeds.question import Question
from mbpo.settings.arms import Arm
from mbpo.settings.flags import flags_of

CHECKPOINT_EVERY = 1000  # env steps
LONGEST_NAME = 40  # of an arm, in the name of a run


@dataclass(frozen=True)
class Fork:
    """Hold one arm of one repeat."""

    arm: Arm
    repeat: int
    seed: int | None
    run: LearnerRun


class Forks:
    """Name the forks of one run at one env step.

    A fork's name holds a hash of all that it depends on, so that another what-if at the same env step finds those that
    it has in common with this one.
    """

    def __init__(self, question: Question) -> None:
        self._asked = question
        run = question.run
        self.folder = what_if_folder(run, question.step)
        self.outputs = self.folder / ".launch"  # what the learners print
        changes = changes_before(run, question.step)
        self._history = [question.manifest.config_sha256, changes, question.threads]
        self._trunk = RunPaths(self.folder / ".trunk" / f"trunk-{self._digest()}")

    @functools.cached_property
    def all(self) -> list[Fork]:
        """Return every fork, a repeat of all arms after the other."""
        asked = self._asked
        return [self._fork(arm, repeat) for repeat in range(asked.repeats) for arm in asked.arms]

    @functools.cached_property
    def trunk(self) -> LearnerRun | None:
        """Return what has to run first, so that there is a checkpoint for all where they part; None if there is one.

        A run that still learns may drop its own any time, and between two checkpoints each fork would have to repeat
        the same steps.
        """
        asked, status = self._asked, read_status(self._asked.run)
        steady = asked.step in checkpoint_steps(asked.run.checkpoints) and not (status and status.live)
        if asked.step == 0 or steady or self._has_trunk():
            return None
        own = [f"--total-steps={asked.step + 1}"]  # no fork is shorter
        return self._learner(f"up to {asked.step:,}", self._trunk, asked.run, own)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Have the folder alone while inside.

        Raises:
            RunInUseError: another what-if is at work there.
            StorageError: it cannot be written.
        """
        try:
            for folder in (self.folder.parent, self.folder, self.outputs):
                folder.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"cannot write in {self.folder}: {error.strerror}; make it writable") from None
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                _lock(lock, self.folder)
            self._clear()
            yield
        finally:
            os.close(lock)

    def announce(self) -> None:
        """Write what is asked, and who is at work on it, for those who watch.

        Raises:
            StorageError: it cannot be written.
        """
        asked = self._asked
        places = [self._place(arm, repeat) for repeat in range(asked.repeats) for arm in asked.arms]
        record = Unanswered(
            **asked.facts,
            sets=list(asked.sets),
            threads_given=asked.threads,
            forks=[paths.run_id for paths in places],
            process=this_process(),
        )
        try:
            write_json(self.folder / ASKED, to_builtins(record))
        except OSError as error:
            raise refused(f"cannot write in {self.folder}", error) from None

    def withdraw(self) -> None:
        """Take back what was announced: there is an answer, or there will be none."""
        with contextlib.suppress(OSError):
            (self.folder / ASKED).unlink()

    def _has_trunk(self) -> bool:
        return self._asked.step in checkpoint_steps(self._trunk.checkpoints)

    def _fork(self, arm: Arm, repeat: int) -> Fork:
        whence = self._asked.run if not self._has_trunk() else self._trunk
        learner = self._learner(f"{arm.name} #{repeat}", self._place(arm, repeat), whence, self._own(arm, repeat))
        return Fork(arm, repeat, self._asked.seed(repeat), learner)

    def _place(self, arm: Arm, repeat: int) -> RunPaths:
        return RunPaths(self.folder / f"{_slug(arm.name)}-r{repeat}-{self._digest(*self._own(arm, repeat))}")

    def _own(self, arm: Arm, repeat: int) -> list[str]:
        """Return the flags that make a fork another than its parent."""
        asked, seed = self._asked, self._asked.seed(repeat)
        shared = [f"--total-steps={asked.end}", f"--eval-every={asked.eval_every}"]
        own = [*flags_of(arm.changes), *shared, f"--checkpoint-every={CHECKPOINT_EVERY}"]
        return own if seed is None else [*own, f"--seed={seed}"]

    def _learner(self, label: str, paths: RunPaths, whence: RunPaths, own: list[str]) -> LearnerRun:
        asked, train = self._asked, (sys.executable, "-m", "mbpo.train")
        modules = tuple(f"--module-path={folder}" for folder in asked.module_path)
        threads = () if asked.threads is None else (f"--threads={asked.threads}",)
        begin = (f"--fork={whence.root}@{asked.step}", *own, *threads)
        place = (f"--runs-root={paths.root.parent}", f"--run-id={paths.run_id}")
        return LearnerRun(
            label,
            paths,
            command=(*train, *begin, *place, *modules),
            output=self.outputs / f"{paths.run_id}.txt",
            resume=(*train, f"--resume={paths.root}", *modules),
        )

    def _digest(self, *own: str) -> str:
        """Return what tells a fork from all others: its history, and the flags that make it another."""
        return hashlib.sha256(json.dumps([self._history, own], default=str).encode()).hexdigest()[:8]

    def _clear(self) -> None:
        """Remove runs that a kill ended before they began: there is nothing in them to go on with."""
        for root in [*self.folder.glob("*-r*-*"), self._trunk.root]:
            clear_unbegun(RunPaths(root))


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunInUseError(f"another what-if is at work in {folder}; wait for its end, or stop it") from None


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:LONGEST_NAME].strip("-.")
