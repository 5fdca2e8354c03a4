"""Save named tensors so that a crash, or a flipped bit, never passes for a checkpoint."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mbpo.errors import CheckpointError, StorageError

SCHEMA = 1


def save_checkpoint(
    folder: Path, parts: Mapping[str, Mapping[str, Tensor]], facts: Mapping[str, Any]
) -> None:
    """Write each part as ``NAME.safetensors``, then the manifest with their hashes, then the name.

    The folder appears whole: it is written beside its place and renamed.

    Raises:
        StorageError: the disk refuses.
    """
    building = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(building, ignore_errors=True)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        building.mkdir(mode=0o700)
        payloads = {f"{name}.safetensors": save(_plain(part)) for name, part in parts.items()}
        for name, data in payloads.items():
            _write_durably(building / name, data)
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in payloads.items()}
        manifest = {"schema": SCHEMA, **facts, "sha256": hashes}
        _write_durably(building / "manifest.json", json.dumps(manifest, indent=1).encode())
        if folder.exists():
            shutil.rmtree(folder)
        building.rename(folder)
    except OSError as error:
        raise StorageError(f"cannot save {folder}: {error.strerror}") from None


def load_checkpoint(folder: Path, part: str) -> dict[str, Tensor]:
    """Return the tensors of ``part`` after checking its hash.

    Raises:
        CheckpointError: the checkpoint is missing or damaged, or has no such part.
    """
    name = f"{part}.safetensors"
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        expected = manifest["sha256"][name]
        data = (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} lacks {Path(error.filename).name}") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{folder}: unreadable manifest ({error!r:.80})") from None
    if hashlib.sha256(data).hexdigest() != expected:
        raise CheckpointError(f"{folder / name} is damaged: its hash is not the manifest's")
    try:
        return load(data)
    except SafetensorError as error:
        raise CheckpointError(f"{folder / name} is damaged: {error}") from None


def _plain(part: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in part.items()}


def _write_durably(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
