"""Store, at each step, the rows on which one elite and the others agree best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mbpo.data.predictions import Decision, Prediction
from mbpo.settings.config import Config
from mbpo.trust.policies import Evidence, Report, most_steps, nothing_carried

MOST = 10


class Mask:
    """Store the share w_h of the rows with the lowest score u; all go on, and a reward is r − penalty · u.

        u = KL(N(μ_c, v_c) ‖ N(μ̄, v̄)),  μ̄ and v̄ mean and variance of the other elites' mixture
        w_h = (H − h)/(2(H + 1)) at step h = 0…H − 1;  ½ where H = 1

    Source: M2AC, arXiv:2010.04893, as MACURA's authors rebuilt it (macura, af4e0d8); no code of its own authors is
    public.
    Departs: rows that ended take no place in the ranking; elites, not all members.
    """

    def __init__(self, config: Config, penalty: float) -> None:
        self._most = most_steps(config, MOST)
        self._penalty = penalty

    def calibrate(self, evidence: Evidence) -> None:
        """Look at nothing: rows are compared with each other."""

    def length(self, epoch: int, settings: Mapping[str, Any]) -> int:
        """Return H."""
        return self._most

    def carried(self, rows: int, device: torch.device) -> Tensor:
        """Carry nothing: a row that was masked may be stored at the next step."""
        return nothing_carried(rows, device)

    def sample(self, prediction: Prediction, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Follow the chosen elite."""
        return prediction.follow(noise)

    def score(self, prediction: Prediction) -> Tensor:  # [N, 1]
        """Return u; 0 where there is one elite alone."""
        mean, var = prediction.of_chosen()
        others = len(prediction.mean) - 1
        if not others:
            return torch.zeros_like(mean[:, :1])
        rest_mean = (prediction.mean.sum(dim=0) - mean) / others
        apart = (prediction.mean - rest_mean).square() + prediction.var
        rest_var = (apart.sum(dim=0) - (mean - rest_mean).square() - var) / others
        kl = (rest_var / var).log() + (var + (mean - rest_mean).square()) / rest_var - 1
        return 0.5 * kl.sum(dim=1, keepdim=True)

    def decide(self, score: Tensor, carried: Tensor, step: int, length: int) -> Decision:
        """Store the rows that rank lowest."""
        u = score[:, 0]
        stored = torch.zeros_like(u, dtype=torch.bool)
        stored[u.argsort(stable=True)[: int(len(u) * kept_share(step, length))]] = True
        return Decision(stored, torch.ones_like(stored), carried, bonus=-self._penalty * u)

    def report(self) -> Report:
        """Return nothing: the threshold is another at each step."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Remember nothing."""


def kept_share(step: int, length: int) -> float:
    """Return w_h of step h = 0…H − 1."""
    return 0.5 if length == 1 else (length - step) / (2 * (length + 1))
