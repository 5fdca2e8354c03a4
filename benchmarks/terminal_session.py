"""Run a program in a real pseudo terminal, count what it writes, and read its screen back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import pyte

Size = tuple[int, int]  # columns, lines
Lines = list[str]

LIMIT_S = 30.0
POLL_S = 0.1  # parsing takes the GIL from the thread that notes when bytes came
ANSWERS = {  # what a program asks of its terminal, and what xterm would say; some wait for it
    rb"\x1b\[c": b"\x1b[?62;22c",
    rb"\x1b\[6n": b"\x1b[1;1R",
    rb"\x1b\]10;\?(?:\x07|\x1b\\)": b"\x1b]10;rgb:d0d0/d0d0/d0d0\x1b\\",
    rb"\x1b\]11;\?(?:\x07|\x1b\\)": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
    rb"\x1b\[\?2026\$p": b"\x1b[?2026;2$y",
}
# pyte takes the end of these for text or for another command: strings to the terminal, and CSI with <, = or >.
UNKNOWN = re.compile(rb"\x1b[P_^X].*?\x1b\\|\x1b\[[<=>][0-9;:]*[ -/]*[@-~]", re.DOTALL)


class Terminal:
    """Hold a program in a terminal of its own, and everything that it wrote."""

    def __init__(self, command: Sequence[str | Path], size: Size, env: Mapping[str, str], cwd: Path) -> None:
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._chunks: list[tuple[float, bytes]] = []
        self._seen = 0  # chunks that the screen has been given
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        term = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            list(map(str, command)),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**clean, **term, **env},
            preexec_fn=_own_terminal,
        )
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        """Return the program's process id."""
        return self._process.pid

    @property
    def written(self) -> int:
        """Return how many bytes came so far."""
        return sum(len(data) for _, data in self._chunks)

    def press(self, keys: str) -> float:
        """Send keys; return when."""
        os.write(self._master, keys.encode())
        return time.perf_counter()

    def lines(self) -> Lines:
        """Return the screen as it is now."""
        for _ in self._advance():
            pass
        return self._screen.display

    def until(self, seen: Callable[[Lines], object], what: str) -> float:
        """Wait until the screen is as wanted; return when the bytes came that made it so."""
        if seen(self._screen.display):
            return time.perf_counter()
        deadline = time.perf_counter() + LIMIT_S
        while time.perf_counter() < deadline:
            for moment in self._advance():
                if seen(self._screen.display):
                    return moment
            assert self._process.poll() is None, f"it ended before {what}:\n" + "\n".join(self._screen.display)
            time.sleep(POLL_S)
        raise AssertionError(f"{what}: not seen within {LIMIT_S:g} s:\n" + "\n".join(self._screen.display))

    def processes(self) -> list[psutil.Process]:
        """Return the program and its children."""
        whole = psutil.Process(self.pid)
        return [whole, *whole.children(recursive=True)]

    def close(self) -> None:
        """End the program: by ``q``, else at once."""
        with contextlib.suppress(OSError):
            self.press("q")
        try:
            self._process.wait(timeout=3.0)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        with contextlib.suppress(OSError):
            os.close(self._master)

    def _advance(self) -> Iterator[float]:
        """Give the screen what came since, bit by bit; yield when each came."""
        while self._seen < len(self._chunks):
            moment, data = self._chunks[self._seen]
            self._seen += 1
            self._stream.feed(UNKNOWN.sub(b"", data))
            yield moment

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:
                return
            if not data:
                return
            self._chunks.append((time.perf_counter(), data))
            for question, answer in ANSWERS.items():
                for _ in re.finditer(question, data):
                    os.write(self._master, answer)


def _own_terminal() -> None:
    """Make the pseudo terminal on stdin the child's own, so that it is told of its end and size."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
