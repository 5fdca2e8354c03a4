"""Remember which run was in focus, so that reopening finds it again."""

from __future__ import annotations

from pathlib import Path

from workbench.memory import keep, kept, of_root


def _name(runs_root: Path) -> str:
    return of_root("focus", runs_root)


def save_selected(runs_root: Path, path: Path) -> None:
    """Remember the run at ``path``; where nothing can be kept, nothing is."""
    name = path.relative_to(runs_root) if path.is_relative_to(runs_root) else path.name
    keep(_name(runs_root), str(name))


def load_selected(runs_root: Path) -> Path | None:
    """Return the run last in focus under this root, if it is still there."""
    name = kept(_name(runs_root))
    inside = name and "\0" not in name and not Path(name).is_absolute() and ".." not in Path(name).parts
    path = runs_root / name
    return path if inside and path.is_dir() else None
