"""End a process though an environment left threads or child processes behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from multiprocessing import active_children
from typing import NoReturn

GRACE_S = 5.0  # for what libraries do at the end


def leave(code: int) -> NoReturn:
    """End the process with ``code``, within seconds also where Python would wait for a thread for ever.

    Child processes of ``multiprocessing`` end with it, as they would have to for Python to end at all.
    """
    for child in active_children():
        child.terminate()
    threading.Thread(target=_insist, args=(code,), daemon=True, name="leave").start()
    sys.exit(code)


def _insist(code: int) -> None:
    time.sleep(GRACE_S)
    os._exit(code)
