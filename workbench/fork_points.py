"""Say where a run can be branched off, and what was in force there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.fork_tree import origin
from workbench.messages import RunDetail, RunRow


@dataclass(frozen=True)
class ForkPoints:
    """Hold what is known of a run that is to be forked.

    ``checkpoints`` has the live settings in force at each; ``changes`` those made later.
    """

    low: int  # env step that it began at
    high: int  # env step that it has come to
    checkpoints: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    changes: tuple[tuple[int, Mapping[str, Any]], ...] = ()

    @classmethod
    def of(cls, row: RunRow, detail: RunDetail) -> ForkPoints:
        """Return where the run that is shown can be branched off."""
        _, low = origin(row.parent)
        high = max([row.env_steps, low, *detail.checkpoints])
        return cls(max(low, 0), high, detail.checkpoints, tuple(_changes(detail)))

    def newest(self, before: int) -> int:
        """Return the newest checkpoint before an env step, or of all, or where it stands."""
        steps = [step for step in self.checkpoints if step < before] or [*self.checkpoints]
        return max(steps, default=self.high)

    def repeated(self, step: int) -> int:
        """Return how many env steps a fork at ``step`` first has to repeat."""
        return step - self._from(step)

    def in_force(self, step: int) -> dict[str, Any]:
        """Return the live settings that were changed up to ``step``."""
        start = self._from(step)
        settings = dict(self.checkpoints.get(start, {}))
        for at, new in self.changes:
            if start <= at < step:
                settings.update(new)
        return settings

    def _from(self, step: int) -> int:
        return max((at for at in self.checkpoints if at <= step), default=self.low)


def _changes(detail: RunDetail) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for event in detail.events:
        at, new = event.get("at_env_steps"), event.get("new")
        applied = event.get("event") == "control" and event.get("status") == "applied"
        if applied and "action" not in event and isinstance(new, dict) and type(at) is int:
            yield at, new
