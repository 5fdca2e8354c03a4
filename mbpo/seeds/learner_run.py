"""Start, follow and end one learner."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mbpo.errors import one_line
from mbpo.lifecycle.signals import STOP_SIGNALS
from mbpo.runs.layout import RunPaths
from mbpo.runs.locks import is_held, take
from mbpo.runs.reader import JsonLines, last_words, plain_number
from mbpo.runs.status import ENDED, RunStatus, read_status

STOP_CODES = frozenset(128 + number for number in STOP_SIGNALS)
BEFORE_MANIFEST = frozenset(
    {"config.toml", "control", "events.jsonl", "log.txt", "metrics.jsonl", "progress.csv", "status.json"}
)
FOR_GOOD = frozenset({"finished", "diverged"})  # states that the same learner would come to again


@dataclass
class LearnerRun:
    """Hold one learner of several: a process of its own, which outlives this one."""

    label: str  # what tells it from the others
    paths: RunPaths
    command: Sequence[str]
    output: Path  # what it prints
    resume: Sequence[str] = ()  # goes on with its run where that is there already; none: it never is
    status: RunStatus | None = None
    evaluations: list[float] = field(default_factory=list)  # eval/return_mean, finite ones
    exit_code: int | None = None  # as a shell sees it: 128 and the signal's number if killed
    wall_s: float = 0.0
    trouble: str = ""  # why it failed, where nothing else says so
    folder: Path | None = None  # that it works in; None: this process's
    lock: Path | None = None  # a file that the kernel keeps locked as long as the learner lives

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._events = JsonLines(self.paths.events)
        self._started = 0.0
        self._earlier: RunStatus | None = None  # what an earlier attempt left, which says nothing of this one

    @property
    def alive(self) -> bool:
        """Return whether it was started and has not been seen to end."""
        return self._process is not None and self.exit_code is None

    @property
    def state(self) -> str:
        """Return the state of its run, or what stands for one before there is a run."""
        if self.status is not None:
            ended = self.exit_code is not None and self.status.state not in ENDED
            return "lost" if ended else self.status.state
        if self.exit_code is None:
            return "starting" if self.alive else "waiting"
        if self.exit_code == 0:
            return "finished"
        return "stopped" if self.exit_code in STOP_CODES else "failed"

    @property
    def finished(self) -> bool:
        """Return whether it ran to its end."""
        return self.state == "finished"

    @property
    def reason(self) -> str:
        """Return why it ended with an exit code other than 0, in one line without ``error: ``."""
        killed = (self.exit_code or 0) - 128
        if self.trouble:
            found = self.trouble
        elif self.status is not None and self.status.reason:
            found = self.status.reason
        elif killed > 0 and killed in set(signal.Signals):
            found = f"ended by {signal.Signals(killed).name}"
        else:
            found = last_words(self.output).removeprefix("error: ") or "it printed nothing"
        return one_line(found).removeprefix("error: ")

    def is_taken(self) -> bool:
        """Return whether a learner that was started before is still at work in its run."""
        if not self.resume:
            return False
        self.status = read_status(self.paths)
        return (self.status is not None and self.status.live) or (self.lock is not None and is_held(self.lock))

    def start(self) -> None:
        """Start the learner in a session of its own, which the terminal's Ctrl-C does not reach.

        A run that is there already goes on, and one that has ended for good is left as it is.
        """
        earlier = read_status(self.paths) if self.resume else None
        if earlier is not None and earlier.state in FOR_GOOD:
            self._take_in()
            self.exit_code = earlier.exit_code or 0
            return
        self._started, self._earlier, self.status = time.monotonic(), earlier, None
        try:
            with self.output.open("wb") as output, self._held() as lock:
                self._process = subprocess.Popen(
                    self.command if earlier is None else self.resume,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self.folder,
                    pass_fds=lock,
                    start_new_session=True,
                )
        except OSError as error:
            gone = self.folder is not None and not self.folder.is_dir()
            why = f"{self.folder} is gone, where it was ordered" if gone else error.strerror or error
            self.exit_code, self.trouble = 1, f"cannot start a learner: {why}"

    @contextlib.contextmanager
    def _held(self) -> Iterator[tuple[int, ...]]:
        """Hold the learner's lock while it is started, for it to inherit: only its own descriptor is left then."""
        if self.lock is None:
            yield ()
            return
        descriptor = take(self.lock)
        if descriptor is None:
            raise OSError(None, "another one is at work in this run")
        try:
            yield (descriptor,)
        finally:
            os.close(descriptor)

    def refresh(self) -> None:
        """Take in what it wrote since the last call, and its end."""
        if self._process is None or self.exit_code is not None:
            return
        code = self._process.poll()  # first: what it wrote before its end is then all there
        self._take_in()
        self.wall_s = time.monotonic() - self._started
        if code is not None:
            self.exit_code = code if code >= 0 else 128 - code

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def forget_output(self) -> None:
        """Remove what it printed where the run's log or the reason holds as much."""
        self.trouble = self.reason if self.exit_code else ""
        explained = self.exit_code in STOP_CODES or last_words(self.output).startswith("error: ")
        if explained or self.paths.log.exists():
            with contextlib.suppress(OSError):
                self.output.unlink()

    def _take_in(self) -> None:
        status = read_status(self.paths)
        if status is not None and not (self._earlier and self._earlier.started == status.started):
            self.status = status
        while rows := self._events.poll():
            values = (row.get("eval/return_mean") for row in rows)
            self.evaluations += [float(value) for value in values if plain_number(value)]  # type: ignore[arg-type]


def clear_unbegun(paths: RunPaths) -> None:
    """Remove a run that a kill ended before it began: there is nothing in it to go on with."""
    status = read_status(paths)
    if not paths.root.is_dir() or paths.manifest.exists() or (status is not None and status.live):
        return
    if all(_of_a_beginning(path.name) for path in paths.root.iterdir()):
        shutil.rmtree(paths.root, ignore_errors=True)


def _of_a_beginning(name: str) -> bool:
    """Return whether a learner writes a file of that name before its manifest."""
    return name.startswith((".", "MBPO_")) or name in BEFORE_MANIFEST
