"""Count the cores this process may use, and share them out as threads."""

from __future__ import annotations

import os

MOST_AUTO_THREADS = 4


def cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def auto_threads(learners: int = 1) -> int:
    """Return the threads of each of ``learners`` that share the cores, when the user names none."""
    return max(1, min(cores() // learners, MOST_AUTO_THREADS))
