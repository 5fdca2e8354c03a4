"""Keep a run's log: what we say, and all that an environment or a library prints beside it."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from mbpo.runs.files import open_to_append
from mbpo.settings.echo import EchoedFile
from mbpo.settings.stdout import flush_strangers, stdout, take_early
from mbpo.settings.terminal import write_above, write_whole

Sink = Callable[[bytes], object]


class RunLog:
    """Write ``log.txt`` while a learner is at work; a fatal signal's stack goes there too.

    C code and child processes have the file itself as their stdout and stderr: their last words outlive a kill, and a
    terminal that stands still holds nobody up. Python's streams write to the log and to stderr.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be opened, or is no plain file.
        """
        self._ours = open_to_append(path)
        self._strangers = open_to_append(path)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Write all that is printed into the log while inside."""
        streams, ours = (sys.stdout, sys.stderr), stdout()
        faulthandler.enable(self._ours)
        try:
            with self._descriptors_taken() if ours.has_descriptor else self._streams_taken() as ours.log:
                yield
        finally:
            ours.log = None
            sys.stdout, sys.stderr = streams
            faulthandler.disable()
            os.close(self._strangers)

    @contextlib.contextmanager
    def _streams_taken(self) -> Iterator[Sink]:
        log = partial(write_whole, self._ours)
        sys.stdout, sys.stderr = (_Tee(stream, log) for stream in (sys.stdout, sys.stderr))
        try:
            yield log
        finally:
            os.close(self._ours)

    @contextlib.contextmanager
    def _descriptors_taken(self) -> Iterator[Sink]:
        """Lead what goes to stdout and stderr into the log, and from there to stderr."""
        early, stderr = take_early(), os.dup(2)
        file = EchoedFile(self._ours, os.dup(2))
        with contextlib.suppress(OSError):
            file.write(early)
        os.dup2(self._strangers, 1)
        os.dup2(self._strangers, 2)
        terminal = partial(write_above, stderr)
        sys.stdout, sys.stderr = (_Tee(stream, file.write, terminal) for stream in (sys.stdout, sys.stderr))
        try:
            yield file.write
        finally:
            flush_strangers()
            os.dup2(stderr, 1)
            os.dup2(stderr, 2)
            os.close(stderr)
            file.end()


def note(text: str) -> None:
    """Write ``text`` into the log alone: what only someone who looks for a fault wants to see."""
    log = stdout().log
    if log is not None:
        with contextlib.suppress(OSError):
            log(text.encode("utf-8", "backslashreplace"))


class _Tee:
    """Stand for stdout or stderr of Python: write to the log and to stderr. Losing one of them is no error."""

    def __init__(self, stream: TextIO, log: Sink, stderr: Sink | None = None) -> None:
        """Write to ``log``, and to ``stderr`` where the stream's own descriptor leads to the log too."""
        self._stream = stream
        self._log = log
        self._stderr = stderr
        self._process = os.getpid()

    def write(self, text: str) -> int:
        if self._stderr is None:
            self._write_stream(text)
        elif os.getpid() != self._process:  # a fork of the learner: its words take the way of a child's
            self._write_stream(text)
            return len(text)
        else:
            with contextlib.suppress(OSError):
                self._stderr(text.encode(self._stream.encoding, "backslashreplace"))
        with contextlib.suppress(OSError):
            self._log(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def _write_stream(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
