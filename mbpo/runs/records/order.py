"""``.queue/NAME.json``, an order of runs, and ``.queue/line.json``, whose turn it is: what the queue keeps on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from mbpo.errors import RecordError
from mbpo.runs.layout import RUN_BELOW
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import check_version, read_json

SCHEMA = 1
MOST_BYTES = 1 << 22
WAITING, AT_WORK, CANCELLED, OFF = "waiting", "at work", "cancelled", "off the list"
ENDS = ("finished", "stopped", "failed", "diverged", CANCELLED, OFF)

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class OrderedRun(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what one run has to itself."""

    run_id: str = ""  # or FOLDER/RUN_ID, below the runs root
    label: str = ""  # tells it from the others, in words
    flags: list[str] = []


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Hold runs that were asked for at once; written once, and removed when all of them are off the list."""

    schema: int = SCHEMA
    name: str = ""  # that theirs begin with
    issued_at: float = 0.0  # Unix seconds
    env_id: str = ""
    total_steps: Count = 0
    threads: Count = 1  # of each learner
    flags: list[str] = []  # of all
    started_in: str = ""  # where their modules are looked for
    runs: list[OrderedRun] = []
    seal: str = ""  # made by whoever ordered: nothing else is ever started


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Say how far one run has come."""

    run_id: str = ""
    order: str = ""
    state: str = WAITING
    attempts: Count = 0  # learners that were started for it
    began: float = 0.0  # the last of them, Unix seconds
    reason: str = ""  # why it ended as it did


class Turns(msgspec.Struct, frozen=True, kw_only=True):
    """Hold every run in the order in which they come, those that have ended too."""

    schema: int = SCHEMA
    turns: list[Turn] = []


def read_order(path: Path) -> Order:
    """Return an order.

    Raises:
        RecordError: it cannot be read, or is none.
        NewerRecordError: it is of a newer version.
    """
    content = read_json(path, MOST_BYTES)
    check_version(path, content, SCHEMA)
    order = fitted(Order, content)
    if order.name != path.stem or not order.runs or not all(RUN_BELOW.match(run.run_id) for run in order.runs):
        raise RecordError(f"{path} is no order of runs")
    return order


def read_turns(path: Path) -> Turns:
    """Return whose turn it is.

    Raises:
        RecordError: it cannot be read, or says nothing that this version knows.
        NewerRecordError: it is of a newer version.
    """
    content = read_json(path, MOST_BYTES)
    check_version(path, content, SCHEMA)
    try:
        turns = msgspec.convert(content, Turns)
    except msgspec.ValidationError as error:
        raise RecordError(f"cannot read {path}: {str(error)[:100]}") from None
    if any(turn.state not in (WAITING, AT_WORK, *ENDS) for turn in turns.turns):
        raise RecordError(f"{path} has a state that this version does not know")
    return turns
