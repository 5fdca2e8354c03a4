"""Hold one thing there is to say about an environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """Say one thing about an environment, in words and in numbers."""

    level: Level  # ok; note: MBPO copes, know it; problem: mend it
    topic: str
    text: str
    numbers: Mapping[str, Any]
    fatal: bool = False  # MBPO cannot run on it at all

    def to_dict(self) -> dict[str, Any]:
        """Return the finding for JSON."""
        return dataclasses.asdict(self)


def named(dims: Iterable[int], name: str = "obs") -> str:
    """Write dims in runs: obs[0], obs[3-7]; at most six of them."""
    runs: list[list[int]] = []
    for dim in dims:
        if runs and runs[-1][1] == dim - 1:
            runs[-1][1] = dim
        else:
            runs.append([dim, dim])
    shown = [f"{name}[{a}]" if a == b else f"{name}[{a}-{b}]" for a, b in runs[:6]]
    return ", ".join(shown) + (f" and {len(runs) - 6} more" if len(runs) > 6 else "")


def random_steps(count: int) -> str:
    """Write how many steps were played."""
    return f"{count:,} random step" + "s" * (count != 1)
