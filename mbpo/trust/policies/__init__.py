"""Rules for k, one file each, behind one interface; settings/variants.py lists them.

A rule of length alone is a :class:`KPolicy`. One that looks at every imagined row besides, and says where its rollout
stops, is a :class:`RowPolicy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from mbpo.data.predictions import Prediction, RowRule
from mbpo.settings.config import Config
from mbpo.trust.estimates import Estimates

Report = dict[str, float | None]


@dataclass(frozen=True)
class Evidence:
    """Hold what a rule may look at after a refit. Nothing is computed or drawn before a rule asks."""

    estimates: Estimates | None  # None: nothing was measured, as without a policy
    real: Callable[[int], Prediction]  # at so many real rows, drawn with replacement
    imagined: Callable[[int], Prediction]  # at so many real states, with actions of the policy now


class KPolicy(Protocol):
    """Choose the length k of imagined rollouts where the user leaves it to a rule.

    It is made of the Config and its own options. What it remembers goes into checkpoints: a resumed, forked or
    replayed run chooses as the first one did.
    """

    def calibrate(self, evidence: Evidence) -> None:
        """Look at the model after a refit, before k is chosen for its rollouts."""

    def length(self, epoch: int, settings: Mapping[str, Any]) -> int:
        """Return k for ``epoch`` (from 0) under the live ``settings``; asked often, it changes nothing.

        Of a :class:`RowPolicy` it is H, the most steps that a row may go.
        """

    def report(self) -> Report:
        """Return the rule's thresholds under their metric keys."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that later choices depend on, as plain values for JSON."""

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Remember again what :meth:`state_dict` returned."""


@runtime_checkable
class RowPolicy(KPolicy, RowRule, Protocol):
    """Judge every imagined row besides."""


def most_steps(config: Config, own: int) -> int:
    """Return H: ``rollout_limit``, or the rule's ``own``."""
    return own if config.rollout_limit == "auto" else int(config.rollout_limit)


def nothing_carried(rows: int, device: torch.device) -> Tensor:  # [N, 0]
    """Return what a rule carries that judges each step by itself."""
    return torch.empty(rows, 0, device=device)
