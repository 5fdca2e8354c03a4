"""Keep stdout for our own words; whatever else prints there, C code and child processes included, goes to stderr.

Scripts read a run's directory, progress lines and JSON from stdout, so no word of an environment may come between.
Every command enters :func:`our_stdout` once, and :func:`say` stands where ``print`` would.
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO, TextIO, cast

from mbpo.errors import refused
from mbpo.settings.echo import EchoedFile
from mbpo.settings.plot_backend import leave_notebook
from mbpo.settings.terminal import BottomLine, write_above

PIPE_CLOSED = 128 + 13  # as a shell names the end by SIGPIPE


class OurStdout(io.TextIOBase):
    """Write to where stdout led when the command began, at once and in any encoding.

    A character that the encoding lacks becomes ``?``, a byte of a file's name that is no text stays that byte.
    """

    def __init__(self, stream: TextIO, descriptor: int | None = None, of_learner: bool = False) -> None:
        """Write to ``descriptor``, a duplicate of the stream's own, or else to ``stream``."""
        self.log: Callable[[bytes], object] | None = None  # takes a copy of all that is written
        self.has_descriptor = descriptor is not None
        self._stream = stream
        self._descriptor = descriptor
        self._of_learner = of_learner

    @property
    def encoding(self) -> str:  # type: ignore[override]  # there it is an attribute
        """Return the encoding of stdout."""
        return self._stream.encoding or "utf-8"

    @property
    def file(self) -> IO[str]:
        """Return this as what rich asks for."""
        return cast(IO[str], self)

    def isatty(self) -> bool:
        """Return whether a person may be looking."""
        return self._stream.isatty() if self._descriptor is None else os.isatty(self._descriptor)

    def bottom_line(self) -> BottomLine | None:
        """Return what keeps a line at the bottom of the terminal that this writes to; None where it is no terminal."""
        return BottomLine(self._descriptor) if self._descriptor is not None and self.isatty() else None

    def write(self, text: str) -> int:
        """Write ``text``. A reader that is gone ends the command without a word, but for a learner, which goes on.

        Raises:
            StorageError: the disk refuses.
            SystemExit: the pipe is closed.
        """
        if self.log is not None:
            with contextlib.suppress(OSError):
                self.log(text.encode("utf-8", "backslashreplace"))
        try:
            self._put(text)
        except (OSError, ValueError) as error:  # ValueError: a stream that somebody closed
            if self._of_learner:
                return len(text)
            if isinstance(error, BrokenPipeError):
                raise SystemExit(PIPE_CLOSED) from None
            if isinstance(error, OSError):
                raise refused("cannot write to stdout", error) from None
            raise
        return len(text)

    def _put(self, text: str) -> None:
        if self._descriptor is not None:
            write_above(self._descriptor, text.encode(self.encoding, "mbpo.stdout"))
        else:
            self._stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
            self._stream.flush()


_ours: OurStdout | None = None
_early: EchoedFile | None = None


def say(text: object) -> None:
    """Write a line to stdout."""
    stdout().write(f"{text}\n")


def stdout() -> OurStdout:
    """Return where our words go; outside of a command that is ``sys.stdout``."""
    return OurStdout(sys.stdout) if _ours is None else _ours


@contextlib.contextmanager
def our_stdout(*, of_learner: bool = False, is_program: bool = False) -> Iterator[None]:
    """Keep stdout for :func:`say` while inside; a command that another one calls changes nothing.

    ``is_program``: the process is the command's own. What libraries print when it ends goes to stderr too.
    """
    global _ours
    if _ours is not None:
        yield
        return
    fill_standard_streams()
    if is_program:
        leave_notebook()
    take = _descriptor_taken(of_learner, is_program) if _is_stdout(sys.stdout) else _stream_taken(of_learner)
    try:
        with take as _ours:
            yield
    finally:
        _ours = None


def fill_standard_streams() -> None:
    """Open the null device where stdin, stdout or stderr is closed, as after ``>&-``.

    Otherwise the run's files would take those numbers, and whatever a library prints would land
    in them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def flush_strangers() -> None:
    """Write out what Python and libc still hold of what others printed to stdout and stderr."""
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()  # type: ignore[union-attr]
    for name in ("stdout", "__stdoutp"):  # Linux's, macOS's
        with contextlib.suppress(OSError, ValueError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.fflush(ctypes.c_void_p.in_dll(libc, name))


def take_early() -> bytes:
    """Return what strangers have printed to stdout since a learner's command began; from now on it is not kept."""
    global _early
    flush_strangers()
    if _early is None:
        return b""
    os.dup2(2, 1)
    early, _early = _early, None
    printed = early.contents()
    early.end()
    return printed


@contextlib.contextmanager
def _stream_taken(of_learner: bool) -> Iterator[OurStdout]:
    before = sys.stdout
    sys.stdout = sys.stderr
    try:
        yield OurStdout(before, of_learner=of_learner)
    finally:
        sys.stdout = before


@contextlib.contextmanager
def _descriptor_taken(of_learner: bool, is_program: bool) -> Iterator[OurStdout]:
    global _early
    stream, ours = sys.stdout, os.dup(1)
    assert isinstance(stream, io.TextIOWrapper)
    errors, line_buffering = stream.errors, stream.line_buffering
    stream.flush()
    stream.reconfigure(errors="backslashreplace", line_buffering=True)
    os.dup2(2, 1)
    if of_learner and hasattr(os, "memfd_create"):  # its log, which does not exist yet, is to begin with this
        memory = os.memfd_create("stdout")
        os.dup2(memory, 1)
        _early = EchoedFile(memory, os.dup(2))
    try:
        yield OurStdout(stream, ours, of_learner)
    finally:
        take_early()
        if not is_program:
            os.dup2(ours, 1)
            os.close(ours)
            stream.reconfigure(errors=errors, line_buffering=line_buffering)


def _is_stdout(stream: TextIO) -> bool:
    """Return whether ``stream`` is the process's own stdout, and no test's or notebook's."""
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == 1
    except (OSError, ValueError):
        return False


def _in_its_place(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    wrong = error.object[error.start : error.end]
    raw = (bytes([ord(c) - 0xDC00]) if "\udc80" <= c <= "\udcff" else b"?" for c in wrong)
    return b"".join(raw), error.end


codecs.register_error("mbpo.stdout", _in_its_place)
