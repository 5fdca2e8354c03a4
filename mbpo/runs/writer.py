"""Write a run directory: the learner's side of the contract."""

from __future__ import annotations

import fcntl
import json
import math
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from mbpo.errors import RunInUseError, StorageError, refused
from mbpo.runs.append import AppendFile
from mbpo.runs.command import Check
from mbpo.runs.hang import HangWatch
from mbpo.runs.history import History, Overlap
from mbpo.runs.inbox import Inbox
from mbpo.runs.layout import FULL_DISK_PATIENCE_S, RunPaths, write_atomic, write_json
from mbpo.runs.live_control import InForce, LiveControl
from mbpo.runs.metrics import METRICS
from mbpo.runs.records.event import event_line
from mbpo.runs.status import ENDED, RunStatus, this_process, write_status
from mbpo.runs.tables import Tables

POLL_S = 0.1
HEARTBEAT_S = 1.0
GONE_AFTER_BEATS = 3  # a network's file system may be away for a moment
RECENT_RETURNS = 24


class RunWriter:
    """Own one run directory: metrics, events, status, heartbeat and control.

    An attendant thread beats the heart and answers commands, so that both go on during refits,
    evaluations and pauses.
    """

    def __init__(
        self,
        paths: RunPaths,
        status: RunStatus,
        checks: Mapping[str, Check],
        controls: Mapping[str, Any],
        history: History | None = None,
        hang_after_s: float = 900.0,
    ) -> None:
        history = history or History()
        self.paths = paths
        self._status = msgspec.structs.replace(
            status,
            **this_process(),
            started=time.time(),
            controls=dict(controls),
            attempt=history.attempts + 1,
            revision=history.revision,
            interactive=history.interactive,
        )
        self._status_lock = threading.Lock()
        self._seq = history.before[-1]["seq"] if history.before else 0
        time_s = history.before[-1].get("time_s", 0.0) if history.before else 0.0
        self._start = time.perf_counter() - time_s
        self._overlap = Overlap(history.after)
        self._repeated = history.of_another
        self._ended = threading.Event()
        try:
            self._metrics = AppendFile(paths.metrics)
            self._claim()
            self._events = AppendFile(paths.events)
            self._tables = Tables(paths, status.env_id)
            self._hang = HangWatch(paths.stacks, hang_after_s)
        except OSError as error:
            raise refused(f"cannot write in {paths.root}", error) from None
        for row in history.before:
            if history.of_another:
                self._metrics.append(json.dumps(row, allow_nan=False).encode())
            self._take_in(row)
        for answer in history.answers if history.of_another == "replay" else ():
            self._events.append(json.dumps(answer, allow_nan=False).encode())
        self.control = LiveControl(
            checks, controls, self._append_answer, history.changes, history.answered, history.revision
        )
        self._inbox = Inbox(paths, self.control)
        self._fault: StorageError | None = None
        self._full, self._complaint, self._missing_beats = False, "", 0
        self._place = _identity(paths.root)
        self._attendant = threading.Thread(target=self._attend, name="attendant", daemon=True)

    def __enter__(self) -> RunWriter:
        self._save_status()
        self._attendant.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._attendant.join()
        for file in self._files:
            file.close()

    @property
    def _files(self) -> tuple[AppendFile, ...]:
        return self._metrics, self._events, *self._tables.files

    @property
    def status(self) -> RunStatus:
        """Return the status as of now; a run told to stop, by whomever, is stopping."""
        if self.control.stopping and self._status.state not in ENDED:
            return msgspec.structs.replace(self._status, state="stopping")
        return self._status

    def write_config(self, toml: str, manifest: Mapping[str, Any]) -> None:
        """Write ``config.toml`` and ``manifest.json``, once."""
        write_atomic(self.paths.config, toml.encode())
        write_json(self.paths.manifest, manifest)

    def log(self, env_steps: int, metrics: Mapping[str, float | None]) -> None:
        """Append one row to ``metrics.jsonl``.

        Raises:
            KeyError: a key is not declared in ``metrics.py``.
            StorageError: the row cannot be written.
        """
        for key in metrics:
            if key not in METRICS:
                raise KeyError(f"metric {key!r} is not declared in mbpo/runs/metrics.py")
        self._seq += 1
        row = {
            "seq": self._seq,
            "attempt": self._status.attempt,
            "env_steps": env_steps,
            "time_s": round(time.perf_counter() - self._start, 4),
            **{key: _finite(value) for key, value in metrics.items()},
        }
        if not self._repeats(row) or self._repeated:
            self._metrics.append(json.dumps(row, allow_nan=False).encode())
        self._take_in(row)

    def episode(self, env_steps: int, index: int, episode_return: float, length: int) -> None:
        """Record a training episode that ended, here and in the tutorial's CSV."""
        self.log(env_steps, {"episode/return": episode_return, "episode/length": length, "episode/index": index})

    def evaluation(self, env_steps: int, metrics: Mapping[str, float | None]) -> None:
        """Record an evaluation and make everything up to it durable."""
        self.log(env_steps, metrics)
        self._metrics.sync()
        self.event("evaluation", env_steps=env_steps, **metrics)

    def event(self, name: str, **facts: Any) -> None:
        """Append one event."""
        self._append_event({"event": name, **facts})

    def warn(self, env_steps: int, reason: str, **facts: Any) -> None:
        """Append a warning to the events and print it."""
        self.event("warning", env_steps=env_steps, **facts, reason=reason)
        print(f"warning: {reason}", flush=True)

    def update(self, **changes: Any) -> None:
        """Change fields of the status; they reach the disk with the next heartbeat."""
        self._hang.progress()
        with self._status_lock:
            self._status = msgspec.structs.replace(self._status, **changes)

    def enter(self, state: str) -> None:
        """Change the state, on disk at once unless that is full."""
        self.update(state=state)
        self._guarded(self._save_status)

    def at_boundary(self, env_steps: int, holds_from: int | None = None) -> InForce:
        """Return what the loop obeys from ``env_steps`` on; wait here while paused.

        New settings are answered to hold from the next env step, or from ``holds_from`` on.

        Raises:
            StorageError: the run directory has vanished.
        """
        self.update(env_steps=env_steps)
        order = self.control.at_boundary(env_steps, self._on_pause, holds_from)
        if self._fault is not None:
            raise self._fault
        if order.settings != self._status.controls:  # a change that an earlier attempt answered
            self.update(controls=dict(order.settings))
        return order

    @property
    def position(self) -> dict[str, Any]:
        """Return where the metrics stand, for a checkpoint: a resume begins after that row."""
        return {"seq": self._seq}

    def sync(self) -> None:
        """Make everything appended so far durable."""
        self._metrics.sync()
        self._events.sync()

    def settle(self, patience_s: float = FULL_DISK_PATIENCE_S) -> None:
        """Wait until every line is written.

        Raises:
            StorageError: the disk is full for longer than ``patience_s``.
        """
        deadline = time.monotonic() + patience_s
        while waiting := sum(file.waiting for file in self._files):
            if time.monotonic() > deadline or self._fault is not None:
                raise StorageError(
                    f"{self.paths.root}: the disk is full and {waiting} lines are not written; "
                    "make space and give --resume"
                )
            time.sleep(POLL_S)
            self._hang.progress()
            for file in self._files:
                file.retry()

    def end(self, state: str, exit_code: int, reason: str = "") -> None:
        """Write the final status; commands still waiting are rejected with the reason."""
        self.control.close(f"the run has ended: {state}")
        self._ended.set()
        if self._attendant.is_alive():
            self._attendant.join()
        self._inbox.poll()
        self.event(state, env_steps=self._status.env_steps, exit_code=exit_code, reason=reason)
        self._guarded(self.sync)
        self.update(state=state, phase="ended", exit_code=exit_code, reason=reason)
        self._save_status(sync=True)

    def _attend(self) -> None:
        last_beat = time.monotonic()
        while not self._ended.wait(POLL_S):
            self._guarded(self._inbox.poll)
            if time.monotonic() - last_beat >= HEARTBEAT_S:
                last_beat = time.monotonic()
                for act in (self._look_at_disk, self._look_at_place, self._look_at_loop):
                    self._guarded(act)
                self._guarded(self._save_status)

    def _look_at_disk(self) -> None:
        for file in self._files:
            file.retry()
        waiting = sum(file.waiting for file in self._files)
        if bool(waiting) != self._full:
            self._full = bool(waiting)
            full = "the disk is full: what is measured waits in memory until there is space"
            self.warn(self._status.env_steps, full if waiting else "there is space again")

    def _look_at_place(self) -> None:
        """Stop a run whose directory is gone: what it writes would reach nobody."""
        gone = _identity(self.paths.root) != self._place
        self._missing_beats = self._missing_beats + 1 if gone else 0
        if self._missing_beats == GONE_AFTER_BEATS:
            self._fault = StorageError(f"{self.paths.root} has vanished or is another folder now")
            self.control.request_stop()

    def _look_at_loop(self) -> None:
        if self.control.paused:
            self._hang.progress()
        if self._hang.beat(HEARTBEAT_S):
            self.warn(
                self._status.env_steps,
                f"no progress for {self._hang.after_s:g} s in phase {self._status.phase}: "
                f"{self._hang.path.name} says where it stands",
            )

    def _guarded(self, act: Callable[[], None]) -> None:
        """Keep the attendant alive: a fault now must not silence control for good."""
        try:
            act()
        except Exception as error:
            complaint = f"warning: {act.__name__.strip('_')}: {error!r}"
            if complaint != self._complaint:  # once, not every second
                print(complaint, file=sys.stderr)
            self._complaint = complaint

    def _on_pause(self, paused: bool) -> None:
        self.enter("paused" if paused else "running")

    def _claim(self) -> None:
        """Lock the run against a second learner, where the file system has locks.

        Raises:
            RunInUseError: there is one.
        """
        try:
            fcntl.flock(self._metrics.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunInUseError(f"{self.paths.root} is in use by another learner") from None
        except OSError:
            pass  # no locks here; the status still tells

    def _take_in(self, row: Mapping[str, Any]) -> None:
        """Bring the tables and what a listing shows up to date with a row of metrics."""
        self._tables.add(row)
        if "episode/return" in row:
            last = row["episode/return"]
            recent = [*self._status.recent_returns, last][-RECENT_RETURNS:]
            self.update(last_return=last, recent_returns=recent)
        if "eval/return_mean" in row:
            self.update(eval_return=row["eval/return_mean"])

    def _repeats(self, row: Mapping[str, Any]) -> bool:
        """Return whether an earlier attempt wrote this row; say how a resume compares, once."""
        if not self._overlap.open:
            return False
        repeats = self._overlap.repeats(row)
        if not self._overlap.open:
            self._tell_comparison(row["env_steps"])
        return repeats

    def end_comparison(self, env_steps: int) -> None:
        """Say how what was repeated compares, where the last record has not said so yet."""
        if self._overlap.open or not self._overlap.total:
            self._overlap.close()
            self._tell_comparison(env_steps)

    def _tell_comparison(self, at: int) -> None:
        overlap, what = self._overlap, self._repeated or "resume"
        counts = f"{overlap.identical} of {overlap.total} records identical"
        facts = {"identical": overlap.identical, "total": overlap.total}
        if overlap.difference:
            reason = f"not as before from env step {at} on: {overlap.difference}; {counts}"
            self.warn(at, f"{what} {reason}", **facts)
        else:
            self.event(f"{what}_verified", env_steps=at, **facts)
            print(f"{what} verified: {counts}", flush=True)

    def _append_answer(self, answer: Mapping[str, Any]) -> None:
        self._append_event(answer)
        if answer["status"] == "applied" and answer["revision"] > self._status.revision:
            self.update(
                revision=answer["revision"], interactive=True, controls={**self._status.controls, **answer["new"]}
            )

    def _append_event(self, event: Mapping[str, Any]) -> None:
        self._events.append(event_line(event))

    def _save_status(self, sync: bool = False) -> None:
        with self._status_lock:
            self._status = msgspec.structs.replace(self._status, heartbeat=time.time())
            status = self.status
        write_status(self.paths, status, sync=sync)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
