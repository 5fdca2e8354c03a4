"""Keep the best and the final networks of a run, for ``python -m mbpo.evaluate``."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbpo.checkpoint import save_checkpoint
from mbpo.errors import CheckpointError
from mbpo.learner import Learner
from mbpo.runs.layout import write_json

INDEX = "index.json"  # {"best": "step-000001000", "final": …, "requested": …}


MOST_DIGITS = 18
SNAPSHOT = re.compile(r"step-[0-9]{9,18}\Z")


class Snapshots:
    """Save networks under ``checkpoints/step-…``; the index says which is best and final."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: dict[str, str] = {}
        self._best_return = -math.inf

    def is_best(self, eval_return: float) -> bool:
        """Return whether ``eval_return`` is the highest so far, and remember it."""
        best = eval_return >= self._best_return
        self._best_return = max(self._best_return, eval_return)
        return best

    def save(
        self, learner: Learner, env_steps: int, label: str, facts: Mapping[str, Any] | None = None
    ) -> None:
        """Save every network, then point ``label`` at it, then drop what no label points at.

        Raises:
            StorageError: the disk refuses.
        """
        name = f"step-{env_steps:09d}"
        if name not in self._index.values():
            about = {"env_steps": env_steps, **(facts or {})}
            save_checkpoint(self._folder / name, learner.networks(), about)
        before = self._index.get(label)
        self._index[label] = name
        write_json(self._folder / INDEX, self._index)
        if before is not None and before not in self._index.values() and label != "requested":
            shutil.rmtree(self._folder / before, ignore_errors=True)


def find_snapshot(folder: Path, label: str) -> Path:
    """Return the folder that ``label`` names: best, final, requested or a step number.

    Raises:
        CheckpointError: there is none.
    """
    try:
        index = json.loads((folder / INDEX).read_bytes())
    except (OSError, ValueError, RecursionError):
        index = {}
    number = label.isdecimal() and len(label) <= MOST_DIGITS
    name = index.get(label) if isinstance(index, dict) else None
    name = f"step-{int(label):09d}" if number else name
    found = folder / name if isinstance(name, str) and SNAPSHOT.match(name) else None
    if found is None or not found.is_dir():
        there = sorted(index) if isinstance(index, dict) and index else "none"
        raise CheckpointError(f"{folder} has no snapshot {label[:40]!a}; there are: {there}")
    return found
