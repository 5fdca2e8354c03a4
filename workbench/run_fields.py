"""Name what can be told of a run in a listing: each a column, something to sort by, and a field of the filter."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mbpo.errors import ConfigError
from mbpo.settings.config import SETTINGS
from mbpo.settings.language import tr
from workbench.dials import label
from workbench.format import number, setting_value, short_age, whole
from workbench.messages import RunRow

Known = str | float | bool | tuple[str, ...] | None
SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
AGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)?")


def as_number(value: Known) -> float | None:
    """Return a value as a number where it is one, or spells one."""
    try:
        return None if value is None or isinstance(value, (bool, tuple)) else float(value)
    except ValueError:
        return None


def as_age(text: str) -> float | None:
    """Return the seconds that ``2h`` or ``3d`` spells."""
    found = AGE.fullmatch(text)
    unit = SECONDS.get(found[2] or "s") if found else None
    return float(found[1]) * unit if found and unit else None


def as_time(text: str) -> float | None:
    """Return the Unix time that a date spells, or one with a time of day."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return as_number(text)


@dataclass(frozen=True)
class Field:
    """Describe one thing told of a run."""

    doc: str
    read: Callable[[RunRow], Known]
    width: int = 9  # cells of its column
    write: Callable[[Any], str] = str  # what it is known to be, in few characters
    parse: Callable[[str], float | None] = as_number  # what a person compares it with
    example: str = ""  # of a text that ``parse`` takes, where it is no plain number


def _returned(doc: str, read: Callable[[RunRow], Known]) -> Field:
    return Field(doc, read, 9, number)


def _counted(doc: str, read: Callable[[RunRow], Known]) -> Field:
    return Field(doc, read, 9, whole)


def _live(name: str, width: int) -> Field:
    return Field(tr(SETTINGS[name].doc), lambda row: _plain(row.setting(name)), width, setting_value)


FIELDS: Mapping[str, Field] = {
    "name": Field(tr("the run's directory"), lambda row: row.run_id, 24),
    "env": Field(tr("environment"), lambda row: row.env_id, 14),
    "preset": Field(tr("set of settings that it began with"), lambda row: row.preset, 12),
    "state": Field(tr("what it is doing, or how it ended"), lambda row: row.state, 9, tr),
    "title": Field(tr("what people call it"), lambda row: row.about.title or None, 20),
    "parent": Field(tr("RUN@STEP that it branched off"), lambda row: row.parent, 16),
    "seed": Field(tr("seed"), lambda row: float(row.seed) if row.seed >= 0 else None, 5, whole),
    "steps": _counted(tr("env steps so far"), lambda row: float(row.env_steps)),
    "total": _counted(tr("env steps that it is to take"), lambda row: float(row.total_steps)),
    "eval": _returned(tr("last evaluation"), lambda row: row.eval_return),
    "best": _returned(tr("best evaluation"), lambda row: row.best_return),
    "solved": Field(
        tr("env step from which on it is solved"), lambda row: row.solved_at, 8, lambda at: f"@{whole(at)}"
    ),
    "return": _returned(tr("return of the last training episode"), lambda row: row.last_return),
    "trend": Field(tr("its last returns, as bars"), lambda row: row.last_return, 12, number),
    "speed": Field(tr("env steps a second"), lambda row: row.steps_per_s, 6, number),
    "hand": Field(tr("whether its settings were changed by hand"), lambda row: row.interactive, 4),
    "k": _live("rollout_length", 4),
    "real_ratio": _live("real_ratio", 10),
    "tags": Field(tr("its tags"), lambda row: row.about.tags, 16, " ".join),
    "note": Field(tr("its note"), lambda row: row.about.note or None, 24),
    "begun": Field(
        tr("when it began"),
        lambda row: row.started or None,
        11,
        lambda at: _clock(at),
        as_time,
        tr("a date like 2026-01-31 or, in quotes, '2026-01-31 12:00'"),
    ),
    "age": Field(
        tr("how long ago it began"),
        lambda row: max(time.time() - row.started, 0.0) if row.started else None,
        4,
        short_age,
        as_age,
        tr("a time like 90s, 20m, 2h or 3d"),
    ),
    "archived": Field(tr("whether it is put away"), lambda row: row.about.archived, 8),
}
ALIASES = {
    "run": "name",
    "id": "name",
    "env_id": "env",
    "environment": "env",
    "fork": "parent",
    "env_steps": "steps",
    "step": "steps",
    "total_steps": "total",
    "evaluation": "eval",
    "eval_return": "eval",
    "best_return": "best",
    "solved_at": "solved",
    "last_return": "return",
    "steps_per_s": "speed",
    "interactive": "hand",
    "rollout_length": "k",
    "tag": "tags",
    "started": "begun",
}


def field_named(name: str) -> Field:
    """Return what a person may mean by ``name``: a field, or any setting.

    Raises:
        ConfigError: there is none of that name.
    """
    known = ALIASES.get(name, name)
    if known in FIELDS:
        return FIELDS[known]
    if known in SETTINGS:
        setting = SETTINGS[known]
        width = min(max(len(label(known)), 6), 16)
        return Field(tr(setting.doc), lambda row: _plain(row.setting(known)), width, setting_value)
    raise ConfigError(
        tr("{name} is no field; there are {fields}, and every setting", name=name, fields=", ".join(FIELDS))
    )


def columns_to_choose() -> list[str]:
    """Return the names of all columns that there can be: fields first, then the settings that are none of them."""
    told = {*FIELDS, *ALIASES}
    return [*(name for name in FIELDS if name != "name"), *(name for name in SETTINGS if name not in told)]


def in_order(rows: Iterable[RunRow], name: str) -> list[RunRow]:
    """Return ``rows`` sorted by a field: numbers from the greatest, texts from A, nothing last."""
    field = field_named(name)

    def place(row: RunRow) -> tuple[bool, float, str]:
        value = field.read(row)
        found = as_number(value)
        missing = value is None or value in ("", ()) or (found is not None and math.isnan(found))
        return missing, 0.0 if found is None or missing else -found, text_of(value).lower() if found is None else ""

    return sorted(rows, key=place)


def cell_text(row: RunRow, name: str) -> tuple[str, bool]:
    """Return what a cell says, and whether it is a number."""
    field = field_named(name)
    value = field.read(row)
    if value is None or value == "":
        return "", False
    if isinstance(value, bool):
        return (tr("yes") if value else ""), False
    return field.write(value), as_number(value) is not None


def text_of(value: Known) -> str:
    """Return a value as a filter compares it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(value)
    return "none" if value is None else str(value)


def _plain(value: object) -> Known:
    """Return a setting's value as one number or text."""
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    if isinstance(value, Mapping):
        return "; ".join(f"{key}={part}" for key, part in value.items())
    return setting_value(value) if isinstance(value, Sequence) else str(value)


def _clock(at: float) -> str:
    try:
        return time.strftime("%m-%d %H:%M", time.localtime(at))
    except (ValueError, OverflowError, OSError):
        return ""
