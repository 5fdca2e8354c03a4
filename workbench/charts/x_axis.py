"""Put the points of a run on another x axis than env steps: wall time, episodes or updates. Pure functions.

A row of metrics stands at its env step. Its wall time is its own: the seconds that a learner was at work, so what lies
between two attempts of a resumed run is not in it, and a fork begins where its parent was. Episodes and updates are
counted in some rows only; between two of those the count is interpolated, before the first it rises from 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mbpo.settings.language import tr
from workbench.messages import NO_POINTS, Points, RunDetail
from workbench.series import Floats, in_order


@dataclass(frozen=True)
class XAxis:
    """Describe an x axis; ``metric`` is the one that counts along it."""

    name: str
    metric: str = ""
    seconds: bool = False

    @property
    def label(self) -> str:
        """Return what is written at the axis."""
        return tr(self.name)

    def counts(self, detail: RunDetail) -> Points:
        """Return how far the run was along this axis, over env steps."""
        return detail.clock if self.seconds else detail.series.get(self.metric, NO_POINTS)

    def is_known(self, detail: RunDetail) -> bool:
        """Return whether the rows of a run say where they stand on this axis."""
        return self is STEPS or bool(np.isfinite(self.counts(detail).y).any())

    def end(self, detail: RunDetail) -> float:
        """Return how far the run has come."""
        return float(np.nanmax(self.counts(detail).y)) if self.is_known(detail) else 0.0

    def places(self, detail: RunDetail, steps: Floats) -> Floats:
        """Return where env steps stand on this axis."""
        if self is STEPS or not self.is_known(detail):
            return steps
        at, reached = self._rising(self.counts(detail), by_row=False)
        return np.asarray(np.interp(steps, at, reached))

    def placed(self, detail: RunDetail, points: Points) -> Points:
        """Return the points of a metric on this axis; none where the run does not tell."""
        if self is STEPS:
            return points
        counts = self.counts(detail)
        of = None if self.seconds else counts  # a point keeps its time, whatever comes after it
        return points.once(self.name, lambda: self._placed(points, counts), of)

    def _placed(self, points: Points, counts: Points) -> Points:
        at, reached = self._rising(counts, by_row=self.seconds)
        if not len(at):
            return NO_POINTS
        x = np.interp(points.seqs if self.seconds else points.x, at, reached)
        return Points(*in_order(x, points.y, points.seqs))

    def _rising(self, counts: Points, by_row: bool) -> tuple[Floats, Floats]:
        """Return env steps, or rows, and the count at each, from 0 on: it never falls."""
        known = np.isfinite(counts.y)
        at, reached = in_order((counts.seqs if by_row else counts.x)[known], counts.y[known])
        if not len(at):
            return at, reached
        reached = np.maximum.accumulate(np.maximum(reached, 0.0))
        return np.concatenate([[min(0.0, at[0])], at]), np.concatenate([[0.0], reached])


STEPS = XAxis("env steps")
WALL_TIME = XAxis("wall time", seconds=True)
AXES = (STEPS, WALL_TIME, XAxis("episodes", "episode/index"), XAxis("updates", "sac/updates"))
"""Those that a key goes through."""


class Placed(Mapping[str, Points]):
    """Hold the metrics of a run on another axis; one is put there when it is asked for."""

    def __init__(self, detail: RunDetail, axis: XAxis) -> None:
        self._detail = detail
        self._axis = axis
        self._known = detail.series if axis.is_known(detail) else {}

    def __getitem__(self, key: str) -> Points:
        return self._axis.placed(self._detail, self._known[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: object) -> bool:
        return key in self._known
