"""Find out whether saved files are whole: each has its hash in a manifest, which has its own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbpo.errors import CheckpointError, NewerCheckpointError, RecordError
from mbpo.runs.files import read_file
from mbpo.runs.records.json_text import decode, read_json

SCHEMA = 2
MANIFEST = "manifest.json"
SEAL = "manifest_sha256"
INDEX = "index.json"  # {"best": "policy-000001000", "final": …, "requested": …, "last": […]}
CHECKPOINT = re.compile(r"(step|policy)-[0-9]{9,18}\Z")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a checkpoint.

    Raises:
        CheckpointError: it is missing or damaged.
        NewerCheckpointError: a newer version wrote it.
    """
    try:
        manifest = decode(read_file(folder / MANIFEST))
        seal = manifest.pop(SEAL)
        schema = manifest["schema"]
        if type(schema) is int and schema > SCHEMA:
            raise NewerCheckpointError(
                f"{folder / MANIFEST} must have schema {SCHEMA} at most, got {schema}: use the mbpo that wrote it"
            )
        if not isinstance(manifest["sha256"], dict) or schema != SCHEMA:
            raise ValueError(f"schema {schema!r:.20}, not {SCHEMA}")
        if any("/" in name for name in manifest["sha256"]):
            raise ValueError("a file outside its folder")
    except FileNotFoundError:
        raise CheckpointError(f"{folder} lacks {MANIFEST}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder / MANIFEST}: unreadable manifest ({error!r:.80})") from None
    if seal_of(manifest) != seal:
        raise CheckpointError(f"{folder / MANIFEST} is damaged: its hash is not its own")
    found: dict[str, Any] = manifest
    return found


def verify_checkpoint(folder: Path) -> dict[str, Any]:
    """Check the hash of every file and return the manifest.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest["sha256"].items():
        read_verified(folder / name, expected)
    return manifest


def read_verified(path: Path, expected: str) -> bytes:
    """Return the bytes of a file whose SHA-256 is ``expected``.

    Raises:
        CheckpointError: it is missing, or its hash is another.
    """
    try:
        data = read_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} lacks {path.name}") from None
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from None
    if digest(data) != expected:
        raise CheckpointError(f"{path} is damaged: its hash is not the manifest's")
    return data


def segments_in(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the hashes of the segments that a checkpoint's manifest lists, by name."""
    listed = manifest.get("segments", {})
    return {str(k): str(v) for k, v in listed.items()} if isinstance(listed, dict) else {}


def read_index(folder: Path) -> dict[str, Any]:
    """Return which checkpoint each label names, nothing where the index cannot be read."""
    try:
        return read_json(folder / INDEX)
    except RecordError:
        return {}


def digest(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def seal_of(manifest: Mapping[str, Any]) -> str:
    """Return the hash of a manifest without its seal."""
    return digest(json.dumps(manifest, sort_keys=True).encode())
