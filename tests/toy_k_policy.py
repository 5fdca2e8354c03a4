"""A rule for k as a newcomer would write one: it counts refits, and looks at the model's newest error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbpo.settings.config import Config
from mbpo.trust.policies import Evidence, Report


class Alternating:
    """k is 1, 2, 3, 1, … from refit to refit, and 5 where ε_m' was not known."""

    def __init__(self, config: Config) -> None:
        self._refits = 0
        self._known = False

    def calibrate(self, evidence: Evidence) -> None:
        self._refits += 1
        self._known = evidence.estimates is not None and evidence.estimates.eps_m_new is not None

    def length(self, epoch: int, settings: Mapping[str, Any]) -> int:
        return 1 + self._refits % 3 if self._known else 5

    def report(self) -> Report:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {"refits": self._refits, "known": self._known}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        self._refits, self._known = saved["refits"], saved["known"]
