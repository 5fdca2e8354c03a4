"""Save named tensors so that a crash, or a flipped bit, never passes for a checkpoint.

A checkpoint is a folder: ``NAME.safetensors`` for each part, ``NAME.json`` for each note, and
``manifest.json``, written last, with the hash of every file and its own.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mbpo.errors import CheckpointError, RecordError, refused
from mbpo.runs.hashes import MANIFEST, SCHEMA, SEAL, digest, read_manifest, read_verified, seal_of
from mbpo.runs.layout import make_durably, sync_directory
from mbpo.runs.records.json_text import decode

Parts = Mapping[str, Mapping[str, Tensor]]
Notes = Mapping[str, Mapping[str, Any]]


def pack(parts: Parts, notes: Notes | None = None) -> dict[str, bytes]:
    """Return the files of a checkpoint by name: what is changed later does not change them."""
    packed = {f"{name}.safetensors": pack_tensors(part) for name, part in parts.items()}
    for name, note in (notes or {}).items():
        packed[f"{name}.json"] = json.dumps(note, indent=1, allow_nan=False).encode()
    return packed


def pack_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors of any device as the bytes of a safetensors file."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def save_checkpoint(folder: Path, parts: Parts, facts: Mapping[str, Any]) -> None:
    """Write each part, then the manifest of ``facts`` and hashes.

    Raises:
        StorageError: the disk refuses.
    """
    write_checkpoint(folder, pack(parts), facts)


def write_checkpoint(folder: Path, packed: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
    """Write what :func:`pack` returned. The folder appears whole: it is renamed to its place.

    Raises:
        StorageError: the disk refuses.
    """
    building = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(building, ignore_errors=True)
        make_durably(folder.parent, 0o700)
        building.mkdir(mode=0o700)
        for name, data in packed.items():
            write_durably(building / name, data)
        hashes = {name: digest(data) for name, data in packed.items()}
        manifest = {"schema": SCHEMA, **facts, "sha256": hashes}
        manifest[SEAL] = seal_of(manifest)
        write_durably(building / MANIFEST, json.dumps(manifest, indent=1).encode())
        sync_directory(building)
        former = folder.with_name(f".{folder.name}.{os.getpid()}.old.tmp")
        if folder.exists():
            folder.rename(former)
        building.rename(folder)
        sync_directory(folder.parent)
        shutil.rmtree(former, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise refused(f"cannot save {folder}", error) from None


def load_checkpoint(folder: Path, part: str) -> dict[str, Tensor]:
    """Return the tensors of ``part`` after checking its hash.

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or has no such part.
    """
    name = f"{part}.safetensors"
    return unpack_tensors(folder / name, _read_listed(folder, name))


def load_note(folder: Path, note: str) -> dict[str, Any]:
    """Return ``note`` after checking its hash.

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or has no such note.
    """
    try:
        found = decode(_read_listed(folder, f"{note}.json"))
    except RecordError as error:
        raise CheckpointError(f"{folder / note}.json: {error}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{folder / note}.json: expected a JSON object, got {type(found).__name__}")
    return found


def unpack_tensors(path: Path, data: bytes) -> dict[str, Tensor]:
    """Return the tensors in the bytes of the safetensors file ``path``.

    Raises:
        CheckpointError: they are no such file's.
    """
    try:
        return load(data)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None


def write_durably(path: Path, data: bytes) -> None:
    """Write a new file and wait until the disk has its contents."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read_listed(folder: Path, name: str) -> bytes:
    hashes = read_manifest(folder)["sha256"]
    if name not in hashes:
        raise CheckpointError(f"{folder} lacks {name}")
    return read_verified(folder / name, hashes[name])
