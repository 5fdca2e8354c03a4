"""Find the runs to follow, and the name of each below the folder that was given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mbpo.errors import ConfigError
from mbpo.runs.find import find_runs, is_run
from mbpo.runs.layout import RunPaths
from mbpo.settings.typed_path import expanded

Named = dict[Path, tuple[RunPaths, str]]


def named_runs(patterns: Sequence[str]) -> tuple[Named, list[str]]:
    """Return the runs that ``patterns`` name, each once with a name, and notes on what is left out.

    Raises:
        ConfigError: a pattern names no run.
    """
    found: Named = {}
    notes: dict[str, None] = {}
    for pattern in patterns:
        runs, said = find_runs([pattern])
        notes |= dict.fromkeys(said)
        folder = Path(expanded(pattern)).absolute()
        for paths in runs:
            below = paths.root.is_relative_to(folder) and paths.root != folder
            name = paths.root.relative_to(folder).as_posix() if below else paths.run_id
            found.setdefault(paths.root.resolve(), (paths, name))
    return found, list(notes)


def may_grow(patterns: Sequence[str]) -> bool:
    """Return whether other runs may come that ``patterns`` name."""
    return any(not is_run(Path(expanded(pattern))) for pattern in patterns)


def check_outside(into: Path) -> None:
    """Check that a folder is no part of a run: there only its learner writes.

    Raises:
        ConfigError: it is.
    """
    for folder in (into.absolute(), *into.absolute().parents):
        if is_run(folder):
            raise ConfigError(f"--into must lie outside of runs, but {into} is in the run {folder.name}; give another")
