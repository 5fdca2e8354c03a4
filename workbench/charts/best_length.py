"""Show k* as far as the data tells it: with its band, or with why it cannot be told."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mbpo.runs.metrics import WINDOWED
from mbpo.settings.language import tr
from mbpo.trust.bound import why_not_told
from workbench.charts.picture import GREEN, Line, Marker
from workbench.format import number
from workbench.messages import RunDetail
from workbench.series import at_steps


@dataclass(frozen=True)
class BestLength:
    """Hold k* of the newest refit, NaN where it is not known."""

    value: float
    low: float = math.nan  # its band
    high: float = math.nan
    why_not: str = ""  # it can be told

    @property
    def ends(self) -> tuple[float, ...]:
        """Return the ends of the band, k* alone where an older version measured no band; nothing where it is untold."""
        if self.why_not or math.isnan(self.value):
            return ()
        return (self.value,) if math.isnan(self.low) else (self.low, self.high)

    @property
    def words(self) -> str:
        """Return k* in a few characters: its band, as far as it is one."""
        return "–".join(dict.fromkeys(map(number, self.ends))) or (tr("untold") if self.why_not else "–")

    @property
    def remark(self) -> str:
        """Return why k* cannot be told, as a sentence; nothing where it can."""
        return tr("k* cannot be told: {why_not}.", why_not=self.why_not) if self.why_not else ""

    def markers(self, most: float) -> tuple[Marker, ...]:
        """Return vertical lines at the ends of the band, as far as ``most`` steps."""
        ends = list(dict.fromkeys(self.ends))
        labels = [f"k*={self.words}", ""]
        return tuple(Marker(end, label, GREEN) for end, label in zip(ends, labels, strict=False) if end <= most)

    def area(self, y_range: tuple[float, float]) -> Line:
        """Return the band as an area over k."""
        ends, (bottom, top) = np.array(self.ends), y_range
        edge = np.ones(len(ends))
        return Line("", "", "", GREEN, ends, np.nan * edge, low=bottom * edge, high=top * edge)


def best_length_of(detail: RunDetail) -> BestLength:
    """Return k* of the newest refit, with the band that belongs to the same."""
    value, error = detail.last("bound/k_star"), detail.series.get("bound/eps_m_new")
    if WINDOWED not in detail.series or error is None or math.isnan(error.last):
        return BestLength(value)
    low, high = (_beside(detail, f"bound/k_star_{end}", float(error.x[-1])) for end in ("low", "high"))
    band = (None, None) if math.isnan(low + high) else (low, high)
    return BestLength(value, low, high, why_not_told(error.last, *band))


def _beside(detail: RunDetail, key: str, step: float) -> float:
    points = detail.series.get(key)
    return math.nan if points is None else float(at_steps(points.x, points.y, np.array([step]))[0])
