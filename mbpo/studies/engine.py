"""Say what an engine is to a study: it starts runs, says which it still has, and no more.

What has become of a run is never asked of it: that stands in the run directory.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mbpo.studies.study import Study, StudyRun


@dataclass(frozen=True)
class Place:
    """Say where a study's runs lie."""

    root: Path  # the runs root
    study: Study

    @property
    def folder(self) -> Path:
        """Return the folder of its runs."""
        return self.root / self.study.name


class Engine(Protocol):
    """Start runs on one machine or many."""

    outlives: bool  # whether runs go on when the driver ends

    def submit(self, runs: Sequence[StudyRun]) -> str:
        """Have runs begun or gone on with, but for those that it has already; say in words what was done.

        Raises:
            MBPOError: it cannot.
        """

    def holding(self) -> Collection[str]:
        """Return the names of the runs that wait or are at work with it."""

    def close(self) -> None:
        """Let go of what only the driver needs."""
