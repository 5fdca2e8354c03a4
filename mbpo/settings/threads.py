"""Count the cores this process may use, and share them out as threads."""

from __future__ import annotations

import os
from typing import Literal

MOST_AUTO_THREADS = 4


def cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def auto_threads(learners: int = 1) -> int:
    """Return the threads of each of ``learners`` that share the cores, when the user names none."""
    return max(1, min(cores() // learners, MOST_AUTO_THREADS))


def share_cores(threads: int | Literal["auto"], learners: int, jobs: int | None = None) -> tuple[int, int]:
    """Return the threads of each learner, and how many learners run at once.

    Threads follow from the cores and the learners alone, not from ``jobs``: however many run at once,
    a learner gives the same metrics.
    """
    each = auto_threads(learners) if threads == "auto" else threads
    at_once = max(1, cores() // each) if jobs is None else jobs
    return each, min(at_once, learners)
