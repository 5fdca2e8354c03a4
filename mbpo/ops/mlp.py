"""Hold the parameters of E multilayer perceptrons; the project's only network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from mbpo.errors import ConfigError
from mbpo.ops.ensemble_mlp import ensemble_mlp
from mbpo.ops.reference import ACTIVATIONS


class EnsembleMLP(nn.Module):
    """Run E perceptrons of one shape at once; see :func:`mbpo.ops.ensemble_mlp` for the equation.

    All numbers lie in one parameter, so that an optimiser's step and a target's move are one
    operation each. State dicts name every layer: ``weights.0``, ``biases.0``, ``weights.1``, …

    Attributes:
        flat: the parameter [P]: layer by layer the weights [E, I, J], then the biases [E, J].
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
            raise ConfigError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        if init not in INITS:
            raise ConfigError(f"init must be one of {', '.join(INITS)}, got {init!r}")
        self.sizes = tuple(sizes)
        self.members = members
        self.activation = activation
        layers = [INITS[init](members, fan_in, fan_out, generator) for fan_in, fan_out in pairwise(sizes)]
        self.flat = nn.Parameter(torch.cat([t.reshape(-1) for layer in layers for t in layer]))

    @property
    def weights(self) -> list[Tensor]:
        """Return L views of [E, I, J]."""
        return self._views()[0]

    @property
    def biases(self) -> list[Tensor]:
        """Return L views of [E, J]."""
        return self._views()[1]

    def _views(self, detached: bool = False) -> tuple[list[Tensor], list[Tensor]]:
        shapes = [
            shape
            for fan_in, fan_out in pairwise(self.sizes)
            for shape in ((self.members, fan_in, fan_out), (self.members, fan_out))
        ]
        flat = self.flat.detach() if detached else self.flat
        parts = torch.split(flat, [math.prod(shape) for shape in shapes])
        views = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
        return views[0::2], views[1::2]

    def forward(
        self,
        x: Tensor,  # [E, B, I], or [N, I] with member
        member: Tensor | None = None,  # [N] int64
        logvar_bounds: tuple[Tensor, Tensor] | None = None,  # (min [O], max [O])
        frozen: bool = False,  # cut the gradient to the parameters, not to x
        precision: str = "float32",  # or "bfloat16", without gradients
    ) -> Tensor | tuple[Tensor, Tensor]:  # [E, B, O] or [N, O]; with bounds (mean, logvar)
        """Return the members' outputs on their rows.

        Raises:
            ConfigError: ``precision`` is unknown, or cannot take the call.
            ShapeError: an input breaks the shapes above.
        """
        weights, biases = self._views(detached=frozen)
        return ensemble_mlp(x, weights, biases, self.activation, logvar_bounds, member, precision=precision)

    def named_layers(self) -> dict[str, Tensor]:
        """Return every layer's tensors under their names in a state dict."""
        weights, biases = self._views(detached=True)
        kinds = {"weights": weights, "biases": biases}
        return {f"{kind}.{i}": t for kind, tensors in kinds.items() for i, t in enumerate(tensors)}

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        destination.update({prefix + name: t for name, t in self.named_layers().items()})

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        layers = {prefix + name: tensor for name, tensor in self.named_layers().items()}
        missing_keys += [key for key in layers if key not in state_dict]
        if strict:
            unexpected_keys += [k for k in state_dict if k.startswith(prefix) and k not in layers]
        for key, tensor in layers.items():
            given = state_dict.get(key, tensor)
            if given.shape != tensor.shape:
                error_msgs.append(f"{key} must be {list(tensor.shape)}, got {list(given.shape)}")
            else:
                tensor.copy_(given)

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
