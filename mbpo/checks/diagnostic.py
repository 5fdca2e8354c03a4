"""Hold one thing there is to say about something that was checked, and print it."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mbpo.errors import printable

Level = Literal["ok", "note", "problem"]
TEXT_COLUMNS = 96


@dataclass(frozen=True)
class Diagnostic:
    """Say one thing about what was checked, in words and in numbers."""

    level: Level  # ok; note: MBPO copes, know it; problem: mend it
    topic: str
    text: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    fatal: bool = False  # MBPO cannot run on it at all

    def to_dict(self) -> dict[str, Any]:
        """Return the finding for JSON."""
        return dataclasses.asdict(self)


def as_text(finding: Diagnostic) -> str:
    """Return the finding for a terminal, whatever is in it: level, topic and indented words."""
    head = f"{finding.level:<9}{finding.topic:<15}"
    return textwrap.fill(
        printable(finding.text),
        TEXT_COLUMNS,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
    )


def counted(found: Sequence[Diagnostic]) -> str:
    """Count the problems and notes in words."""
    counts = [sum(each.level == level for each in found) for level in ("problem", "note")]
    return ", ".join(
        f"{count or 'no'} {word}{'s' * (count != 1)}" for count, word in zip(counts, ("problem", "note"), strict=True)
    )
