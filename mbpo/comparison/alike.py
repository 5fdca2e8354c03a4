"""Say which runs are repeats of each other: the same settings and, of forks, the same history, whatever the seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbpo.errors import MBPOError
from mbpo.runs.config_file import read_settings
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.manifest import Manifest, read_manifest
from mbpo.runs.status import read_status

# The seed is what repeats stand for; log_every spaces the rows of SAC's metrics, profile times the run, threshold and
# report are what is said of it. device and threads count as what the run resolved them to: rounding is theirs, and
# wall time.
IGNORED = frozenset({"seed", "log_every", "profile", "report", "threshold"})
RESOLVED = ("device", "threads")
MOST_GENERATIONS = 50  # of forks of forks; a circle, which no learner makes, ends here


def settings_that_count(settings: Mapping[str, Any], manifest: Manifest) -> dict[str, Any]:
    """Return the settings that runs of a group share: all that repeats may not differ in."""
    found = {name: value for name, value in settings.items() if name not in IGNORED}
    for name in RESOLVED:
        found[name] = getattr(manifest, name) or found[name]
    return found


def key_of(settings: Mapping[str, Any]) -> str:
    """Return a text that is the same for equal settings."""
    return json.dumps(settings, sort_keys=True, default=str)


def history_key(paths: RunPaths, parent: str, generations: int = MOST_GENERATIONS) -> str:
    """Return a text that is the same for forks that branched off repeats of one run at the same env step.

    ``parent`` is that of the status, RUN@STEP. Of a parent that cannot be read only the env step counts.
    """
    name, _, step = parent.rpartition("@")
    if not name or not generations:
        return ""
    for place in _places(paths, name):
        try:
            own = key_of(settings_that_count(read_settings(place), read_manifest(place.manifest)))
        except MBPOError:
            continue
        status = read_status(place)
        before = history_key(place, status.parent, generations - 1) if status else ""
        return f"{own} {before}@{step}"
    return f"@{step}"


def _places(paths: RunPaths, name: str) -> list[RunPaths]:
    """Return where a fork's parent may lie: where it was when the fork began, else beside the fork."""
    beside = RunPaths(paths.root.parent / name)
    try:
        branch = read_manifest(paths.manifest).branch
    except MBPOError:
        branch = None
    return [RunPaths(Path(branch.parent_dir)), beside] if branch else [beside]
