"""Hold what an ensemble predicts at some rows, and what a rule for imagined rows decides there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(frozen=True)
class Prediction:
    """Hold the Gaussians of K elites at N rows, reward first, in the units of the targets.

    D = 1 + O: the reward, then the change of obs or the next obs, whichever the model predicts.
    """

    mean: Tensor  # [K, N, D]
    var: Tensor  # [K, N, D]
    chosen: Tensor  # [N] int64, of 0…K−1: the elite that a row follows at this step

    def of_chosen(self) -> tuple[Tensor, Tensor]:  # [N, D] each
        """Return mean and variance of the elite that each row follows."""
        rows = torch.arange(self.mean.shape[1], device=self.mean.device)
        return self.mean[self.chosen, rows], self.var[self.chosen, rows]

    def follow(self, noise: Tensor) -> Tensor:  # [N, D] -> [N, D]
        """Return a sample of the chosen elite's Gaussian, from standard normal ``noise``."""
        mean, var = self.of_chosen()
        return mean + var.sqrt() * noise


@dataclass(frozen=True)
class Decision:
    """Say what becomes of N imagined rows."""

    stored: Tensor  # [N] bool: whether SAC may see the transition
    goes_on: Tensor  # [N] bool: whether the rollout goes on, unless it ended
    carried: Tensor  # [N, C], what the rule wants to know of each row at the next step
    weight: Tensor | None = None  # [N] ≥ 0, in the critics' loss; None: 1
    bonus: Tensor | None = None  # [N], added to the reward; None: 0


@runtime_checkable
class RowRule(Protocol):
    """Judge every imagined row by what all elites predict there; :mod:`mbpo.trust.policies` has such rules."""

    def carried(self, rows: int, device: torch.device) -> Tensor:  # [N, C]
        """Return what is known of ``rows`` rows before their first step."""

    def sample(self, prediction: Prediction, noise: Tensor, generator: torch.Generator) -> Tensor:  # [N, D]
        """Return what happens, from standard normal ``noise`` [N, D]: as a rule, what the chosen elite says."""

    def score(self, prediction: Prediction) -> Tensor:  # [N, S]
        """Return what the rule decides by."""

    def decide(self, score: Tensor, carried: Tensor, step: int, length: int) -> Decision:
        """Decide about N rows at imagined step ``step`` of 0…length − 1."""
