"""Hold the parameters of E multilayer perceptrons; the project's only network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from mbpo.errors import ConfigError
from mbpo.ops.ensemble_mlp import ensemble_mlp
from mbpo.ops.reference import ACTIVATIONS


class EnsembleMLP(nn.Module):
    """Run E perceptrons of one shape at once; see :func:`mbpo.ops.ensemble_mlp` for the equation.

    Attributes:
        weights: L parameters of [E, I, J].
        biases: L parameters of [E, J].
    """

    def __init__(
        self,
        sizes: Sequence[int],  # widths, input first and output last: L + 1 of them
        members: int,  # E
        activation: str,
        *,
        generator: torch.Generator,
        init: str = "truncated_normal",  # or "uniform"
    ) -> None:
        """Draw the first parameters from ``generator``, layer by layer.

        Raises:
            ConfigError: a size, the member count, the activation or the init cannot be used.
        """
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1 or members < 1:
            raise ConfigError(
                f"sizes must hold two or more positive widths and members be positive, "
                f"got sizes {list(sizes)} and members {members}"
            )
        if activation not in ACTIVATIONS:
            raise ConfigError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}"
            )
        if init not in INITS:
            raise ConfigError(f"init must be one of {', '.join(INITS)}, got {init!r}")
        self.sizes = tuple(sizes)
        self.members = members
        self.activation = activation
        layers = [
            INITS[init](members, fan_in, fan_out, generator) for fan_in, fan_out in pairwise(sizes)
        ]
        self.weights = nn.ParameterList([nn.Parameter(weight) for weight, _ in layers])
        self.biases = nn.ParameterList([nn.Parameter(bias) for _, bias in layers])

    def forward(
        self,
        x: Tensor,  # [E, B, I], or [N, I] with member
        member: Tensor | None = None,  # [N] int64
        logvar_bounds: tuple[Tensor, Tensor] | None = None,  # (min [O], max [O])
    ) -> Tensor | tuple[Tensor, Tensor]:  # [E, B, O] or [N, O]; with bounds (mean, logvar)
        """Return the members' outputs on their rows.

        Raises:
            ShapeError: an input breaks the shapes above.
        """
        return ensemble_mlp(
            x, tuple(self.weights), tuple(self.biases), self.activation, logvar_bounds, member
        )

    def extra_repr(self) -> str:
        """Describe the network on one line."""
        return f"sizes={list(self.sizes)}, members={self.members}, activation={self.activation!r}"


def truncated_normal(
    members: int, fan_in: int, fan_out: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:  # [E, I, J], [E, J]
    """Return weights from N(0, σ²) cut off at 2σ with σ = 1 / (2·√fan_in), and zero biases.

    Source: PETS, arXiv:1805.12114, its released code's dynamics ensemble.
    """
    sigma = 1.0 / (2.0 * math.sqrt(fan_in))
    weight = torch.empty(members, fan_in, fan_out)
    nn.init.trunc_normal_(weight, std=sigma, a=-2.0 * sigma, b=2.0 * sigma, generator=generator)
    return weight, torch.zeros(members, fan_out)


def uniform(
    members: int, fan_in: int, fan_out: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:  # [E, I, J], [E, J]
    """Return weights and biases from U(−1/√fan_in, 1/√fan_in), the default of a linear layer."""
    bound = 1.0 / math.sqrt(fan_in)
    weight = torch.empty(members, fan_in, fan_out).uniform_(-bound, bound, generator=generator)
    return weight, torch.empty(members, fan_out).uniform_(-bound, bound, generator=generator)


INITS: dict[str, Callable[[int, int, int, torch.Generator], tuple[Tensor, Tensor]]] = {
    "truncated_normal": truncated_normal,
    "uniform": uniform,
}
