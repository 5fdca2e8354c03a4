"""Find where a run branched off another, and where that lies."""

from __future__ import annotations

from pathlib import Path

from mbpo.errors import MBPOError
from mbpo.runs.find import is_run
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.manifest import Branch, read_manifest


def branch_of(paths: RunPaths) -> Branch | None:
    """Return where a run left its parent, None where it has none or its manifest cannot be read."""
    try:
        return read_manifest(paths.manifest).branch
    except MBPOError:
        return None


def parent_of(paths: RunPaths, branch: Branch) -> RunPaths:
    """Return the run that a fork left: the one beside it, else where it was when the fork began."""
    beside = paths.root.parent / branch.parent
    return RunPaths(beside if is_run(beside) else Path(branch.parent_dir))
