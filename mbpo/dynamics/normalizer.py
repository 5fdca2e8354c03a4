"""Shift and scale columns to zero mean and unit variance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMALLEST_STD = 1e-12
ROUNDING = 2.0**-22  # of float32: two units in the last place


class Normalizer(nn.Module):
    """Hold the mean and standard deviation [D] of training data; the identity until fitted.

    Source: the released MBPO code's scaler; a std below 1e-12 counts as 1.
    Departs: so does one that is all rounding, as of Δt where an observed clock ticks evenly; scaled
    up, that noise would be a target like any other.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    def fit(self, rows: Tensor, largest: Tensor | None = None) -> None:
        """Take mean and std of ``rows`` [N, D], N ≥ 1, summed in float64.

        ``largest`` [D] is the size of the numbers that rows are differences of, where they are.
        """
        wide = rows.double()
        std = wide.std(dim=0, correction=0)
        size = rows.abs().amax(dim=0) if largest is None else largest
        constant = std < (ROUNDING * size.double()).clamp(min=SMALLEST_STD)
        self.mean.copy_(wide.mean(dim=0))
        self.std.copy_(torch.where(constant, 1.0, std))

    def normalize(self, rows: Tensor) -> Tensor:
        """Return (rows − mean)/std; rows [..., D]."""
        return (rows - self.mean) / self.std

    def denormalize(self, rows: Tensor) -> Tensor:
        """Return rows · std + mean; rows [..., D]."""
        return rows * self.std + self.mean
