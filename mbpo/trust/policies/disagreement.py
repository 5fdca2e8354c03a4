"""Stop a rollout where the elites disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mbpo.data.predictions import Decision, Prediction
from mbpo.settings.config import Config
from mbpo.trust.policies import Evidence, Report, most_steps, nothing_carried

MOST = 10
ROWS = 10_000  # of first steps, whose percentile is taken
WINDOW = 2000  # refits


class Disagreement:
    """Drop a row for good at the first step whose score u reaches κ.

        u = mean over pairs of elites of Σ_d [(μ₁ − μ₂)²/(4(v₁ + v₂)) + ½ ln((v₁ + v₂)/(2√(v₁v₂)))]
        κ = mean over refits of ξ · P_ζ(u at first steps)

    Each summand is the Bhattacharyya distance of two Gaussians, and the same in all units of the targets.

    Source: MACURA, arXiv:2405.19014; its released code (af4e0d8) computes the dual form of its "geometric
    Jensen-Shannon divergence", which is this distance, and counts the refit under way in κ.
    Departs: elites, where the released code takes all members; the percentile is of 10,000 first steps drawn for it.
    """

    def __init__(self, config: Config, zeta: float, xi: float) -> None:
        self._most = most_steps(config, MOST)
        self._zeta, self._xi = zeta, xi
        self._kappa = torch.inf
        self._refits = 0

    def calibrate(self, evidence: Evidence) -> None:
        """Let the first steps from real states move κ. One elite alone has none to disagree with: nothing stops it."""
        first_steps = evidence.imagined(ROWS)
        if len(first_steps.mean) == 1:
            return
        scores = self.score(first_steps)[:, 0]
        newest = self._xi * float(torch.quantile(scores, self._zeta / 100))
        self._refits = min(self._refits + 1, WINDOW)
        before = self._kappa if self._refits > 1 else newest
        self._kappa = before + (newest - before) / self._refits

    def length(self, epoch: int, settings: Mapping[str, Any]) -> int:
        """Return H."""
        return self._most

    def carried(self, rows: int, device: torch.device) -> Tensor:
        """Carry nothing: who left is gone."""
        return nothing_carried(rows, device)

    def sample(self, prediction: Prediction, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Follow the chosen elite."""
        return prediction.follow(noise)

    def score(self, prediction: Prediction) -> Tensor:  # [N, 1]
        """Return u."""
        first, second = torch.combinations(torch.arange(len(prediction.mean))).T
        total = torch.zeros_like(prediction.mean[0, :, :1])
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            apart = (prediction.mean[one] - prediction.mean[other]).square()
            a, b = prediction.var[one], prediction.var[other]
            total += (apart / (4 * (a + b)) + 0.5 * ((a + b) / (2 * (a * b).sqrt())).log()).sum(dim=1, keepdim=True)
        return total / max(1, len(first))

    def decide(self, score: Tensor, carried: Tensor, step: int, length: int) -> Decision:
        """Keep the rows below κ."""
        below = score[:, 0] < self._kappa
        return Decision(stored=below, goes_on=below, carried=carried)

    def report(self) -> Report:
        """Return κ."""
        return {"rollout/threshold": self._kappa if self._refits else None}

    def state_dict(self) -> dict[str, Any]:
        """Return κ and how many refits made it."""
        return {"kappa": self._kappa, "refits": self._refits} if self._refits else {}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from κ."""
        self._kappa, self._refits = saved["kappa"], saved["refits"]
