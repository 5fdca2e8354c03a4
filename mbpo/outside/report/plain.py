"""Write any fact of a record as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plainly(value: Any) -> str:
    """Return a fact as text: of a table name and value, of a list its parts."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {plainly(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plainly, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def told(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return as text those facts that say something."""
    return {name: text for name, value in facts.items() if value is not None and (text := plainly(value))}
