"""``asked.json`` and ``what_if.json`` of a what-if: what it asks of a run, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from mbpo.errors import RecordError
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import check_version, read_json

SCHEMA = 1
MOST_BYTES = 1 << 25  # it holds every evaluation of every fork
UNTOLD = "cannot be told"  # a verdict that names no arm begins so

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what is asked."""

    schema: int = SCHEMA
    command: list[str] = []
    run: str = ""  # run_id
    run_dir: str = ""
    env_id: str = ""
    step: Count = 0  # env step where the arms part
    steps: Count = 0  # env steps of each fork from there
    eval_every: Count = 0  # env steps
    repeats: Count = 0
    threads: Count = 0  # of each fork
    in_force: dict[str, Any] = {}  # of the settings in which the arms differ


class Unanswered(Asked, frozen=True, kw_only=True):
    """Hold the contents of ``asked.json``, which is there while a what-if is at work, or was cut off."""

    sets: list[str] = []  # NAME=VALUE,VALUE
    threads_given: Count | None = None  # None: those of the run
    forks: list[str] = []  # their run_ids
    process: dict[str, Any] = {}  # who runs them, as in a status.json


class ArmScore(msgspec.Struct, frozen=True, kw_only=True):
    """Hold how an arm did by one score; None is a figure there is none of."""

    repeats: Count = 0  # that have a score
    of: Count = 0
    mean: float | None = None
    std: float | None = None
    differences: list[tuple[int, float]] = []  # a repeat, and its score less that of the first arm
    difference: float | None = None
    interval: tuple[float | None, float | None] = (None, None)
    best: float | None = None  # P(best)


class ForkEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what one fork came to."""

    repeat: Count = 0
    seed: Count = 0
    state: str = ""
    reason: str = ""
    run_dir: str = ""
    git_commit: str | None = None
    versions: dict[str, str] = {}
    evaluations: list[tuple[int, float]] = []  # env step and return
    final: float | None = None
    on_the_way: float | None = None
    wall_s: float | None = None
    remarks: list[str] = []


class ArmAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one arm: its settings, its figures, its forks."""

    arm: str = ""
    changes: dict[str, Any] = {}
    final: ArmScore = ArmScore()
    on_the_way: ArmScore = ArmScore()
    wall_s: float | None = None
    forks: list[ForkEnd] = []


class Answered(Asked, frozen=True, kw_only=True):
    """Hold the contents of ``what_if.json``."""

    metric: str = ""
    verdict: str = ""
    verdict_on_the_way: str = ""
    arms: list[ArmAnswer] = []
    notes: list[str] = []


def read_unanswered(path: Path) -> Unanswered:
    """Return an ``asked.json``.

    Raises:
        RecordError: it cannot be read.
        NewerRecordError: it is of a newer version.
    """
    return fitted(Unanswered, _content(path))


def read_answered(path: Path) -> Answered:
    """Return a ``what_if.json``.

    Raises:
        RecordError: it cannot be read, or has no verdict.
        NewerRecordError: it is of a newer version.
    """
    found = fitted(Answered, _content(path))
    if not found.verdict:
        raise RecordError(f"{path} has no verdict")
    return found


def _content(path: Path) -> Mapping[str, Any]:
    content = read_json(path, MOST_BYTES)
    check_version(path, content, SCHEMA)
    return content
