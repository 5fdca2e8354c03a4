"""Write a run directory: the learner's side of the contract."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import msgspec

from mbpo.errors import StorageError, refused
from mbpo.runs.attendant import POLL_S, Attendant
from mbpo.runs.command import Check
from mbpo.runs.hang import HangWatch
from mbpo.runs.history import History
from mbpo.runs.inbox import Inbox
from mbpo.runs.journal import Journal
from mbpo.runs.layout import FULL_DISK_PATIENCE_S, RunPaths, write_atomic, write_json
from mbpo.runs.live_control import InForce, LiveControl
from mbpo.runs.metrics import METRICS
from mbpo.runs.overlap import Verdict
from mbpo.runs.records.row import Kind, kind_of, new_row
from mbpo.runs.solved import solved_at
from mbpo.runs.status import RunStatus, this_process
from mbpo.runs.status_file import StatusFile
from mbpo.runs.watches import DiskWatch, LeaseWatch, LoopWatch, PlaceWatch
from mbpo.settings.stdout import say

RECENT_RETURNS = 24


class RunWriter:
    """Own one run directory: metrics, events, status, heartbeat and control.

    The files are a :class:`Journal`'s, the heartbeat and the answers an :class:`Attendant`'s; a :class:`Verdict`
    compares what a resume, a fork or a replay repeats.
    """

    def __init__(
        self,
        paths: RunPaths,
        status: RunStatus,
        checks: Mapping[str, Check],
        controls: Mapping[str, Any],
        history: History | None = None,  # of earlier attempts, or of another run that this one repeats
        hang_after_s: float = 900.0,
    ) -> None:
        history = history or History()
        self.paths = paths
        try:
            self.journal = Journal(paths, status.env_id)
        except OSError as error:
            raise refused(f"cannot write in {paths.root}", error) from None
        self.control = LiveControl(
            checks, controls, self._tell_answer, history.changes, history.answered, history.revision
        )
        self._hang = HangWatch(paths.stacks, hang_after_s)
        self._status = StatusFile(paths, _first_status(status, controls, history), lambda: self.control.stopping)
        self._verdict = Verdict(history, self.event, self.warn)
        self._writes_repeats = bool(history.of_another)
        self._seq, time_s = _position_in(history)
        self._start = time.perf_counter() - time_s
        self._go_on_from(history)
        self._inbox = Inbox(paths, self.control)
        self._place = PlaceWatch(paths.root, self.control)
        disk = DiskWatch(self.journal, self._warn_now)
        loop = LoopWatch(self._hang, self.control, lambda: self.status.phase, self._warn_now)
        self._lease = LeaseWatch(self.journal.lease, self.control)
        looks = (self._lease.look_at_lease, disk.look_at_disk, self._place.look_at_place, loop.look_at_loop, self._beat)
        self._attendant = Attendant(self._answer, looks)

    def __enter__(self) -> RunWriter:
        self._beat()
        self._attendant.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._attendant.end()
        self.journal.close()

    @property
    def status(self) -> RunStatus:
        """Return the status as of now; a run told to stop, by whomever, is stopping."""
        return self._status.now

    @property
    def position(self) -> dict[str, Any]:
        """Return where the metrics stand, for a checkpoint: a resume begins after that row."""
        return {"seq": self._seq}

    def write_config(self, toml: str, manifest: Mapping[str, Any]) -> None:
        """Write ``config.toml`` and ``manifest.json``, once."""
        write_atomic(self.paths.config, toml.encode())
        write_json(self.paths.manifest, manifest)

    def log(self, env_steps: int, metrics: Mapping[str, float | None], kind: Kind = "interval") -> None:
        """Append one row to ``metrics.jsonl``.

        Raises:
            KeyError: a key is not declared in ``metrics.py``.
            StorageError: the row cannot be written.
        """
        for key in metrics:
            if key not in METRICS:
                raise KeyError(f"metric {key!r} is not declared in mbpo/runs/metrics.py")
        self._seq += 1
        time_s = time.perf_counter() - self._start
        row = new_row(kind, self._seq, self._status.now.attempt, env_steps, time_s, metrics)
        if not self._verdict.repeats(row) or self._writes_repeats:
            self.journal.append_row(row)
        self._take_in(row)

    def interval(self, env_steps: int, metrics: Mapping[str, float | None]) -> None:
        """Record what was counted since the last such row."""
        self.log(env_steps, metrics, "interval")

    def refit(self, env_steps: int, metrics: Mapping[str, float | None]) -> None:
        """Record a refit of the model and the rollouts that followed."""
        self.log(env_steps, metrics, "refit")

    def episode(self, env_steps: int, index: int, episode_return: float, length: int) -> None:
        """Record a training episode that ended, here and in the tutorial's CSV."""
        metrics = {"episode/return": episode_return, "episode/length": length, "episode/index": index}
        self.log(env_steps, metrics, "episode")

    def evaluation(self, env_steps: int, metrics: Mapping[str, float | None]) -> None:
        """Record an evaluation and make everything up to it durable."""
        self.log(env_steps, metrics, "evaluation")
        self.journal.sync_rows()
        self.event("evaluation", env_steps=env_steps, **metrics)

    def event(self, name: str, **facts: Any) -> None:
        """Append one event."""
        self.journal.append_event({"event": name, **facts})

    def warn(self, env_steps: int, reason: str, **facts: Any) -> None:
        """Append a warning to the events and print it."""
        self.event("warning", env_steps=env_steps, **facts, reason=reason)
        say(f"warning: {reason}")

    def update(self, **changes: Any) -> None:
        """Change fields of the status; they reach the disk with the next heartbeat."""
        self._hang.progress()
        self._status.update(**changes)

    def enter(self, state: str) -> None:
        """Change the state, on disk at once unless that is full."""
        self.update(state=state)
        self._attendant.guarded(self._beat)

    def at_boundary(self, env_steps: int, holds_from: int | None = None) -> InForce:
        """Return what the loop obeys from ``env_steps`` on; wait here while paused.

        New settings are answered to hold from the next env step, or from ``holds_from`` on.

        Raises:
            RunInUseError: another learner has taken the run over.
            StorageError: the run directory has vanished.
        """
        self.update(env_steps=env_steps)
        order = self.control.at_boundary(env_steps, self._on_pause, holds_from)
        if fault := self._place.fault or self._lease.fault:
            raise fault
        if order.settings != self._status.now.controls:  # a change that an earlier attempt answered
            self.update(controls=dict(order.settings))
        return order

    def sync(self) -> None:
        """Make everything appended so far durable."""
        self.journal.sync()

    def settle(self, patience_s: float = FULL_DISK_PATIENCE_S) -> None:
        """Wait until every line is written.

        Raises:
            StorageError: the disk is full for longer than ``patience_s``.
        """
        deadline = time.monotonic() + patience_s
        while waiting := self.journal.waiting:
            if time.monotonic() > deadline or self._place.fault is not None:
                raise StorageError(
                    f"{self.paths.root}: the disk is full and {waiting} lines are not written; "
                    "make space and give --resume"
                )
            time.sleep(POLL_S)
            self._hang.progress()
            self.journal.retry()

    def end_comparison(self, env_steps: int) -> None:
        """Say how what was repeated compares, where the last record has not said so yet."""
        self._verdict.end(env_steps)

    def break_off_comparison(self, env_steps: int) -> None:
        """Compare no more records, for the run was told to stop before the last of them came again."""
        self._verdict.break_off(env_steps)

    def end(self, state: str, exit_code: int, reason: str = "") -> None:
        """Write the final status; commands still waiting are rejected with the reason.

        A run that another learner has taken over has its own end.
        """
        self.control.close(f"the run has ended: {state}")
        self._attendant.end()
        if self.journal.lease.lost:
            return
        self._inbox.poll()
        self.event(state, env_steps=self.status.env_steps, exit_code=exit_code, reason=reason)
        self._attendant.guarded(self.sync)
        self.update(state=state, phase="ended", exit_code=exit_code, reason=reason)
        self._status.save(sync=True)

    def _answer(self) -> None:
        """Answer commands, if they are for this learner."""
        if not self.journal.lease.lost:
            self._inbox.poll()

    def _beat(self) -> None:
        """Write the status and its heartbeat.

        Raises:
            RunInUseError: another learner has taken the run over.
        """
        self.journal.lease.check()
        self._status.save()

    def _go_on_from(self, history: History) -> None:
        """Bring the tables and the status to where the earlier rows end; write them where another run has them."""
        for lines in history.before.chunks():
            if history.of_another:
                self.journal.copy_rows([line.text for line in lines])
            for line in lines:
                self._take_in(line.row)
        for answer in history.answers if history.of_another == "replay" else ():
            self.journal.copy_event(answer)

    def _take_in(self, row: Mapping[str, Any]) -> None:
        """Bring the tables and what a listing shows up to date with a row of metrics."""
        self.journal.tabulate(row)
        kind = kind_of(row)
        if kind == "episode" and (last := row.get("episode/return")) is not None:
            self.update(last_return=last, recent_returns=[*self._status.now.recent_returns, last][-RECENT_RETURNS:])
        elif kind == "evaluation":
            self._take_in_evaluation(row["env_steps"], row.get("eval/return_mean"))

    def _take_in_evaluation(self, env_steps: int, mean: float | None) -> None:
        status = self._status.now
        solved = solved_at([(env_steps, mean)], status.threshold, status.solved_at)
        self.update(eval_return=mean, solved_at=solved)
        if mean is not None and (status.best_return is None or mean >= status.best_return):
            self.update(best_return=mean, best_at=env_steps)

    def _tell_answer(self, answer: Mapping[str, Any]) -> None:
        """Append the answer to a command; where it changed settings, the status has them at once."""
        self.journal.append_event(answer)
        status = self._status.now
        if answer["status"] == "applied" and answer["revision"] > status.revision:
            controls = {**status.controls, **answer["new"]}
            self.update(revision=answer["revision"], interactive=True, controls=controls)

    def _on_pause(self, paused: bool) -> None:
        self.enter("paused" if paused else "running")

    def _warn_now(self, reason: str) -> None:
        self.warn(self.status.env_steps, reason)


def _first_status(status: RunStatus, controls: Mapping[str, Any], history: History) -> RunStatus:
    """Return ``status`` as that of a process which begins or goes on now."""
    return msgspec.structs.replace(
        status,
        **this_process(),
        started=time.time(),
        controls=dict(controls),
        attempt=history.attempts + 1,
        revision=history.revision,
        interactive=history.interactive,
    )


def _position_in(history: History) -> tuple[int, float]:
    """Return seq and seconds of the last row before the run goes on."""
    last = history.before.facts.last or {}
    return last.get("seq", 0), last.get("time_s", 0.0)
