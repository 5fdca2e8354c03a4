"""Steer a running learner: commands come in as files, each gets exactly one answer.

A command is a file in the run's inbox (``control/``), written by :func:`send`. The learner's
attendant thread reads it with :class:`Inbox`; :class:`LiveControl` checks it, appends the answer to
``events.jsonl`` and only then lets the loop see it, at the env-step boundary the answer names.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mbpo.errors import CommandError, ConfigError, StorageError
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.reader import JsonLines

ACTIONS = ("pause", "resume", "checkpoint", "stop")
MAX_COMMAND_BYTES = 64 * 1024
COMMAND_KEYS = frozenset({"id", "issued_at", "by", "set", "action", "expect_revision"})
COMMAND_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")

Check = Callable[[object], Any]  # returns the value, or raises ConfigError
Answer = dict[str, Any]


@dataclass(frozen=True)
class Command:
    """Hold one well-formed request: either ``settings`` or an ``action``."""

    id: str
    by: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    action: str = ""
    expect_revision: int | None = None


def parse_command(data: bytes, checks: Mapping[str, Check]) -> Command:
    """Return the command that ``data`` spells.

    Raises:
        CommandError: it is malformed, oversized, deep or non-finite, or a value is out of range.
    """
    if len(data) > MAX_COMMAND_BYTES:
        raise CommandError(f"expected at most {MAX_COMMAND_BYTES} bytes")
    try:
        content = json.loads(
            data, parse_constant=_refuse_constant, object_pairs_hook=_refuse_doubles
        )
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise CommandError(f"expected JSON: {reason[:120]}") from None
    if not isinstance(content, dict):
        raise CommandError(f"expected a JSON object, got {type(content).__name__}")
    if unknown := sorted(set(content) - COMMAND_KEYS):
        raise CommandError(f"unknown key {unknown[0][:40]!a}")
    if ("set" in content) == ("action" in content):
        raise CommandError('expected either "set" or "action"')
    _check_time(content.get("issued_at", 0))
    return Command(
        id=_command_id(content.get("id")),
        by=_text(content.get("by", "")),
        settings=_settings(content["set"], checks) if "set" in content else {},
        action=_action(content["action"]) if "action" in content else "",
        expect_revision=_revision(content.get("expect_revision")),
    )


def _refuse_constant(name: str) -> None:
    raise CommandError(f"{name} is not a finite number")


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise CommandError("a key stands twice")
    return dict(pairs)


def _command_id(value: object) -> str:
    if not isinstance(value, str) or not COMMAND_ID.match(value):
        raise CommandError("id must be 1 to 64 of A-Z a-z 0-9 . _ -")
    return value


def _check_time(value: object) -> None:
    if type(value) not in (int, float) or not abs(value) < 1e15:  # type: ignore[arg-type]
        raise CommandError("issued_at must be a finite number of seconds")


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise CommandError("by must be text of at most 200 characters")
    return value


def _settings(value: object, checks: Mapping[str, Check]) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise CommandError('"set" must name at least one setting')
    for name in value:
        if name not in checks:
            valid = ", ".join(checks)
            raise CommandError(f"{name[:40]!a} cannot change in a running learner; valid: {valid}")
    try:
        return {name: checks[name](given) for name, given in value.items()}
    except ConfigError as error:
        raise CommandError(str(error)) from None


def _action(value: object) -> str:
    if value not in ACTIONS:
        raise CommandError(f"action must be one of {', '.join(ACTIONS)}")
    return str(value)


def _revision(value: object) -> int | None:
    if value is None or (type(value) is int and value >= 0):
        return value
    raise CommandError("expect_revision must be a whole number from 0")


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
        answer: Callable[[Answer], None],
    ) -> None:
        self._checks = checks
        self._settings = dict(initial)  # as of the newest answer
        self._answer = answer
        self._changed = threading.Condition()
        self._next_boundary = 0
        self._answered: set[str] = set()
        self._checkpoint = False
        self._closed = ""
        self.revision = 0
        self.paused = False
        self.stopping = False

    @property
    def settings(self) -> dict[str, Any]:
        """Return a copy of the newest accepted values."""
        with self._changed:
            return dict(self._settings)

    def at_boundary(self, env_steps: int, on_pause: Callable[[bool], None]) -> InForce:
        """Return what holds from ``env_steps`` on; wait here while the run is paused.

        ``on_pause(True)`` is called when a wait begins and ``on_pause(False)`` when it ends.
        After a checkpoint the loop asks again at the same boundary: the run may still be paused.
        """
        with self._changed:
            self._next_boundary = env_steps
            waited = self.paused and not self.stopping
            if waited:
                on_pause(True)
            while self.paused and not self.stopping and not self._checkpoint:
                self._changed.wait(timeout=0.2)  # signals are handled between waits
            if waited and not self.paused:
                on_pause(False)
            checkpoint, self._checkpoint = self._checkpoint, False
            self._next_boundary = env_steps + (0 if checkpoint else 1)
            return InForce(dict(self._settings), self.stopping, checkpoint)

    def request_stop(self) -> None:
        """Stop at the next boundary, as a signal asks."""
        self.stopping = True  # no lock: a signal handler may interrupt its holder

    def handle(self, data: bytes, fallback_id: str) -> None:
        """Check one command and answer it, unless its id has its answer already."""
        with self._changed:
            try:
                command = parse_command(data, self._checks)
            except CommandError as error:
                self._reject(_id_in(data) or fallback_id, str(error))
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
            raise CommandError(
                f"stale: expected revision {command.expect_revision}, it is {self.revision}"
            )
        if command.action in ("pause", "resume") and self.paused == (command.action == "pause"):
            raise CommandError(f"the run is {'already' if self.paused else 'not'} paused")
        if command.settings:
            old = {name: self._settings[name] for name in command.settings}
            revision, new = self.revision + 1, dict(command.settings)
        else:
            revision, old = self.revision, {"state": "paused" if self.paused else "running"}
            new = {"state": _STATE_AFTER.get(command.action, old["state"])}
        self._write(command.id, "applied", command, old=old, new=new, revision=revision)
        self.revision = revision
        self._settings.update(command.settings)
        self.paused = {"pause": True, "resume": False}.get(command.action, self.paused)
        self.stopping = self.stopping or command.action == "stop"
        self._checkpoint = self._checkpoint or command.action == "checkpoint"

    def _reject(self, command_id: str, reason: str, command: Command | None = None) -> None:
        if command_id not in self._answered:
            self._write(command_id, "rejected", command, reason=reason, revision=self.revision)

    def _write(self, command_id: str, status: str, command: Command | None, **facts: Any) -> None:
        asked: dict[str, Any] = {}
        if command is not None:
            asked = {"by": command.by}
            asked |= {"action": command.action} if command.action else {}
        self._answer(
            {
                "event": "control", "id": command_id, "status": status,
                "at_env_steps": self._next_boundary, **asked, **facts,
            }
        )  # fmt: skip
        self._answered.add(command_id)


_STATE_AFTER = {"pause": "paused", "resume": "running", "stop": "stopping"}


def _id_in(data: bytes) -> str | None:
    """Return the id that a refused command bears, so that its sender gets the answer."""
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(data[: MAX_COMMAND_BYTES + 1])
        own = content.get("id") if isinstance(content, dict) else None
        return own if isinstance(own, str) and COMMAND_ID.match(own) else None
    match = re.search(rb'"id"\s*:\s*"([A-Za-z0-9._-]{1,64})"', data[:MAX_COMMAND_BYTES])
    return match[1].decode() if match else None


class Inbox:
    """Hand the files of ``control/`` to a :class:`LiveControl`, oldest first."""

    def __init__(self, paths: RunPaths, control: LiveControl) -> None:
        self._paths = paths
        self._control = control

    def poll(self) -> None:
        """Answer every command that lies there, then delete its file."""
        for path in self._waiting():
            self._take(path)
            with contextlib.suppress(OSError):  # a folder that holds something stays
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    def _waiting(self) -> list[Path]:
        try:
            entries = [e for e in os.scandir(self._paths.inbox) if not e.name.startswith(".")]
            return [Path(e.path) for e in sorted(entries, key=_age)]
        except OSError:
            return []

    def _take(self, path: Path) -> None:
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", path.name.removesuffix(".json"))[:64] or "_"
        try:
            data = _read_command(path)
        except OSError as error:
            self._control.reject_unread(stem, f"cannot read: {error.strerror or error}")
        else:
            self._control.handle(data, stem)


def _age(entry: os.DirEntry[str]) -> tuple[int, str]:
    try:
        return (entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
    except OSError:
        return (0, entry.name)


def _read_command(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "not a regular file")
        return os.read(descriptor, MAX_COMMAND_BYTES + 1)
    finally:
        os.close(descriptor)


def send(
    paths: RunPaths,
    *,
    settings: Mapping[str, Any] | None = None,
    action: str | None = None,
    by: str = "",
    expect_revision: int | None = None,
) -> str:
    """Put one command into the run's inbox and return its id.

    Raises:
        StorageError: the inbox cannot be written.
    """
    command: dict[str, Any] = {"id": str(uuid.uuid4()), "issued_at": time.time(), "by": by}
    command |= {"set": dict(settings)} if settings is not None else {}
    command |= {"action": action} if action is not None else {}
    command |= {"expect_revision": expect_revision} if expect_revision is not None else {}
    try:
        write_json(paths.inbox / f"{command['id']}.json", command)
    except OSError as error:
        raise StorageError(f"cannot write {paths.inbox}: {error.strerror}") from None
    return str(command["id"])


def answers(paths: RunPaths) -> Iterator[Answer | None]:
    """Yield every answer in ``events.jsonl`` as it comes, and None when there is no more yet."""
    events = JsonLines(paths.events)
    while True:
        rows = events.poll()
        yield from (row for row in rows if row.get("event") == "control")
        if not rows:
            yield None


def wait_for_answer(paths: RunPaths, command_id: str, timeout_s: float = 30.0) -> Answer | None:
    """Return the answer to ``command_id``, or None when none came in time."""
    deadline = time.monotonic() + timeout_s
    for answer in answers(paths):
        if answer is not None and answer.get("id") == command_id:
            return answer
        if answer is None:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.02)
    return None
