"""Find a run's checkpoints, and what was in force there, without loading them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbpo.runs.records.loop import settings_in

STEP = re.compile(r"step-([0-9]{9,18})\Z")


def checkpoint_name(env_steps: int) -> str:
    """Return the folder's name of the checkpoint at ``env_steps``."""
    return f"step-{env_steps:09d}"


def checkpoint_steps(folder: Path) -> list[int]:
    """Return the env steps that have a checkpoint to go on from, in order."""
    try:
        names = [STEP.match(path.name) for path in folder.iterdir()]
    except OSError:
        return []
    return sorted(int(name[1]) for name in names if name)


def settings_at(folder: Path, env_steps: int) -> Mapping[str, Any]:
    """Return the live settings in force at a checkpoint; none where they cannot be read."""
    return settings_in(folder / checkpoint_name(env_steps) / "loop.json")
