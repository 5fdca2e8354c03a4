"""Spell a command as a file, send it, and read it without trusting it.

A command is a file in the run's inbox (``control/``), written by :func:`send`; its answer is an
event in ``events.jsonl``, which :func:`wait_for_answer` finds.
"""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from mbpo.errors import CommandError, ConfigError, RecordError, StorageError
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.records.json_text import decode, decode_command
from mbpo.runs.rows import JsonLines, Row

ACTIONS = ("pause", "resume", "checkpoint", "stop")
MAX_COMMAND_BYTES = 64 * 1024
SCHEMA = 1
COMMAND_KEYS = frozenset({"schema", "id", "issued_at", "by", "set", "action", "expect_revision"})
COMMAND_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")

Check = Callable[[object], Any]  # returns the value, or raises ConfigError


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Hold one request: either ``settings`` or an ``action``.

    ``schema`` is not written while it is 1: a learner of an older version takes it for an unknown key.
    """

    id: str
    issued_at: float = 0.0  # Unix seconds
    by: str = ""
    settings: dict[str, Any] | None = msgspec.field(default=None, name="set")
    action: str | None = None
    expect_revision: int | None = None
    schema: int = SCHEMA


def parse_command(data: bytes, checks: Mapping[str, Check]) -> Command:
    """Return the command that ``data`` spells.

    Raises:
        CommandError: it is malformed, oversized, deep or non-finite, or a value is out of range.
    """
    if len(data) > MAX_COMMAND_BYTES:
        raise CommandError(f"expected at most {MAX_COMMAND_BYTES} bytes")
    try:
        content = decode_command(data)
    except RecordError as error:
        raise CommandError(str(error)) from None
    if not isinstance(content, dict):
        raise CommandError(f"expected a JSON object, got {type(content).__name__}")
    schema = _schema(content.get("schema", SCHEMA))
    if unknown := sorted(set(content) - COMMAND_KEYS):
        raise CommandError(f"unknown key {unknown[0][:40]!a}")
    if ("set" in content) == ("action" in content):
        raise CommandError('expected either "set" or "action"')
    return Command(
        schema=schema,
        issued_at=_seconds(content.get("issued_at", 0.0)),
        id=_command_id(content.get("id")),
        by=_text(content.get("by", "")),
        settings=_settings(content["set"], checks) if "set" in content else None,
        action=_action(content["action"]) if "action" in content else None,
        expect_revision=_revision(content.get("expect_revision")),
    )


def _schema(value: object) -> int:
    if type(value) is not int or value != SCHEMA:
        raise CommandError(f"schema must be {SCHEMA}, got {str(value)[:20]!a}: the sender is of another version")
    return value


def _command_id(value: object) -> str:
    if not isinstance(value, str) or not COMMAND_ID.match(value):
        raise CommandError("id must be 1 to 64 of A-Z a-z 0-9 . _ -")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e15:
        raise CommandError("issued_at must be a finite number of seconds")
    return float(value)


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


def command_id_in(data: bytes) -> str | None:
    """Return the id that a refused command bears, so that its sender gets the answer."""
    with contextlib.suppress(RecordError):
        content = decode(data[: MAX_COMMAND_BYTES + 1])
        own = content.get("id") if isinstance(content, dict) else None
        return own if isinstance(own, str) and COMMAND_ID.match(own) else None
    match = re.search(rb'"id"\s*:\s*"([A-Za-z0-9._-]{1,64})"', data[:MAX_COMMAND_BYTES])
    return match[1].decode() if match else None


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
    command = Command(
        id=str(uuid.uuid4()),
        issued_at=time.time(),
        by=by,
        settings=None if settings is None else dict(settings),
        action=action,
        expect_revision=expect_revision,
    )
    try:
        write_json(paths.inbox / f"{command.id}.json", msgspec.to_builtins(command))
    except OSError as error:
        raise StorageError(f"cannot write {paths.inbox}: {error.strerror}") from None
    return command.id


def answers(paths: RunPaths) -> Iterator[Row | None]:
    """Yield every answer in ``events.jsonl`` as it comes, and None when there is no more yet."""
    events = JsonLines(paths.events)
    while True:
        rows = events.poll()
        yield from (row for row in rows if row.get("event") == "control")
        if not rows:
            yield None


def wait_for_answer(paths: RunPaths, command_id: str, timeout_s: float = 30.0) -> Row | None:
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
