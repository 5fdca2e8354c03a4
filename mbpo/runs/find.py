"""Find run directories by name, folder or pattern."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mbpo.errors import ConfigError
from mbpo.runs.layout import RunPaths
from mbpo.settings.typed_path import expanded


def find_runs(patterns: Sequence[str]) -> list[RunPaths]:
    """Return each run that ``patterns`` name, once: run directories, folders of them, globs.

    Raises:
        ConfigError: a pattern names no directory, or none that is a run or holds one.
    """
    found: dict[Path, RunPaths] = {}
    for pattern in patterns:
        runs = [paths for folder in _folders(pattern) for paths in _runs_in(folder)]
        if not runs:
            raise ConfigError(
                f"{_short(pattern)} is not a run and holds none: expected config.toml and "
                "metrics.jsonl; give a folder that python -m mbpo.train made"
            )
        for paths in runs:
            found.setdefault(paths.root, paths)
    return list(found.values())


def _folders(pattern: str) -> list[Path]:
    pattern = expanded(pattern)
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


def _runs_in(folder: Path) -> Iterator[RunPaths]:
    for root, below, files in os.walk(folder):
        below.sort()
        if {"config.toml", "metrics.jsonl"} <= set(files):
            yield RunPaths(Path(root).resolve())
            below.clear()  # a run holds no runs


def _short(path: str) -> str:
    return path if len(path) <= 60 else "..." + path[-57:]
