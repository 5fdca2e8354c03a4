"""Let a row count for less in the critics' loss where the elites disagree; none is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mbpo.data.predictions import Decision, Prediction
from mbpo.settings.config import Config
from mbpo.trust.policies import Evidence, Report, most_steps, nothing_carried

MOST = 4


class Weight:
    """Give an imagined row the weight w in the critics' loss; real rows have 1.

        w = 1/(1 + σ),  σ = std_e(reward) + mean_d std_e(next_obs_d), in the targets' units

    Source: WIMLE, arXiv:2602.14351; its released code (be730d6), whose members are implicit models.
    Departs: Gaussian members, one of which is followed and sampled; theirs go on from the mean of all.
    """

    def __init__(self, config: Config) -> None:
        self._most = most_steps(config, MOST)

    def calibrate(self, evidence: Evidence) -> None:
        """Look at nothing: the weight has no threshold."""

    def length(self, epoch: int, settings: Mapping[str, Any]) -> int:
        """Return H."""
        return self._most

    def carried(self, rows: int, device: torch.device) -> Tensor:
        """Carry nothing."""
        return nothing_carried(rows, device)

    def sample(self, prediction: Prediction, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Follow the chosen elite."""
        return prediction.follow(noise)

    def score(self, prediction: Prediction) -> Tensor:  # [N, 1]
        """Return σ."""
        spread = prediction.mean.std(dim=0, correction=0)
        return spread[:, :1] + spread[:, 1:].mean(dim=1, keepdim=True)

    def decide(self, score: Tensor, carried: Tensor, step: int, length: int) -> Decision:
        """Keep every row, weighed."""
        kept = torch.ones_like(score[:, 0], dtype=torch.bool)
        return Decision(kept, kept, carried, weight=1 / (1 + score[:, 0]))

    def report(self) -> Report:
        """Return nothing."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Remember nothing."""
