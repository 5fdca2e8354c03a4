"""Find runs by name, folder or pattern: the same ones for every command and for the app.

A run is a folder with a ``status.json``, or with a ``config.toml`` and a ``metrics.jsonl``. Those below a folder are
found at any depth, but not inside a run or in hidden folders. A link counts as what it leads to: a run, or a folder
with runs directly in it. Whatever ways lead to a run, it counts once.
"""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mbpo.errors import ConfigError, printable
from mbpo.runs.layout import RunPaths
from mbpo.settings.typed_path import expanded

MOST_FOLDERS = 2000  # that are no runs, looked through below one
FILES_OF_A_RUN = (("status.json",), ("config.toml", "metrics.jsonl"))  # all of either

Identity = tuple[int, int]  # of a file or folder, whatever leads to it


@dataclass
class RunsFound:
    """Hold the runs below a folder, in order, and what is to be said of what was passed over."""

    runs: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)  # looked through, links too


def find_runs(patterns: Sequence[str]) -> tuple[list[RunPaths], list[str]]:
    """Return each run with settings and metrics that ``patterns`` name, and notes on what is left out.

    Patterns are run directories, folders of them, and globs.

    Raises:
        ConfigError: a pattern names no directory, or none that is such a run or holds one.
    """
    found: dict[Identity | None, RunPaths] = {}
    notes: dict[str, None] = {}
    for pattern in patterns:
        searches = [runs_below(folder) for folder in _folders(pattern)]
        runs = [RunPaths(_named(run)) for search in searches for run in search.runs]
        usable = [paths for paths in runs if paths.config.exists() and paths.metrics.exists()]
        if not usable:
            raise ConfigError(
                f"{_short(pattern)} is not a run and holds none: expected config.toml and "
                "metrics.jsonl; give a folder that python -m mbpo.train made"
            )
        for paths in usable:
            found.setdefault(_identity(paths.root), paths)
        notes |= dict.fromkeys(note for search in searches for note in search.notes)
        lacking = (paths for paths in runs if paths not in usable)
        notes |= dict.fromkeys(f"{printable(p.run_id)} is left out: no config.toml or metrics.jsonl" for p in lacking)
    return list(found.values()), list(notes)


def runs_below(root: Path, known: Collection[Path] = ()) -> RunsFound:
    """Return ``root`` if it is a run, else those below it; what is ``known`` to be a run is not looked at."""
    found = RunsFound()
    if is_run(root):
        found.runs.append(root)
        return found
    links: list[Path] = []
    looked: list[Path] = []
    waiting = deque([root])
    while waiting and len(looked) < MOST_FOLDERS:
        looked.append(waiting.popleft())
        for path, is_link in _folders_in(looked[-1], found.notes):
            (links if is_link else found.runs if path in known or is_run(path) else waiting).append(path)
    if waiting:
        found.notes.append(f"{_short(root)}: only {MOST_FOLDERS:,} folders in it are looked through for runs")
    seen = {_identity(path) for path in (*looked, *found.runs)} if links else set()
    for link in links:
        _follow(link, found, seen)
    found.runs.sort()
    found.folders = [*looked, *links]
    return found


def is_run(folder: Path) -> bool:
    """Return whether ``folder`` is the directory of a run."""
    return any(all(_identity(folder / name) for name in names) for names in FILES_OF_A_RUN)


def _follow(link: Path, found: RunsFound, seen: set[Identity | None]) -> None:
    """Take the run that ``link`` leads to, or those directly in the folder that it leads to; each once."""
    if (target := _identity(link)) is None:
        found.notes.append(f"{_short(link)} is a link that leads nowhere")
    elif target in seen:
        found.notes.append(f"{_short(link)} is a link to what is there already: counted once")
    elif is_run(link):
        seen.add(target)
        found.runs.append(link)
    else:
        seen.add(target)
        below = [path for path, _ in _folders_in(link, found.notes)]
        runs = {_identity(path): path for path in below if is_run(path)}
        found.runs += [path for identity, path in runs.items() if identity not in seen]
        seen |= set(runs)
        if others := sum(not is_run(path) for path in below):
            found.notes.append(
                f"{_short(link)} is a link: {others} folders in it that are no runs are not looked through"
            )


def _folders_in(folder: Path, notes: list[str]) -> Iterator[tuple[Path, bool]]:
    """Yield the folders in ``folder`` and the links that lead to one or to nowhere, each with whether it is a link."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        notes.append(f"{_short(folder)} cannot be looked through: {error.strerror}")
        return
    for entry in entries:
        path, is_link = Path(entry.path), entry.is_symlink()
        leads_nowhere = is_link and _identity(path) is None
        if not entry.name.startswith(".") and (leads_nowhere or entry.is_dir()):
            yield path, is_link


def _folders(pattern: str) -> list[Path]:
    """Return the folders that a pattern names."""
    pattern = expanded(pattern)
    if pattern.endswith("/**"):
        pattern = pattern.removesuffix("**")  # what is below a folder is looked through anyway
    if Path(pattern).is_dir():
        return [Path(pattern)]
    names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  Path takes no absolute one
    folders = [Path(name) for name in names if Path(name).is_dir()]
    if not folders:
        what = "is a file" if Path(pattern).exists() else "does not exist"
        raise ConfigError(
            f"expected a run directory or a folder of runs, but {_short(pattern)} {what}; "
            "python -m mbpo.train prints where its run is"
        )
    return folders


def _named(run: Path) -> Path:
    """Return the whole path of a run as it was found, links kept: their names are the runs'."""
    return run.resolve() if ".." in run.parts else run.absolute()


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _short(path: Path | str) -> str:
    text = printable(str(path))
    return text if len(text) <= 60 else "..." + text[-57:]
