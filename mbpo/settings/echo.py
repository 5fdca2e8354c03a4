"""Copy to stderr what strangers print into a file: C code, child processes, and whoever else holds its descriptor."""

from __future__ import annotations

import contextlib
import os
import threading

from mbpo.settings.terminal import write_above

PERIOD_S = 0.2
LAST_WORDS_S = 2.0  # for which a stderr that takes nothing is waited for at the end
AT_ONCE_BYTES = 1 << 16


class EchoedFile:
    """Hold a file that strangers print into, and copy what they print to stderr a moment later.

    It is in the file at once, and so outlives a kill; a terminal that stands still holds up the copying thread alone.
    What we write ourselves, by :meth:`write`, is not copied.
    """

    def __init__(self, descriptor: int, stderr: int) -> None:
        """Take over both descriptors; the file's reads and appends."""
        self._descriptor = descriptor
        self._stderr = stderr
        self._at = os.fstat(descriptor).st_size
        self._ours: list[tuple[int, int]] = []  # where what we wrote begins and ends, since the last look
        self._lock = threading.RLock()  # a signal's handler may print
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._copy_until_ended, name="echo", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Append ``data``, which then stands in the file alone.

        Raises:
            OSError: the disk refuses.
        """
        with self._lock:
            while data:
                written = os.write(self._descriptor, data)
                end = os.lseek(self._descriptor, 0, os.SEEK_CUR)  # where an append ended is told per descriptor
                self._ours.append((end - written, end))
                data = data[written:]

    def contents(self) -> bytes:
        """Return all that was printed."""
        return os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)

    def end(self) -> None:
        """Copy what is left, as far as stderr takes it."""
        self._ended.set()
        self._thread.join(LAST_WORDS_S)
        if not self._thread.is_alive():  # else it would write to whatever has these numbers next
            os.close(self._descriptor)
            os.close(self._stderr)

    def _copy_until_ended(self) -> None:
        with contextlib.suppress(OSError):  # the file can be read no more
            while not self._ended.wait(PERIOD_S):
                self._copy()
            self._copy()

    def _copy(self) -> None:
        with self._lock:
            ours, self._ours = self._ours, []
            end = os.fstat(self._descriptor).st_size  # less than before where somebody emptied the file
        at = self._at
        for begins, ends in [*ours, (end, end)]:
            self._copy_between(at, min(begins, end))
            at = ends
        self._at = end

    def _copy_between(self, at: int, end: int) -> None:
        while at < end and (data := os.pread(self._descriptor, min(end - at, AT_ONCE_BYTES), at)):
            at += len(data)
            with contextlib.suppress(OSError):  # the file has these words, whoever else has lost them
                write_above(self._stderr, data)
