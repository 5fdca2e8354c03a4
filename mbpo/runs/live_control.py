"""Obey commands while the learner works: each gets exactly one answer, within a second.

The attendant thread reads the run's inbox; :class:`LiveControl` checks each command, appends the answer to
``events.jsonl`` and only then lets the loop see it, at the env-step boundary that the answer names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mbpo.errors import CommandError
from mbpo.runs.command import Check, Command, command_id_in, parse_command
from mbpo.runs.records.event import Answer

_STATE_AFTER = {"pause": "paused", "resume": "running", "stop": "stopping"}


@dataclass(frozen=True)
class InForce:
    """Hold what the loop obeys from an env-step boundary on."""

    settings: Mapping[str, Any]
    stop: bool = False
    checkpoint: bool = False


class LiveControl:
    """Answer commands at any moment; hand their effects to the loop at env-step boundaries."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        initial: Mapping[str, Any],
        answer: Callable[[dict[str, Any]], None],  # told each as an event
        changes: Sequence[tuple[int, Mapping[str, Any]]] = (),
        answered: Iterable[str] = (),
        revision: int = 0,
    ) -> None:
        """Begin with ``initial``; the rest is what an earlier attempt answered.

        ``changes`` come into force at the env steps they name, unless a new command to the same
        setting comes before.
        """
        self._checks = checks
        self._settings = dict(initial)  # as of the newest answer
        self._answer = answer
        self._changed = threading.Condition()
        self._next_boundary = 0
        self._answered = set(answered)
        self._changes = list(changes)
        self._checkpoint = False
        self._closed = ""
        self.revision = revision
        self.paused = False
        self.stopping = False
        self.hurried = False

    @property
    def settings(self) -> dict[str, Any]:
        """Return a copy of the newest accepted values."""
        with self._changed:
            return dict(self._settings)

    def at_boundary(self, env_steps: int, on_pause: Callable[[bool], None], holds_from: int | None = None) -> InForce:
        """Return what holds from ``env_steps`` on; wait here while the run is paused.

        A command that comes later is answered to hold from the next env step, or ``holds_from``.

        ``on_pause(True)`` is called when a wait begins and ``on_pause(False)`` when it ends.
        After a checkpoint the loop asks again at the same boundary: the run may still be paused.
        """
        with self._changed:
            self._next_boundary = env_steps if holds_from is None else holds_from
            waited = self.paused and not self.stopping
            if waited:
                on_pause(True)
            while self.paused and not self.stopping and not self._checkpoint:
                self._changed.wait(timeout=0.2)  # signals are handled between waits
            if waited and not self.paused:
                on_pause(False)
            while self._changes and self._changes[0][0] <= env_steps:
                self._settings.update(self._changes.pop(0)[1])
            checkpoint, self._checkpoint = self._checkpoint, False
            if holds_from is None:
                self._next_boundary = env_steps + (0 if checkpoint else 1)
            return InForce(dict(self._settings), self.stopping, checkpoint)

    def request_stop(self, hurried: bool = False) -> None:
        """Stop at the next boundary, as a signal asks; ``hurried``: with what must be saved, and no more."""
        self.hurried = self.hurried or hurried
        self.stopping = True  # no lock: a signal handler may interrupt its holder

    def handle(self, data: bytes, fallback_id: str) -> None:
        """Check one command and answer it, unless its id has its answer already."""
        with self._changed:
            try:
                command = parse_command(data, self._checks)
            except CommandError as error:
                self._reject(command_id_in(data) or fallback_id, str(error))
                return
            if command.id in self._answered:
                return
            try:
                self._apply(command)
            except CommandError as error:
                self._reject(command.id, str(error), command)
            self._changed.notify_all()

    def reject_unread(self, command_id: str, reason: str) -> None:
        """Answer a command whose file could not be read."""
        with self._changed:
            self._reject(command_id, reason)

    def close(self, reason: str) -> None:
        """Reject every later command with ``reason``."""
        with self._changed:
            self._closed = reason

    def _apply(self, command: Command) -> None:
        if self._closed or self.stopping:
            raise CommandError(self._closed or "the run is stopping")
        if command.expect_revision not in (None, self.revision):
            raise CommandError(f"stale: expected revision {command.expect_revision}, it is {self.revision}")
        if command.action in ("pause", "resume") and self.paused == (command.action == "pause"):
            raise CommandError(f"the run is {'already' if self.paused else 'not'} paused")
        action, settings = command.action or "", command.settings or {}
        if settings:
            old = {name: self._settings[name] for name in settings}
            revision, new = self.revision + 1, dict(settings)
        else:
            revision, old = self.revision, {"state": "paused" if self.paused else "running"}
            new = {"state": _STATE_AFTER.get(action, old["state"])}
        self._write(command.id, "applied", command, old=old, new=new, revision=revision)
        self.revision = revision
        self._settings.update(settings)
        self._changes = [(at, {k: v for k, v in new.items() if k not in settings}) for at, new in self._changes]
        self.paused = {"pause": True, "resume": False}.get(action, self.paused)
        self.stopping = self.stopping or action == "stop"
        self._checkpoint = self._checkpoint or action == "checkpoint"

    def _reject(self, command_id: str, reason: str, command: Command | None = None) -> None:
        if command_id not in self._answered:
            self._write(command_id, "rejected", command, reason=reason, revision=self.revision)

    def _write(
        self, command_id: str, status: Literal["applied", "rejected"], command: Command | None, **facts: Any
    ) -> None:
        asked: dict[str, Any] = {} if command is None else {"by": command.by, "action": command.action}
        answer = Answer(id=command_id, status=status, at_env_steps=self._next_boundary, **asked, **facts)
        self._answer(answer.to_event())
        self._answered.add(command_id)
