"""Write a file for the user: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mbpo.errors import ConfigError, is_full, refused
from mbpo.settings.setting import shown


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of ``path`` once the block is done; where it raises, all stays as it was.

    What is there and no plain file, ``/dev/stdout`` say, is written to at once.

    Raises:
        ConfigError: ``path`` cannot be written: its folder is missing, say.
        StorageError: the disk is full.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
        else:
            with _replacing(path.resolve()) as file:
                yield file
    except OSError as error:
        what = f"cannot write {shown(str(path))}"
        if is_full(error):
            raise refused(what, error) from None
        reason = error.strerror or error
        raise ConfigError(f"{what}: {reason}; give a file in a folder that exists and is yours") from None


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    building = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with building.open("wb") as file:
            yield file
        building.replace(path)
    finally:
        with contextlib.suppress(OSError):
            building.unlink(missing_ok=True)
