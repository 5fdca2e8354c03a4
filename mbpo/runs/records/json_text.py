"""Parse JSON that anyone may have written: the one place for every file of a run.

msgspec reads a row seven times as fast as :mod:`json` and refuses what is no JSON. What it refuses is read a second
time by :mod:`json`, for a lone surrogate that an event quotes is valid, and a NaN spoils one value, not its row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mbpo.errors import CommandError, NewerRecordError, RecordError
from mbpo.runs.files import open_to_read

MOST_BYTES = 1 << 20  # of a file that is read whole
TOO_DEEP = "expected JSON: nested too deep"

_fast = msgspec.json.Decoder()


def decode(data: bytes) -> Any:
    """Return what ``data`` spells; of a key that stands twice the last value counts.

    Raises:
        RecordError: it is no JSON, or nested too deep.
    """
    try:
        return _fast.decode(data)
    except RecursionError:
        raise RecordError(TOO_DEEP) from None
    except ValueError:
        return _decode_slowly(data)


def decode_command(data: bytes) -> Any:
    """Return what ``data`` spells, which nobody may read in two ways.

    Raises:
        CommandError: it has a key twice, NaN or an infinity.
        RecordError: it is no JSON, or nested too deep.
    """
    return _decode_slowly(data, parse_constant=_refuse_constant, object_pairs_hook=_refuse_doubles)


def encode(content: object) -> str:
    """Return ``content`` as one line of ASCII.

    Raises:
        RecordError: it holds a number that is not finite, or is nested too deep.
    """
    try:
        return json.dumps(content, allow_nan=False, default=str)
    except (RecursionError, ValueError) as error:
        raise RecordError(f"cannot be JSON: {str(error)[:100]}") from None


def read_json(path: Path, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """Return the JSON object in a plain file.

    Raises:
        RecordError: the file cannot be read, is too large, or holds anything else.
    """
    try:
        with open_to_read(path) as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}") from None
    if len(data) > most_bytes:
        raise RecordError(f"{path} is larger than {most_bytes} bytes")
    try:
        content = decode(data)
    except RecordError as error:
        raise RecordError(f"cannot read {path}: {error}") from None
    if not isinstance(content, dict):
        raise RecordError(f"cannot read {path}: expected a JSON object, got {type(content).__name__}")
    return content


def check_version(path: Path, content: Mapping[str, Any], newest: int) -> None:
    """Check that a record is of a schema that this version knows; one without a version is of the first.

    Raises:
        NewerRecordError: it is of a newer one.
    """
    schema = content.get("schema", 1)
    if type(schema) is int and schema > newest:
        raise NewerRecordError(
            f"{path} must have schema {newest} at most, got {str(schema)[:12]}: use the mbpo that wrote it"
        )


def _decode_slowly(data: bytes, **hooks: Any) -> Any:
    try:
        return json.loads(data, **hooks)
    except RecursionError:
        raise RecordError(TOO_DEEP) from None
    except CommandError:
        raise
    except ValueError as error:
        raise RecordError(f"expected JSON: {str(error)[:120]}") from None


def _refuse_constant(name: str) -> None:
    raise CommandError(f"{name} is not a finite number")


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise CommandError("a key stands twice")
    return dict(pairs)
