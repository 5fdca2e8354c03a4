"""Sample what the elites agree on, and stop a rollout where too much information was lost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mbpo.data.predictions import Decision, Prediction
from mbpo.settings.config import Config
from mbpo.trust.policies import Evidence, Report, most_steps

MOST = 100
ROWS = 10_000  # real rows, of which quantiles are taken
STEP = math.log2(1e-6)  # log₂ of the step to which a target is quantised
CONSTANT = 0.5 * math.log2(2 * math.pi * math.e)


class Information:
    """Stop a row, unstored, where a target's h_d passes λ₁, or what it lost since its start passes λ₂.

        v̄ = 1/mean_e(1/v_e),  μ̄ = v̄ mean_e(μ_e/v_e),  ε = mean_e (μ_e − μ̄)²
        K = v̄/(v̄ + ε),  c = (1 − K) v̄,  h_d = max(0, ½ log₂(2πe c_d) − log₂ 1e-6), in bits
        y ~ N(μ_e, v_e),  what happens ~ N(μ̄ + K(y − μ̄), c)
        λ₁ = Q_rare(h_d),  λ₂ = H · Q_usual(h_d), of each target d on real rows at each refit

    h_d depends on the units of the targets.

    Source: Infoprop, arXiv:2501.16918; its released code (ba9c6fb).
    Departs: elites, where the released code takes all members; quantiles of 10,000 real rows.
    """

    def __init__(self, config: Config, rare: float, usual: float) -> None:
        self._most = most_steps(config, MOST)
        self._rare, self._usual = rare, usual
        self._limits: tuple[Tensor, Tensor] | None = None  # λ₁ and λ₂ [D]

    def calibrate(self, evidence: Evidence) -> None:
        """Take λ₁ and λ₂ from real rows."""
        lost = self.score(evidence.real(ROWS))
        usual = self._most * torch.quantile(lost, self._usual, dim=0)
        self._limits = torch.quantile(lost, self._rare, dim=0), usual

    def length(self, epoch: int, settings: Mapping[str, Any]) -> int:
        """Return H."""
        return self._most

    def carried(self, rows: int, device: torch.device) -> Tensor:  # [N, 1]
        """Carry the sum of h_d since the start: 0, one for all targets until the first step."""
        return torch.zeros(rows, 1, device=device)

    def sample(self, prediction: Prediction, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Return the fused sample."""
        mean, var, apart = fused(prediction)
        trust = var / (var + apart)
        centre = mean + trust * (prediction.follow(noise) - mean)
        again = torch.randn(noise.shape, generator=generator, device=noise.device)
        return centre + ((1 - trust) * var).sqrt() * again

    def score(self, prediction: Prediction) -> Tensor:  # [N, D], bits
        """Return h_d of every target."""
        _, var, apart = fused(prediction)
        return (CONSTANT + 0.5 * (var * apart / (var + apart)).log2() - STEP).clamp(min=0.0)

    def decide(self, score: Tensor, carried: Tensor, step: int, length: int) -> Decision:
        """Keep the rows that pass neither limit."""
        lost = carried + score
        kept = torch.ones_like(score[:, 0], dtype=torch.bool)
        if self._limits is not None:
            rare, usual = self._limits
            kept = ((score <= rare) & (lost <= usual)).all(dim=1)
        return Decision(stored=kept, goes_on=kept, carried=lost)

    def report(self) -> Report:
        """Return the mean of λ₁, and of λ₂, over the targets."""
        if self._limits is None:
            return {}
        rare, usual = (float(limit.mean()) for limit in self._limits)
        return {"rollout/threshold": rare, "rollout/threshold_total": usual}

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: each refit takes its limits anew."""
        return {}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Remember nothing."""


def fused(prediction: Prediction) -> tuple[Tensor, Tensor, Tensor]:  # [N, D] each
    """Return μ̄, v̄ and ε, the variance of the elites' means about μ̄."""
    precision = prediction.var.reciprocal()
    var = precision.mean(dim=0).reciprocal()
    mean = var * (prediction.mean * precision).mean(dim=0)
    return mean, var, (prediction.mean - mean).square().mean(dim=0)
