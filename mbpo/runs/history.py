"""Read what a run wrote before it was cut off, and compare it with what a resumed run writes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mbpo.runs.checkpoint_names import checkpoint_steps, settings_at
from mbpo.runs.kept_rows import KeptRows, read_kept
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.event import Answer, answer_in
from mbpo.runs.rows import JsonLines, Row, rows_in, whole


@dataclass
class History:
    """Hold the earlier attempts of a run.

    ``before`` and ``after`` are the rows of metrics up to and since the checkpoint; ``changes``
    are the settings that were answered "applied", with the env step from which each holds.
    """

    attempts: int = 0
    before: KeptRows = field(default_factory=KeptRows)
    after: KeptRows = field(default_factory=KeptRows)
    changes: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    answers: list[Row] = field(default_factory=list)  # the events of applied changes, as they came
    revision: int = 0
    interactive: bool = False  # whether settings were changed by hand
    of_another: str = ""  # "fork" or "replay" where another run wrote all this, elsewhere


def read_history(paths: RunPaths, seq: int) -> History:
    """Return what the run wrote; ``seq`` is the number of the checkpoint's last row of metrics.

    Of rows that were written again, the last attempt's count.
    """
    before, after = read_kept(paths.metrics, seq)
    history = History(max(before.facts.attempt, after.facts.attempt), before, after)
    _read_events(history, paths)
    return history


def settings_in_force(paths: RunPaths, begun: Mapping[str, Any], at: int) -> dict[str, Any]:
    """Return the live settings that hold at env step ``at`` of a run that began with ``begun``; loads no tensor."""
    here = max((step for step in checkpoint_steps(paths.checkpoints) if step <= at), default=0)
    settings = {**begun, **settings_at(paths.checkpoints, here)}
    for then, new in changes_before(paths, at):
        if then >= here:
            settings.update(new)
    return settings


def changes_before(paths: RunPaths, at: int) -> list[tuple[int, Mapping[str, Any]]]:
    """Return what was changed live in the run itself before env step ``at``, with where each change holds from."""
    history = History()
    _read_events(history, paths)
    return [change for change in history.changes if change[0] < at]


def _read_events(history: History, paths: RunPaths) -> None:
    for event in rows_in(JsonLines(paths.events)):
        history.attempts = max(history.attempts, whole(event.get("attempt")) or 0)
        if (answer := answer_in(event)) is not None:
            _note_answer(history, event, answer)


def _note_answer(history: History, event: Row, answer: Answer) -> None:
    if answer.id:
        history.answered.add(answer.id)
    if answer.status == "applied":
        history.revision = max(history.revision, answer.revision)
    if answer.change is not None:
        history.interactive = True
        history.answers.append(event)
        add_change(history.changes, answer.at_env_steps, answer.change)


def add_change(changes: list[tuple[int, Mapping[str, Any]]], at: int, new: Mapping[str, Any]) -> None:
    """Add to changes, in the order of env steps, one from ``at`` on: it replaces later ones to the same names.

    Those before it are not looked through: a script may make ten thousand.
    """
    first = bisect_left(changes, at, key=lambda change: change[0])
    later = [(then, {name: value for name, value in old.items() if name not in new}) for then, old in changes[first:]]
    kept = [change for change in later if change[1]]
    changes[first:] = sorted([*kept, (at, new)], key=lambda change: change[0])
