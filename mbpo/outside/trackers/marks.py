"""Tell the events of a run in words, for a tracker that shows words beside curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbpo.outside.trackers.texts import in_one_line
from mbpo.outside.trackers.tracker import Mark
from mbpo.runs.records.event import answer_in
from mbpo.runs.rows import plain_number, whole
from mbpo.settings.setting import shown

LEVELS = {"warning": "warn", "failed": "error", "diverged": "error"}
_IN_ROWS = frozenset({"evaluation", "checkpoint"})  # told by the metrics, or nothing that a curve shows
_HEAD = frozenset({"event", "env_steps", "time", "schema", "attempt"})


def mark_of(event: Mapping[str, Any], number: int) -> Mark | None:
    """Return what a tracker shows of an event, None where that is nothing."""
    name = event.get("event")
    if not isinstance(name, str) or not name or name in _IN_ROWS:
        return None
    at, env_steps = event.get("time"), whole(event.get("env_steps")) or 0
    if name == "control":
        answer = answer_in(event)
        if answer is None or answer.status != "applied":
            return None
        env_steps = answer.at_env_steps
        text = answer.action or ", ".join(
            f"{key} {_word((answer.old or {}).get(key))} → {_word(value)}" for key, value in (answer.new or {}).items()
        )
        text += f", by {answer.by}" if answer.by else ""
    elif name == "warning":
        text = str(event.get("reason", ""))
    else:
        told = (f"{key} {_word(value)}" for key, value in event.items() if key not in _HEAD and value not in ("", None))
        text = ", ".join(told)
    said = in_one_line(f"at env step {env_steps:,}" + (f": {text}" if text else ""))
    when = float(at) if plain_number(at) else 0.0  # type: ignore[arg-type]
    return Mark(number, env_steps, when, in_one_line(name, 40), said, LEVELS.get(name, "info"))


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value)
