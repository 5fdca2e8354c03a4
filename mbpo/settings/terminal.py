"""Write to descriptors, and keep one line at the bottom of a terminal, below all that is printed there."""

from __future__ import annotations

import contextlib
import os
import stat
import threading

from rich.cells import cell_len

UNKNOWN_WIDTH = 80
LOCK_S = 1.0  # for which a terminal that takes nothing is waited for at the end
_lines: list[BottomLine] = []  # the one that is kept, if any


class BottomLine:
    """Draw a line again in place, and keep it below what anyone prints meanwhile by :func:`write_above`.

    The cursor rests in the line under it: whatever ends this process leaves whole lines and nothing hidden. While
    the process is in the background of a shell, whose prompt stands there, nothing is drawn.
    """

    def __init__(self, descriptor: int) -> None:
        """Draw on the terminal that ``descriptor`` leads to, which stays the caller's to close."""
        self._descriptor = descriptor
        self._device = _terminal(descriptor)
        self._lock = threading.RLock()  # a signal's handler may print
        self._drawn = ""  # what stands there
        self._cells = 0  # its width
        self._open = ""  # the end of what is printed above it, if that is no whole line

    @property
    def width(self) -> int:
        """Return the cells of the terminal, now."""
        try:
            return os.get_terminal_size(self._descriptor).columns or UNKNOWN_WIDTH
        except OSError:
            return UNKNOWN_WIDTH

    def begin(self) -> None:
        """Keep this line from now on."""
        _lines[:] = [self]

    def show(self, drawn: str, cells: int) -> None:
        """Draw ``drawn``, escape codes included, of so many ``cells``, in place of what stands there.

        Raises:
            OSError: the terminal is gone.
        """
        with self._lock:
            if not self._in_front():
                self._drawn = self._open = ""
            elif drawn != self._drawn and self in _lines:
                write_whole(self._descriptor, f"{self._up(self._drawn)}{drawn}\r\n".encode())
                self._drawn, self._cells = drawn, cells

    def end(self) -> None:
        """Take the line away, for good; a terminal that stands still or is gone keeps it."""
        if self in _lines:
            _lines.remove(self)
        if self._lock.acquire(timeout=LOCK_S):
            with contextlib.suppress(OSError):
                if self._drawn and self._in_front():
                    write_whole(self._descriptor, self._up(self._drawn).encode())
            self._drawn = self._open = ""
            self._lock.release()

    def is_on(self, descriptor: int) -> bool:
        """Return whether ``descriptor`` leads to this line's terminal."""
        return self._device is not None and _terminal(descriptor) == self._device

    def write_above(self, printed: bytes) -> None:
        """Write what was ``printed`` where the line stands, and draw that again below.

        Raises:
            OSError: the terminal is gone.
        """
        with self._lock:
            if not self._drawn or not self._in_front():
                self._drawn = self._open = ""
                write_whole(self._descriptor, printed)
                return
            up, before = self._up(self._drawn, self._open), self._open.encode("utf-8", "surrogateescape")
            self._open = self._unfinished(before + printed)
            newline = b"" if printed.endswith(b"\n") else b"\r\n"
            line = f"{self._drawn}\r\n".encode()
            write_whole(self._descriptor, up.encode() + before + printed + newline + line)

    def _up(self, drawn: str, above: str = "") -> str:
        """Return what leads back to where the line begins, or the unfinished one ``above`` it, and clears from there.

        A terminal that became narrower has broken the line into several.
        """
        width = self.width
        rows = -(-self._cells // width) if drawn else 0
        rows += max(-(-cell_len(above.strip("\r")) // width), 1) if above else 0
        return f"\r\x1b[{rows}A\x1b[J" if rows else ""

    def _unfinished(self, printed: bytes) -> str:
        """Return the end of ``printed`` that is no whole line, as far as it can be written again."""
        end = printed.decode("utf-8", "surrogateescape").rpartition("\n")[2]
        kept = end.rstrip("\r").rpartition("\r")[2] + "\r" * end.endswith("\r")  # as of a bar that is drawn over
        return kept if kept.rstrip("\r").isprintable() and cell_len(kept) < self.width else ""

    def _in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:  # not the terminal that controls this process
            return True


def write_above(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, above the bottom line where ``descriptor`` leads to its terminal.

    Raises:
        OSError: nobody takes it.
    """
    line = next(iter(_lines), None)
    if data and line is not None and line.is_on(descriptor):
        line.write_above(data)
    else:
        write_whole(descriptor, data)


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, without a buffer that something would be left in.

    Raises:
        OSError: nobody takes it.
    """
    while data:
        data = data[os.write(descriptor, data) :]


def _terminal(descriptor: int) -> int | None:
    """Return the number of the terminal that ``descriptor`` leads to, or None."""
    try:
        facts = os.fstat(descriptor)
        return facts.st_rdev if stat.S_ISCHR(facts.st_mode) and os.isatty(descriptor) else None
    except OSError:
        return None
