"""Keep what the app remembers from one start to the next: small texts, in one folder, each in a file of its name.

The folder is the user's, not the runs': a folder of runs that cannot be written is no hindrance. Where nothing can be
kept, nothing is, and the app goes on.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mbpo.runs.files import open_to_read
from mbpo.runs.layout import write_atomic

MOST_BYTES = 1 << 16


def _file(name: str) -> Path:
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "mbpo-workbench" / name


def keep(name: str, text: str) -> None:
    """Keep ``text`` under ``name``, in place of what was there."""
    with contextlib.suppress(OSError, RuntimeError):
        target = _file(name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(target, text.encode("utf-8", "surrogateescape"), sync=False)


def kept(name: str) -> str:
    """Return the text under ``name``, nothing where there is none to read."""
    try:
        with open_to_read(_file(name)) as file:
            return file.read(MOST_BYTES).decode("utf-8", "surrogateescape")
    except (OSError, RuntimeError):
        return ""
