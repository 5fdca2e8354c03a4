"""End the app with its terminal."""

from __future__ import annotations

import os
import signal
import threading
import time

LOOK_S = 1.0


def end_with_terminal() -> None:
    """End this process when its terminal is gone, as the hang-up signal would.

    Under ``make run`` only make gets the signal, and waits for the app. A thread looks, because a
    screen that cannot be written blocks the app's own loop. Learners go on: they are processes.
    """
    if os.isatty(0):
        threading.Thread(target=_look, name="terminal", daemon=True).start()


def _look() -> None:
    while os.isatty(0):
        time.sleep(LOOK_S)
    os._exit(128 + signal.SIGHUP)
