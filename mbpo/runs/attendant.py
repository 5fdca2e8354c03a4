"""Attend to a run in a thread of its own, so that its heart beats and commands are answered during a refit."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence

POLL_S = 0.1
HEARTBEAT_S = 1.0


class Attendant:
    """Answer commands ten times a second; look around and beat the heart once."""

    def __init__(self, answer: Callable[[], None], looks: Sequence[Callable[[], None]]) -> None:
        """Begin with :meth:`start`; the last of ``looks`` is the heartbeat."""
        self._answer = answer
        self._looks = looks
        self._ended = threading.Event()
        self._complaint = ""
        self._thread = threading.Thread(target=self._attend, name="attendant", daemon=True)

    def start(self) -> None:
        """Begin to attend."""
        self._thread.start()

    def end(self) -> None:
        """Attend no more, and wait until that is so."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def guarded(self, act: Callable[[], None]) -> None:
        """Do something whose fault must not silence control for good."""
        try:
            act()
        except Exception as error:
            complaint = f"warning: {act.__name__.strip('_')}: {error!r}"
            if complaint != self._complaint:  # once, not every second
                print(complaint, file=sys.stderr)
            self._complaint = complaint

    def _attend(self) -> None:
        last_beat = time.monotonic()
        while not self._ended.wait(POLL_S):
            self.guarded(self._answer)
            if time.monotonic() - last_beat >= HEARTBEAT_S:
                last_beat = time.monotonic()
                for look in self._looks:
                    self.guarded(look)
