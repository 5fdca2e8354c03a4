"""Stand for a terminal: a pseudo-terminal, and what its screen shows of what was written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Callable

TOKEN = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])|([\r\n])|(.)", re.DOTALL)


class TerminalScreen:
    """Show lines that are written, go up by ``CSI n A``, and clear from the cursor on by ``CSI J``."""

    def __init__(self, width: int) -> None:
        self.program, self.file = pty.openpty()  # the terminal's own end, and the one to write into
        self.width = width
        self.raw = ""  # all that was written
        self._lines: list[list[str]] = [[]]
        self._row = self._column = 0
        self._bytes = b""
        self.resize(width)

    def resize(self, width: int) -> None:
        """Become as wide as that; lines that were longer are broken, as most terminals do."""
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        broken: list[list[str]] = []
        for row, line in enumerate(self._lines):
            if row == self._row:
                self._row = len(broken)
            broken += [line[at : at + width] for at in range(0, max(len(line), 1), width)]
        self._lines, self.width = broken, width

    def close(self) -> None:
        """Be gone, as a terminal whose window is closed."""
        for descriptor in (self.program, self.file):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def hang_up(self) -> None:
        """Close the terminal's own end alone."""
        os.close(self.program)

    def text(self, within_s: float = 0.0) -> str:
        """Return what is on screen once all is read that was written so far, or comes ``within_s``."""
        while select.select([self.program], [], [], within_s)[0]:
            self._bytes += os.read(self.program, 1 << 16)
            within_s = 0.0
        whole = self._bytes.decode("utf-8", "ignore")
        self._bytes = b""
        self._take(whole)
        return "\n".join("".join(line).rstrip() for line in self._lines).rstrip("\n")

    def until(self, seen: Callable[[str], object], limit_s: float = 60.0) -> str:
        """Return what is on screen as soon as ``seen`` is true of it."""
        deadline = time.monotonic() + limit_s
        while not seen(text := self.text(0.05)):
            assert time.monotonic() < deadline, text
        return text

    def _take(self, written: str) -> None:
        self.raw += written
        for argument, code, control, character in TOKEN.findall(written):
            if code == "A":
                self._row = max(self._row - int(argument or 1), 0)
            elif code == "J":
                del self._lines[self._row + 1 :]
                del self._lines[self._row][self._column :]
            elif control == "\r":
                self._column = 0
            elif control == "\n":
                self._row += 1
            elif character:
                self._put(character)
            while len(self._lines) <= self._row:
                self._lines.append([])

    def _put(self, character: str) -> None:
        if self._column == self.width:
            self._row, self._column = self._row + 1, 0
            while len(self._lines) <= self._row:
                self._lines.append([])
        line = self._lines[self._row]
        line += [" "] * (self._column + 1 - len(line))
        line[self._column] = character
        self._column += 1
