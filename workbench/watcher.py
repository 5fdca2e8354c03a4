"""Read run directories in a thread of its own and hand frozen readings to the app."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from textual.message import Message

from mbpo.errors import NewerRecordError, RecordError
from mbpo.runs.find import runs_below
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import ENDED, RunStatus, load_status
from workbench.charts.table import metrics_compared
from workbench.fork_tree import with_names
from workbench.messages import ReaderFault, Reading, RunDetail, RunRow, RunsRead
from workbench.run_follower import CurveFollower, RunFollower

PERIOD_S = 0.22
IDLE_PERIOD_S = 1.0  # where no run is at work
BACKLOG_PERIOD_S = 0.02
FAULT_PERIOD_S = 2.0
MAX_PARENT = 300  # characters of a run's name and a step
MANY_RUNS = 50  # above this, the listing is refreshed every fourth time
MANY_FOLDERS = 200  # that are no runs: above this, every eighth

Mark = tuple[int, int]  # time and inode of a status file


class RunIndex:
    """List the runs under a root; a status file that did not change is not parsed again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders = 0  # that are no runs and were looked through for some
        self._known: dict[Path, tuple[Mark, RunStatus | str]] = {}

    def rows(self) -> tuple[RunRow, ...]:
        """Return every run: those at work first, then the newest."""
        found = runs_below(self.root)
        self.folders = found.folders
        known: dict[Path, tuple[Mark, RunStatus | str]] = {}
        for path in found.runs:
            mark, old = _mark(path), self._known.get(path)
            known[path] = old if old and old[0] == mark else (mark, _status_or_fault(RunPaths(path)))
        self._known = known
        rows = with_names([_row(path, status) for path, (_, status) in known.items()], self.root)
        return tuple(sorted(rows, key=lambda row: (not row.active, -row.started, row.run_id)))


def _mark(path: Path) -> Mark:
    try:
        stat = RunPaths(path).status.stat()
    except (OSError, ValueError):
        return 0, 0
    return stat.st_mtime_ns, stat.st_ino


def _status_or_fault(paths: RunPaths) -> RunStatus | str:
    try:
        return load_status(paths)
    except NewerRecordError as error:
        return str(error)
    except RecordError:
        return "its status.json cannot be read"


def _row(path: Path, status: RunStatus | str) -> RunRow:
    if isinstance(status, str):
        return RunRow(path, "unreadable", reason=status)
    state = status.state if status.state in ENDED else status.derived_state()
    return RunRow(
        path=path,
        state=state,
        phase=status.phase,
        env_id=status.env_id,
        preset=status.preset,
        seed=status.seed,
        env_steps=status.env_steps,
        total_steps=status.total_steps,
        last_return=status.last_return,
        eval_return=status.eval_return,
        best_return=status.best_return,
        threshold=status.threshold,
        solved_at=status.solved_at,
        recent=tuple(status.recent_returns[-24:]),
        steps_per_s=status.steps_per_s,
        started=status.started,
        heartbeat=status.heartbeat,
        revision=status.revision,
        interactive=status.interactive,
        controls=status.controls,
        reason=status.reason,
        exit_code=status.exit_code,
        parent=status.parent[:MAX_PARENT],
    )


class Watcher:
    """Post a reading of the runs several times a second, from a thread that owns the files."""

    def __init__(self, root: Path, post: Callable[[Message], object]) -> None:
        self.root = root
        self._post = post
        self._index = RunIndex(root)
        self._follower: RunFollower | None = None
        self._selected: Path | None = None
        self._others: dict[Path, CurveFollower] = {}  # those compared, the next in turn first
        self._curves: dict[Path, RunDetail] = {}
        self._compared: tuple[Path, ...] = ()
        self._rows: tuple[RunRow, ...] = ()
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

    def look(self) -> Reading:
        """Take one reading now."""
        every = 8 if self._index.folders > MANY_FOLDERS else 4 if len(self._rows) > MANY_RUNS else 1
        every = every if self._at_work else 1  # as seldom as it is then looked
        if self._turn % every == 0:
            self._rows = self._index.rows()
        self._turn += 1
        selected = self._selected
        if selected is None:
            self._follower = None
        elif self._follower is None or self._follower.path != selected:
            self._follower = RunFollower(selected)
        detail = self._follower.poll() if self._follower else None
        return Reading(self._rows, detail, self._poll_compared())

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
                if any(follower.has_backlog for follower in followers if follower):
                    period = BACKLOG_PERIOD_S
            except Exception as error:  # whatever it is, the app must go on and say so
                self._follower = None
                self._others.clear()
                self._post(ReaderFault(f"{type(error).__name__}: {error}"))
                period = FAULT_PERIOD_S
            self._wake.wait(period)
            self._wake.clear()
