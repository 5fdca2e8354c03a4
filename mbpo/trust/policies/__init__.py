"""Rules for k, one file each, behind one interface; settings/variants.py lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mbpo.trust.estimates import Estimates


class KPolicy(Protocol):
    """Choose the length k of imagined rollouts where the user leaves it to a rule.

    What a rule remembers goes into checkpoints: a resumed, forked or replayed run chooses as the first one did.
    """

    def take_in(self, estimates: Estimates) -> None:
        """Take in what a refit measured, before k is chosen for its rollouts."""

    def length(self, epoch: int, settings: Mapping[str, Any]) -> int:
        """Return k for ``epoch`` (from 0) under the live ``settings``; asked often, it changes nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that later choices depend on, as plain values for JSON."""

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Remember again what :meth:`state_dict` returned."""
