"""Shift and scale columns to zero mean and unit variance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMALLEST_STD = 1e-12


class Normalizer(nn.Module):
    """Hold the mean and standard deviation [D] of training data; the identity until fitted.

    Source: the released MBPO code's scaler; a std below 1e-12 counts as 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    def fit(self, rows: Tensor) -> None:
        """Take mean and std of ``rows`` [N, D], N ≥ 1, summed in float64."""
        wide = rows.double()
        std = wide.std(dim=0, correction=0)
        self.mean.copy_(wide.mean(dim=0))
        self.std.copy_(torch.where(std < SMALLEST_STD, 1.0, std))

    def normalize(self, rows: Tensor) -> Tensor:
        """Return (rows − mean)/std; rows [..., D]."""
        return (rows - self.mean) / self.std

    def denormalize(self, rows: Tensor) -> Tensor:
        """Return rows · std + mean; rows [..., D]."""
        return rows * self.std + self.mean
