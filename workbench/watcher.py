"""Read run directories in a thread of its own and hand frozen readings to the app."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic

from textual.message import Message

from workbench.charts.table import metrics_compared
from workbench.group_figures import GroupAsked
from workbench.group_reader import GroupReader
from workbench.messages import ReaderFault, Reading, RunDetail, RunRow, RunsRead
from workbench.run_follower import CurveFollower, RunFollower
from workbench.run_index import RunIndex
from workbench.studies_found import StudyFound
from workbench.study_index import StudyIndex

PERIOD_S = 0.22
IDLE_PERIOD_S = 1.0  # where no run is at work
BACKLOG_PERIOD_S = 0.02
REST_S = 0.05
FAULT_PERIOD_S = 2.0
MANY_RUNS = 50  # above this, the listing is refreshed every fourth time
MANY_FOLDERS = 200  # that are no runs: above this, every eighth


class Watcher:
    """Post a reading of the runs several times a second, from a thread that owns the files."""

    def __init__(self, root: Path, post: Callable[[Message], object]) -> None:
        self.root = root
        self._post = post
        self._index = RunIndex(root)
        self._study_index = StudyIndex()
        self._follower: RunFollower | None = None
        self._selected: Path | None = None
        self._others: dict[Path, CurveFollower] = {}  # those compared, the next in turn first
        self._curves: dict[Path, RunDetail] = {}
        self._compared: tuple[Path, ...] = ()
        self._groups = GroupReader()
        self._rows: tuple[RunRow, ...] = ()
        self._studies: tuple[StudyFound, ...] = ()
        self._turn = 0
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def select(self, path: Path | None) -> None:
        """Follow the run at ``path`` from now on."""
        self._selected = path
        self._wake.set()

    def compare(self, paths: Iterable[Path]) -> None:
        """Follow the curves of the runs at ``paths`` from now on, beside the run selected."""
        self._compared = tuple(paths)
        self._wake.set()

    def follow_groups(self, asked: tuple[GroupAsked, ...]) -> None:
        """Read the figures of these groups from now on, the curves of those that are drawn."""
        self._groups.asked = asked
        self._wake.set()

    def look(self) -> Reading:
        """Take one reading now."""
        every = 8 if len(self._index.folders) > MANY_FOLDERS else 4 if len(self._rows) > MANY_RUNS else 1
        if self._index.behind or not self._at_work:  # as seldom as it is then looked
            every = 1
        if self._groups.has_backlog and not self._index.behind:  # which is looked at much more often
            every = 8
        if self._turn % every == 0:
            self._rows = self._index.rows()
            self._studies = self._study_index.look(self._index.folders, (row.path for row in self._rows))
        self._turn += 1
        selected = self._selected
        if selected is None:
            self._follower = None
        elif self._follower is None or self._follower.path != selected:
            self._follower = RunFollower(selected)
        detail = self._follower.poll() if self._follower else None
        return Reading(self._rows, detail, self._poll_compared(), self._groups.poll(), self._studies)

    @property
    def is_behind(self) -> bool:
        """Return whether settings of runs, or runs of groups, are still to be read."""
        return self._index.behind or self._groups.has_backlog

    @property
    def _at_work(self) -> bool:
        return any(row.active for row in self._rows)

    def _poll_compared(self) -> Mapping[Path, RunDetail]:
        """Read on in the runs compared, in turn, until one of them had a backlog."""
        wanted = self._compared
        known = {path: at for path, at in self._others.items() if path in wanted}
        self._others = known | {p: CurveFollower(p, metrics_compared()) for p in wanted if p not in known}
        self._curves = {path: at for path, at in self._curves.items() if path in wanted}
        for path in list(self._others):
            follower = self._others[path] = self._others.pop(path)  # the last in turn now
            self._curves[path] = follower.poll()
            if follower.has_backlog:
                break
        return dict(self._curves)

    def _work(self) -> None:
        while not self._stopping:
            period = PERIOD_S
            try:
                self._post(RunsRead(self.look()))
                if not self._at_work:
                    period = IDLE_PERIOD_S  # a run that begins is seen soon enough
                followers = [self._follower, *self._others.values()]
                if self.is_behind or any(follower.has_backlog for follower in followers if follower):
                    period = BACKLOG_PERIOD_S
            except Exception as error:  # whatever it is, the app must go on and say so
                self._follower = None
                self._others.clear()
                self._groups.forget()
                self._post(ReaderFault(f"{type(error).__name__}: {error}"))
                period = FAULT_PERIOD_S
            if self._wake.wait(period):
                self._rest()

    def _rest(self) -> None:
        """Wait until nothing else was selected for a moment: keys are shown first, and runs passed by are not read."""
        until = monotonic() + PERIOD_S
        while self._wake.is_set() and not self._stopping and monotonic() < until:
            self._wake.clear()
            self._wake.wait(REST_S)
        self._wake.clear()
