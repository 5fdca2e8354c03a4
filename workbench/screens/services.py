"""Say what screens may ask of the app, so that they need not import it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mbpo.settings.setting import Value
from workbench.group_figures import GroupAsked
from workbench.launcher import Launcher
from workbench.messages import RunDetail, RunRow
from workbench.promises import Promise
from workbench.queueing import Queueing
from workbench.studies_found import StudyFound


class Services(Protocol):
    """Be what the app offers to its screens."""

    runs_root: Path
    readonly: bool
    selected: Path | None
    launcher: Launcher
    queueing: Queueing

    @property
    def rows(self) -> tuple[RunRow, ...]:
        """Return the runs known now."""

    def say(self, text: str, severity: str = "information") -> None:
        """Show a short notice."""

    def select(self, path: Path | None) -> None:
        """Put a run in focus."""

    def compare(self, paths: Iterable[Path]) -> None:
        """Read the curves of the runs at ``paths`` too, and show them."""

    def follow_groups(self, asked: tuple[GroupAsked, ...]) -> None:
        """Read the figures of groups of seeds, and the curves of some."""

    def redraw(self) -> None:
        """Show what is known now."""

    def send(self, path: Path, promise: Promise) -> None:
        """Send a command to a run."""

    def launch(self, preset: str, overrides: Mapping[str, Value], run_id: str = "") -> None:
        """Start a learner."""

    def resume(self, path: Path) -> None:
        """Start a learner that goes on with a run."""

    def go_on_in_study(self, study: StudyFound, only: Sequence[str] = ()) -> None:
        """Have the engine that had a study go on with it, or with some of its runs only."""

    def report(self, paths: Sequence[Path]) -> None:
        """Write a report of a run, or of several side by side."""

    def go_on_with_queue(self) -> None:
        """Have what waits in the queue started."""

    def open_what_if_form(self, row: RunRow, detail: RunDetail) -> None:
        """Show the form for a what-if of a run."""

    def open_fork_form(self, row: RunRow, detail: RunDetail) -> None:
        """Show the form for a fork of a run."""
