"""End the app with its terminal, or with the browser's tab that it is in."""

from __future__ import annotations

import os
import select
import signal
import threading
import time

LOOK_S = 1.0


def is_served() -> bool:
    """Return whether this process is the app behind a browser's tab: its driver is chosen, and it has no terminal."""
    return "WebDriver" in os.environ.get("TEXTUAL_DRIVER", "")


def end_with_terminal() -> None:
    """End this process when its terminal is gone, as the hang-up signal would.

    Under ``make run`` only make gets the signal, and waits for the app. A thread looks, because a
    screen that cannot be written blocks the app's own loop. Learners go on: they are processes.
    """
    if os.isatty(0) or is_served():
        look = _look_at_server if is_served() else _look
        threading.Thread(target=look, name="terminal", daemon=True).start()


def _look() -> None:
    while os.isatty(0):
        time.sleep(LOOK_S)
    os._exit(128 + signal.SIGHUP)


def _look_at_server() -> None:
    """Wait until nobody can write to stdin any more: the server is gone, even if it was killed."""
    stdin = select.poll()
    stdin.register(0, 0)  # hang-up only
    stdin.poll()
    os._exit(128 + signal.SIGHUP)
