"""Remember which run was in focus, so that reopening finds it again."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from mbpo.runs.layout import write_atomic


def _file(runs_root: Path) -> Path:
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    key = hashlib.sha256(str(runs_root).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return Path(home) / "mbpo-workbench" / f"focus-{key}"


def save_selected(runs_root: Path, path: Path) -> None:
    """Remember the run at ``path``; where nothing can be kept, nothing is."""
    with contextlib.suppress(OSError, RuntimeError):
        target = _file(runs_root)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = path.relative_to(runs_root) if path.is_relative_to(runs_root) else path.name
        write_atomic(target, str(name).encode("utf-8", "surrogateescape"), sync=False)


def load_selected(runs_root: Path) -> Path | None:
    """Return the run last in focus under this root, if it is still there."""
    try:
        name = _file(runs_root).read_bytes().decode("utf-8", "surrogateescape")
    except (OSError, RuntimeError):
        return None
    path = runs_root / name
    inside = name and not Path(name).is_absolute() and ".." not in Path(name).parts
    return path if inside and path.is_dir() else None
