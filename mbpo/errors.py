"""Name each thing that a user can mend, with the exit code that a shell sees.

Every message says what was expected, what was found and how to mend it.
"""

from __future__ import annotations

import errno
import sys


class MBPOError(Exception):
    """Be the parent of every error this package raises on purpose."""

    exit_code = 1


class ConfigError(MBPOError, ValueError):
    """Report a setting, command line or configuration file that cannot be used."""

    exit_code = 2


class EnvironmentFault(MBPOError):
    """Report an environment that cannot be made, or that broke its contract."""

    exit_code = 3


class EnvironmentOutOfMemory(EnvironmentFault):
    """Report an environment that found no memory."""

    exit_code = 8


class DivergedError(MBPOError):
    """Report a non-finite loss, gradient, observation or action."""

    exit_code = 4


class StorageError(MBPOError, OSError):
    """Report a run directory that cannot be written or read."""

    exit_code = 5


class RecordError(StorageError):
    """Report a record of a run that is not the JSON it should be."""


class NewerRecordError(RecordError):
    """Report a record that a newer version of this package wrote."""


def refused(what: str, error: OSError) -> StorageError:
    """Return ``error``, which kept us from ``what``, as one that a user can mend."""
    ours = StorageError(f"{what}: {error.strerror or error}")
    ours.errno = error.errno
    return ours


def is_full(error: OSError) -> bool:
    """Return whether there is no space on the disk, or none that the user may take."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class CheckpointError(MBPOError):
    """Report a checkpoint that is missing, damaged or of another shape."""

    exit_code = 6


class NewerCheckpointError(CheckpointError):
    """Report a checkpoint that a newer version of this package saved."""


class RunInUseError(MBPOError):
    """Report a run directory that belongs to another learner."""

    exit_code = 7


class ShapeError(MBPOError, ValueError):
    """Report a tensor whose shape, type or device is not the documented one."""


class CommandError(MBPOError, ValueError):
    """Report a control command that is malformed, out of range or stale."""


class Interrupted(KeyboardInterrupt):
    """Tell that the user asked a learner twice to stop: nothing that an environment raises."""


def report(error: MBPOError) -> int:
    """Say ``error`` in one line of at most 200 characters on stderr; return its exit code."""
    print(one_line(str(error)), file=sys.stderr, flush=True)
    return error.exit_code


def one_line(text: str) -> str:
    """Return ``text`` as an error of one line, at most 200 printable characters."""
    return f"error: {printable(' '.join(text.split()))}"[:200]


def printable(text: str) -> str:
    """Return ``text`` with every character that a terminal could obey written as an escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
