"""Hold a metric over env steps in bounded memory."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

from mbpo.runs.kept_columns import cut

MOST_POINTS = 1 << 15  # even; ten times what a wide screen draws


@dataclass
class Series:
    """Hold one metric over env steps, of the rows that count; a missing value is NaN.

    Of many points every second, fourth, eighth … is held, and always the newest: so many at ``most``, or
    ``MOST_POINTS``.
    """

    env_steps: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))
    seqs: array[int] = field(default_factory=lambda: array("q"))
    every: int = 1  # of so many points one is held
    count: int = 0  # points taken in, those not held too
    most: int | None = None  # even; else MOST_POINTS

    @property
    def last(self) -> float:
        """Return the newest value, NaN when there is none."""
        return self.values[-1] if self.values else math.nan

    def append(self, seq: int, env_steps: float, value: float) -> None:
        """Take in the newest point."""
        if not self._newest_stays:
            self._delete(slice(-1, None))
        self.count += 1
        self.seqs.append(seq)
        self.env_steps.append(env_steps)
        self.values.append(value)
        if len(self.values) > (self.most or MOST_POINTS) and self._newest_stays:
            self._delete(slice(1, None, 2))
            self.every *= 2

    def cut(self, seq: int) -> None:
        """Drop all points from ``seq`` on."""
        if cut(self.seqs, seq, self.values, self.env_steps):
            self.count = max(0, (len(self.values) - 1) * self.every + 1)

    @property
    def _newest_stays(self) -> bool:
        """Return whether the newest point is not held for being the newest only."""
        return self.count == 0 or (self.count - 1) % self.every == 0

    def _delete(self, which: slice) -> None:
        for column in (self.seqs, self.env_steps, self.values):
            del column[which]
