"""Keep what the app remembers from one start to the next, in a folder of the user's.

The folder is the user's, not the runs': a folder of runs that cannot be written is no hindrance. Where nothing can be
kept, nothing is, and the app goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from mbpo.runs.files import open_to_read
from mbpo.runs.layout import write_atomic

MOST_BYTES = 1 << 20


def of_root(name: str, root: Path) -> str:
    """Return the name under which something is kept for the runs under one root."""
    return f"{name}-{hashlib.sha256(str(root).encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


def place(name: str) -> Path:
    """Return the file that belongs to a name, in the folder for the state of programs.

    Raises:
        RuntimeError: no home is known.
    """
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "mbpo-workbench" / name


def keep(name: str, text: str) -> bool:
    """Keep ``text`` under ``name``, in place of what was there; return whether there was a place to keep it."""
    with contextlib.suppress(OSError, RuntimeError):
        target = place(name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(target, text.encode("utf-8", "surrogateescape"), sync=False)
        return True
    return False


def kept(name: str) -> str:
    """Return the text under ``name``, nothing where there is none to read."""
    try:
        with open_to_read(place(name)) as file:
            return file.read(MOST_BYTES).decode("utf-8", "surrogateescape")
    except (OSError, RuntimeError):
        return ""


def load(root: Path, key: str) -> Any:
    """Return what is kept under ``key`` for the runs under a root, as JSON has it; None where nothing can be read."""
    return _all(root).get(key)


def save(root: Path, key: str, value: Any) -> bool:
    """Keep ``value`` under ``key`` for the runs under a root; return whether there was a place to keep it."""
    return keep(of_root("memory", root), json.dumps({**_all(root), key: value}))


def _all(root: Path) -> dict[str, Any]:
    try:
        known = json.loads(kept(of_root("memory", root)))
    except (ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}
