"""Say what a tracker has to offer, and hold what goes into one: the rows of a run, its events, and what it is."""

from __future__ import annotations

import hashlib
import json
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import METRICS
from mbpo.runs.rows import Row, plain_number, whole

Plain = bool | int | float | str


@dataclass(frozen=True)
class Step:
    """Hold a row of metrics as a tracker takes it: its declared metrics that are finite numbers."""

    seq: int
    env_steps: int
    values: Mapping[str, float]  # time_s among them

    @cached_property
    def digest(self) -> int:
        """Return a number that tells this row from another one in its place."""
        content = [self.seq, self.env_steps, sorted((key, float(value)) for key, value in self.values.items())]
        found = hashlib.blake2b(json.dumps(content).encode(), digest_size=8).digest()
        return int.from_bytes(found, "little", signed=True)


def step_of(row: Row) -> Step | None:
    """Return a row of metrics.jsonl as a tracker takes it, None where it has no place in the run."""
    seq, env_steps = whole(row.get("seq")), whole(row.get("env_steps"))
    if seq is None or env_steps is None:
        return None
    values = {key: row[key] for key in row if (key in METRICS or key == "time_s") and plain_number(row[key])}
    return Step(seq, env_steps, values)


@dataclass(frozen=True)
class Mark:
    """Hold an event of a run that a tracker shows beside its curves, in printable characters."""

    number: int  # the how manieth event of the run it is
    env_steps: int
    at: float  # Unix seconds
    title: str
    text: str
    level: str = "info"  # or warn, error


@dataclass(frozen=True)
class Facts:
    """Hold what is said of a run as a whole, in printable characters."""

    paths: RunPaths
    identity: str  # of this run and no other, wherever it lies
    name: str  # where it was found, below the folder that was given
    title: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    settings: Mapping[str, Plain] = field(default_factory=dict)  # all
    shared: frozenset[str] = frozenset()  # the names of those that runs of its group have in common
    group: str = ""
    kind: str = "run"  # or fork, replay
    parent: str = ""  # RUN@STEP that it branched off from, RUN that it repeats
    begun: float = 0.0  # Unix seconds


class Held:
    """Hold which rows a tracker has, in order, at 16 bytes each."""

    def __init__(self) -> None:
        self.seqs = array("q")
        self.digests = array("q")

    def __len__(self) -> int:
        return len(self.seqs)

    def add(self, seq: int, digest: int) -> None:
        """Take in a row more."""
        self.seqs.append(seq)
        self.digests.append(digest)

    def cut(self, count: int) -> None:
        """Keep the first ``count`` rows."""
        del self.seqs[count:], self.digests[count:]

    def before(self, seq: int) -> int:
        """Return how many rows come before the one with ``seq``."""
        return bisect_left(self.seqs, seq)

    def has(self, place: int, step: Step) -> bool:
        """Return whether ``step`` stands at ``place``, exactly."""
        return self.seqs[place] == step.seq and self.digests[place] == step.digest


class Tracker(Protocol):
    """Be the place of one run in a tracker. What it holds is read back: nothing is noted elsewhere."""

    where: str  # for people

    def holds(self) -> Held:
        """Read back which rows it has."""

    def add(self, steps: Sequence[Step]) -> None:
        """Write rows, which come after all that it has, in order."""

    def take_back(self, place: int, step: Step) -> None:
        """Keep the first ``place`` rows at most: after them comes ``step``, and it has another there."""

    def tell(self, marks: Sequence[Mark]) -> None:
        """Write those of a run's events, of which these are all so far, that it does not have."""

    def close(self, state: str) -> None:
        """Bring everything to the disk; ``state`` is the run's."""


class Opener(Protocol):
    """Open a run's place in a tracker below a folder."""

    def __call__(self, facts: Facts, into: Path, project: str) -> Tracker:
        """Return it, made where it is not there."""
