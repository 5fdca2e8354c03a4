"""A row of ``metrics.jsonl``: where it stands, what kind of row it is, and any declared metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

from mbpo.runs.records.json_text import encode

Kind = Literal["episode", "refit", "evaluation", "interval"]
KINDS: tuple[Kind, ...] = get_args(Kind)
HEAD = ("seq", "attempt", "env_steps", "time_s", "kind")

_TELLTALE: Mapping[str, Kind] = {
    "episode/return": "episode",
    "eval/return_mean": "evaluation",
    "rollout/model_buffer_rows": "refit",
}  # metrics that tell the kind of a row written before rows had one


def kind_of(row: Mapping[str, Any]) -> Kind:
    """Return what wrote the row: an episode's end, a refit, an evaluation, or an interval's."""
    for kind in KINDS:
        if row.get("kind") == kind:
            return kind
    return next((kind for key, kind in _TELLTALE.items() if key in row), "interval")


def new_row(
    kind: Kind, seq: int, attempt: int, env_steps: int, time_s: float, metrics: Mapping[str, float | None]
) -> dict[str, Any]:
    """Return a row; a value that is not a finite number is None."""
    head = dict(zip(HEAD, (seq, attempt, env_steps, round(time_s, 4), kind), strict=True))
    return {**head, **{key: _finite(value) for key, value in metrics.items()}}


def row_line(row: Mapping[str, Any]) -> bytes:
    """Return the line that holds ``row``."""
    return encode(row).encode()


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
