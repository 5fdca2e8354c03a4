"""Let more be left beside runs that have ended, by whoever stands above; whatever comes of it, their outcome stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mbpo.errors import one_line
from mbpo.runs.layout import RunPaths

Leave = Callable[[RunPaths], list[str]]  # returns what is to be said of it
LeaveComparison = Callable[[Sequence[RunPaths], Path], list[str]]


def nothing_left(paths: RunPaths) -> list[str]:
    """Leave nothing beside a run."""
    return []


def nothing_compared(runs: Sequence[RunPaths], page: Path) -> list[str]:
    """Leave no page that compares runs."""
    return []


def what_is_left(leave: Callable[[], list[str]]) -> list[str]:
    """Return what ``leave`` says of what it left; however it fails, that is one line."""
    try:
        return leave()
    except Exception as error:
        return [f"no report: {one_line(f'{type(error).__name__}: {error}').removeprefix('error: ')}"]
