"""Read the files that Weights & Biases writes offline: logs of LevelDB's format, of records of its own protobuf.

What a kill cut off at a file's end is passed over, as ``wandb sync`` does.
"""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

HEADER = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
BLOCK = 1 << 15
_CHUNK = struct.Struct("<IHB")  # checksum, length, kind
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
PATIENCE_S = 60.0


def files_of(into: Path, run_id: str) -> list[Path]:
    """Return a run's files, one of each time that it was followed, in order."""
    return sorted(into.glob(f"wandb/*run-*-{run_id}/run-{run_id}.wandb"))


def read_files(paths: list[Path], project: str) -> Iterator[tuple[int | None, dict[str, Any]]]:
    """Yield what files have of one run of a project: steps of its history, with their values, and news of its summary.

    Those of a summary have no step.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    for path in paths:
        ours = False
        for data in records_in(path):
            record = Record.FromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                ours = record.run.project == project
            elif kind == "history" and ours:
                yield record.history.step.num, _values(record.history.item)
            elif kind == "summary" and ours:
                yield None, _values(record.summary.update)


def records_in(path: Path) -> Iterator[bytes]:
    """Yield each whole record, up to the first part that is damaged or not there."""
    with path.open("rb") as file:
        if file.read(len(HEADER)) != HEADER:
            return
        parts: list[bytes] = []
        while True:
            left = BLOCK - file.tell() % BLOCK
            if left < _CHUNK.size:
                file.seek(left, 1)
            head = file.read(_CHUNK.size)
            if len(head) < _CHUNK.size:
                return
            checksum, length, kind = _CHUNK.unpack(head)
            data = file.read(length)
            if len(data) < length or zlib.crc32(head[6:] + data) != checksum:
                return
            parts = [data] if kind in (_FULL, _FIRST) else [*parts, data]
            if kind in (_FULL, _LAST):
                yield b"".join(parts)


def wait_for_writers(paths: list[Path]) -> None:
    """Wait until no process of wandb writes in the files: its own outlives a killed follower for a moment."""
    deadline = time.monotonic() + PATIENCE_S
    wanted = {str(path.resolve()) for path in paths}
    while wanted and time.monotonic() < deadline and _written(wanted):
        time.sleep(0.1)


def _written(wanted: set[str]) -> bool:
    for process in psutil.process_iter(["name"]):
        if "wandb" in (process.info["name"] or ""):
            try:
                if wanted & {file.path for file in process.open_files()}:
                    return True
            except psutil.Error:
                continue
    return False


def _values(items: Any) -> dict[str, Any]:
    found = {}
    for item in items:
        key = item.key or "/".join(item.nested_key)
        if not key.startswith("_"):
            try:
                found[key] = json.loads(item.value_json)
            except ValueError:
                continue
    return found
