"""Follow the theorem: k*, which makes its bound smallest, as far as it can be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbpo.settings.config import Config
from mbpo.trust.policies import Evidence, Report, most_steps

FIRST = 1
MOST = 25  # as on the longest of the paper's schedules


class Bound:
    """Stay with k while the band of k* holds it; else go to the band's nearer end, at most H.

    Where the band cannot be told, as at a resolution that is too fine for the model, k stays what it is.

    Source: k* minimises C(k) of MBPO, arXiv:1906.08253, Thm 4.3. The hysteresis and the limit are ours.
    """

    def __init__(self, config: Config) -> None:
        self._most = most_steps(config, MOST)
        self._length = min(FIRST, self._most)

    def calibrate(self, evidence: Evidence) -> None:
        """Move k where the band of k* does not hold it."""
        band = evidence.estimates.band if evidence.estimates else None
        if band is not None and band.told:
            within = min(max(self._length, band.low), band.high)
            self._length = int(min(within, self._most))

    def length(self, epoch: int, settings: Mapping[str, Any]) -> int:
        """Return k."""
        return self._length

    def report(self) -> Report:
        """Return nothing: the band is among the bound's metrics."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return k."""
        return {"length": self._length}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from k."""
        self._length = saved["length"]
