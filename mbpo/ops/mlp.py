"""Hold the parameters of E multilayer perceptrons; the project's only network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from mbpo.errors import ConfigError
from mbpo.ops.contract import check_call
from mbpo.ops.ensemble_mlp import ensemble_mlp
from mbpo.ops.reference import ACTIVATIONS, layer_norm_mlp

NORMS = ("none", "layer")


@dataclass(frozen=True)
class Layers:
    """Hold the layers of E perceptrons; gains and shifts are those of the hidden layers' norms, or none."""

    weights: list[Tensor]  # L of [E, I, J]
    biases: list[Tensor]  # L of [E, J]
    gains: list[Tensor]  # L − 1 of [E, J], or empty
    shifts: list[Tensor]  # as gains

    def named(self) -> dict[str, Tensor]:
        """Return every tensor under its name in a state dict."""
        return {f"{kind}.{i}": tensor for kind, tensors in vars(self).items() for i, tensor in enumerate(tensors)}


class EnsembleMLP(nn.Module):
    """Run E perceptrons of one shape at once; see :func:`mbpo.ops.ensemble_mlp` for the equation.

    All numbers lie in one parameter, so that an optimiser's step and a target's move are one
    operation each. State dicts name every layer: ``weights.0``, ``biases.0``, ``weights.1``, …

    With ``norm`` "layer" each hidden layer is normalised before its activation, over its J features:

        hₗ₊₁ = act(gainₗ · (z − mean z) / √(var z + 10⁻⁵) + shiftₗ)  with  z = hₗ Wₗ + bₗ

    Source: layer normalisation, arXiv:1607.06450, Eq. 4.

    Attributes:
        flat: the parameter [P]: layer by layer the weights [E, I, J], then the biases [E, J], then, of a layer with
            a norm, its gain [E, J] and its shift [E, J].
    """

    def __init__(
        self,
        sizes: Sequence[int],  # widths, input first and output last: L + 1 of them
        members: int,  # E
        activation: str,
        *,
        generator: torch.Generator,
        init: str = "truncated_normal",  # or "uniform"
        norm: str = "none",  # or "layer"
    ) -> None:
        """Draw the first parameters from ``generator``, layer by layer; gains begin at 1, shifts at 0.

        Raises:
            ConfigError: a size, the member count, the activation, the init or the norm cannot be used.
        """
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1 or members < 1:
            raise ConfigError(
                f"sizes must hold two or more positive widths and members be positive, "
                f"got sizes {list(sizes)} and members {members}"
            )
        for name, given, known in (
            ("activation", activation, ACTIVATIONS),
            ("init", init, INITS),
            ("norm", norm, NORMS),
        ):
            if given not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {given!r}")
        self.sizes = tuple(sizes)
        self.members = members
        self.activation = activation
        self.norm = norm
        parts: list[Tensor] = []
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            parts += INITS[init](members, fan_in, fan_out, generator)
            if self._normalises(layer):
                parts += torch.ones(members, fan_out), torch.zeros(members, fan_out)
        self.flat = nn.Parameter(torch.cat([part.reshape(-1) for part in parts]))

    def _normalises(self, layer: int) -> bool:
        return self.norm == "layer" and layer < len(self.sizes) - 2

    @property
    def weights(self) -> list[Tensor]:
        """Return L views of [E, I, J]."""
        return self.layers().weights

    @property
    def biases(self) -> list[Tensor]:
        """Return L views of [E, J]."""
        return self.layers().biases

    def layers(self, detached: bool = False) -> Layers:
        """Return views of every layer."""
        layers = Layers([], [], [], [])
        flat = self.flat.detach() if detached else self.flat
        shapes = list(self._shapes())
        parts = torch.split(flat, [math.prod(shape) for _, shape in shapes])
        for (kind, shape), part in zip(shapes, parts, strict=True):
            getattr(layers, kind).append(part.view(shape))
        return layers

    def _shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the kind and shape of each part of ``flat``, in its order."""
        for layer, (fan_in, fan_out) in enumerate(pairwise(self.sizes)):
            yield "weights", (self.members, fan_in, fan_out)
            yield "biases", (self.members, fan_out)
            if self._normalises(layer):
                yield "gains", (self.members, fan_out)
                yield "shifts", (self.members, fan_out)

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
        of = self.layers(detached=frozen)
        if self.norm == "none":
            return ensemble_mlp(x, of.weights, of.biases, self.activation, logvar_bounds, member, precision=precision)
        if precision != "float32" or member is not None or logvar_bounds is not None:
            raise ConfigError("a network with a norm takes x [E, B, I] in float32, without member and logvar_bounds")
        check_call(x, of.weights, of.biases, self.activation, None, None, "auto")
        return layer_norm_mlp(x, of.weights, of.biases, of.gains, of.shifts, self.activation)

    def named_layers(self) -> dict[str, Tensor]:
        """Return every layer's tensors under their names in a state dict."""
        return self.layers(detached=True).named()

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
        return f"sizes={list(self.sizes)}, members={self.members}, activation={self.activation!r}, norm={self.norm!r}"


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
