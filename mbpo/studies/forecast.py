"""Say what a study will take, as far as runs like its own were seen to end: hours of a core's learner, and disk."""

from __future__ import annotations

import contextlib
import os
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mbpo.runs.find import runs_below
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, read_status
from mbpo.studies.standing import DONE, Standing

MOST_EACH = 8  # runs from which the figures of a kind are taken

Kind = tuple[str, str]  # environment and preset


@dataclass(frozen=True)
class Cost:
    """Hold what one env step took in a run that has ended."""

    seconds: float
    bytes: float


@dataclass(frozen=True)
class Forecast:
    """Hold what is left of a study."""

    seconds: float  # of one learner after the other
    bytes: float
    unknown: int  # runs of whose kind none has ended yet


def forecast(found: Sequence[Standing], root: Path) -> Forecast:
    """Return what the runs that are not done will take, by the newest runs of their kind below ``root``."""
    left = [one for one in found if one.state not in DONE]
    costs = _costs(root, {_kind_of(one) for one in left})
    seconds = total = 0.0
    for one in left:
        cost = costs.get(_kind_of(one), Cost(0.0, 0.0))
        steps = max(0, one.total_steps - one.env_steps)
        seconds, total = seconds + steps * cost.seconds, total + steps * cost.bytes
    return Forecast(seconds, total, sum(_kind_of(one) not in costs for one in left))


def _costs(root: Path, kinds: set[Kind]) -> dict[Kind, Cost]:
    known: dict[Kind, list[tuple[float, RunPaths, RunStatus]]] = defaultdict(list)
    for path in runs_below(root).runs if root.is_dir() else ():
        status = read_status(RunPaths(path))
        if status is not None and status.state == "finished" and status.attempt == 1 and status.env_steps > 0:
            known[status.env_id, status.preset].append((status.heartbeat, RunPaths(path), status))
    newest = {kind: sorted(known[kind], key=lambda each: each[0])[-MOST_EACH:] for kind in kinds & known.keys()}
    return {kind: _cost(runs) for kind, runs in newest.items()}


def _cost(runs: Sequence[tuple[float, RunPaths, RunStatus]]) -> Cost:
    """Return the medians over runs."""
    seconds = [max(0.0, status.heartbeat - status.started) / status.env_steps for _, _, status in runs]
    sizes = [_size(paths.root) / status.env_steps for _, paths, status in runs]
    return Cost(statistics.median(seconds), statistics.median(sizes))


def _size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(where) / name).lstat().st_size
    return total


def _kind_of(one: Standing) -> Kind:
    return one.run.config.env_id, one.run.config.preset
