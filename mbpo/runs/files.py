"""Open the files of a run that someone else may have made: pipes and devices are refused."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_to_read(path: Path) -> BinaryIO:
    """Open a plain file, or a link to one.

    Raises:
        OSError: it cannot be opened, or it is something else: a pipe would be waited for.
    """
    return os.fdopen(_open(path, os.O_RDONLY), "rb")


def read_file(path: Path) -> bytes:
    """Return the contents of a plain file, or of a link to one.

    Raises:
        OSError: as :func:`open_to_read`.
    """
    with open_to_read(path) as file:
        return file.read()


def open_to_append(path: Path) -> int:
    """Return a descriptor that appends to a plain file, for its owner alone; make it if need be.

    Raises:
        OSError: it cannot be opened, or it is something else: a link would be written through.
    """
    return _open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW)


def _open(path: Path, flags: int) -> int:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, f"{path.name} is a link") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{path.name} is no plain file")
    return descriptor
