"""Lock files so that the kernel lets go when the process that holds one ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from mbpo.runs.files import open_to_append
from mbpo.runs.layout import RunPaths


def try_lock(descriptor: int, *, shared: bool = False) -> bool | None:
    """Return whether the file is locked now, for this descriptor; None where the file system has no locks."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock on a file; where there is no file, or there are no locks, none does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return try_lock(descriptor, shared=True) is False
    finally:
        os.close(descriptor)


def take(path: Path) -> int | None:
    """Return a descriptor that holds the lock on a file, which is made if need be; None where another has it.

    Raises:
        OSError: the file cannot be opened, or the file system has no locks.
    """
    descriptor = open_to_append(path)
    taken = try_lock(descriptor)
    if taken:
        return descriptor
    os.close(descriptor)
    if taken is None:
        raise OSError(None, "the file system has no locks")
    return None


def is_locked(paths: RunPaths) -> bool | None:
    """Return whether a learner has the run, be it in another container; None where there are no locks to tell."""
    with claimed(paths) as taken:
        return None if taken is None else not taken


@contextlib.contextmanager
def claimed(paths: RunPaths) -> Iterator[bool | None]:
    """Have a run to oneself for a while; yield False where a learner has it, None where there are no locks to tell."""
    try:
        descriptor = open_to_append(paths.metrics)
    except OSError:
        yield None
        return
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)
