"""Say where a value in force changed: at the env step of the change, which rows of metrics tell later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from mbpo.comparison.runs import Curve, Run
from mbpo.outside.report.branches import branch_of
from mbpo.outside.report.chart import Array
from mbpo.runs.history import add_change
from mbpo.runs.records.event import Answer, answer_in
from mbpo.runs.records.manifest import Branch
from mbpo.runs.rows import JsonLines, plain_number, rows_in
from mbpo.settings.config import LIVE_SETTINGS

SETTING_OF: Mapping[str, str] = {s.dial.metric: name for name, s in LIVE_SETTINGS.items() if s.dial.metric}
"""By the metric that logs it, the setting whose value is in force."""


@dataclass(frozen=True)
class Turn:
    """Hold a change of one setting; a value that is no number, auto say, leaves it to a rule."""

    at: float  # env step from which it holds
    old: float | None
    new: float | None


def turns_in(answers: Iterable[Answer], branch: Branch | None, name: str) -> list[Turn]:
    """Return the changes of a setting in order: of a fork first that with which it left its parent.

    One that a resumed run did not make again is not among them.
    """
    changes: list[tuple[int, Mapping[str, Any]]] = []
    if branch is not None and name in branch.fork_changes:
        add_change(changes, branch.fork_env_steps, {name: (None, branch.fork_changes[name])})
    for answer in answers:
        if answer.change is not None and name in answer.change:
            add_change(changes, answer.at_env_steps, {name: ((answer.old or {}).get(name), answer.change[name])})
    return [Turn(at, *map(_number, change[name])) for at, change in changes]


def with_turns(x: Array, y: Array, turns: Sequence[Turn], end: float) -> tuple[Array, Array]:
    """Return where a value in force begins to hold, and the value; rows only where a rule chose it, or none is known.

    ``x`` and ``y`` are the rows that tell it, ``end`` is the env step up to which the last value holds.
    """
    if not turns or not x.size:
        return x, y
    first = min(float(x[0]), turns[0].at)
    since = [Turn(first if first < turns[0].at else 0.0, None, turns[0].old), *turns]
    parts = [_part(x, y, here, there.at) for here, there in pairwise([*since, Turn(np.inf, None, None)])]
    steps, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if steps[-1] >= end:
        return steps, values
    return np.append(steps, end), np.append(values, values[-1])


def curve_in_force(run: Run, metric: str) -> Curve:
    """Return the curve of a metric that logs a value in force, with a point where each change holds from."""
    curve, name = run.others[metric], SETTING_OF.get(metric)
    changed = run.status.interactive or run.status.parent
    if name is None or not changed or run.settings["algo"] != "mbpo":
        return curve
    answers = filter(None, map(answer_in, rows_in(JsonLines(run.paths.events))))
    turns = turns_in(answers, branch_of(run.paths), name)
    if not turns or not curve.values.size:
        return curve
    x, y = with_turns(curve.env_steps, curve.values, turns, curve.end_env_steps)
    return replace(curve, env_steps=x, values=y, time_s=np.interp(x, curve.env_steps, curve.time_s))


def _part(x: Array, y: Array, turn: Turn, until: float) -> tuple[Array, Array]:
    """Return what holds from a change on until the next."""
    if turn.new is not None:
        return np.array([turn.at]), np.array([turn.new])
    rows = (x >= turn.at) & (x < until)
    return x[rows], y[rows]


def _number(value: object) -> float | None:
    return float(value) if plain_number(value) else None  # type: ignore[arg-type]
