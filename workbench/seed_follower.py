"""Follow the metrics of one run of a group, a piece at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import RunReader
from workbench.group_measures import EVALUATION
from workbench.series import Floats, Points, in_order

DRAWN = frozenset(
    {
        EVALUATION,
        "episode/return",
        "bound/eps_m_new",
        "model/new_data_mse",
        "bound/rho",
        "rollout/length_measured",
        "mix/real_ratio_measured",
    }
)
"""The metrics of which a group has curves."""
MOST_POINTS = 4096  # of one metric of one seed
PIECE_BYTES = 1 << 20  # of one file at once: some 20 ms
UNASKED_BYTES = 8 << 20  # a larger file is read once its group is in focus or marked


class SeedFollower:
    """Follow some metrics of one run."""

    def __init__(self, path: Path, drawn: bool) -> None:
        self.drawn = drawn
        self.done = False  # read as far as it is
        self.whole = False  # was so once: what it has is worth a figure
        self.version = 0
        self._path = path
        self._reader = RunReader(path, DRAWN if drawn else {EVALUATION}, MOST_POINTS)
        self._points: dict[str, Points] = {}
        self._points_of = 0  # the version that they are of

    def poll(self) -> None:
        """Read on, one piece at most."""
        grew = self._reader.poll(PIECE_BYTES)
        self.version += grew
        self.done = not grew
        self.whole |= self.done

    @property
    def too_large(self) -> bool:
        """Return whether the file is not read unless somebody looks at its group."""
        try:
            return not self.drawn and RunPaths(self._path).metrics.stat().st_size > UNASKED_BYTES
        except OSError:
            return False

    @property
    def end(self) -> float:
        """Return the env step of the newest row."""
        return self._reader.env_steps

    def points(self, key: str) -> Points:
        """Return the finite values of a metric over rising env steps, of one step the newest."""
        if self._points_of != self.version:
            self._points, self._points_of = {}, self.version
        if key not in self._points:
            series = self._reader.series.get(key)
            self._points[key] = _risen(series.env_steps, series.values) if series else Points(np.zeros(0), np.zeros(0))
        return self._points[key]


def _risen(env_steps: Iterable[float], values: Iterable[float]) -> Points:
    x, y = in_order(np.array(env_steps), np.array(values))
    known = np.isfinite(y)
    x, y = x[known], y[known]
    newest: Floats = np.append(x[1:] > x[:-1], True) if len(x) else np.zeros(0, dtype=bool)
    return Points(x[newest], y[newest])
