"""Let k rise with the epoch, as the paper does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mbpo.settings.config import Config
from mbpo.trust.policies import Evidence, Report


class Schedule:
    """Follow the live setting ``rollout_schedule``; nothing that is measured moves it."""

    def __init__(self, config: Config) -> None:
        pass

    def calibrate(self, evidence: Evidence) -> None:
        """Look at nothing."""

    def length(self, epoch: int, settings: Mapping[str, Any]) -> int:
        """Return k of ``epoch`` on the schedule."""
        return scheduled_length(epoch, settings["rollout_schedule"])

    def report(self) -> Report:
        """Return nothing: there is no threshold."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: the epoch says all."""
        return {}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Remember nothing."""


def scheduled_length(epoch: int, schedule: Sequence[float]) -> int:
    """Return k of ``epoch`` (from 0) on the schedule (e0, e1, k0, k1).

        k(e) = ⌊clip(k0 + (e − e0)/(e1 − e0) · (k1 − k0), between k0 and k1)⌋

    Source: MBPO, arXiv:1906.08253, App. C, and the released code's ``rollout_schedule``.
    """
    start, end, first, last = schedule
    if epoch <= start:
        return int(first)
    if epoch >= end:
        return int(last)
    return int(first + (epoch - start) / (end - start) * (last - first))
