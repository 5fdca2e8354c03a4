"""Build inputs of the op for the tests beside this file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from mbpo.ops import native, reference

needs_extension = pytest.mark.skipif(not native.AVAILABLE, reason=native.REASON)

BACKENDS = [pytest.param("cpp", marks=needs_extension), "torch"]


@dataclass(frozen=True)
class Case:
    """Hold the arguments of one call."""

    x: Tensor
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    activation: str = "silu"
    bounds: tuple[Tensor, Tensor] | None = None
    member: Tensor | None = None

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        return (self.x, *self.weights, *self.biases, *(self.bounds or ()))

    def args(self) -> tuple[object, ...]:
        return (self.x, self.weights, self.biases, self.activation, self.bounds, self.member)

    def of(self, leaves: Sequence[Tensor]) -> Case:
        """Return this case with other tensors of the same meaning."""
        layers = len(self.weights)
        weights, biases = leaves[1 : 1 + layers], leaves[1 + layers : 1 + 2 * layers]
        rest = leaves[1 + 2 * layers :]
        bounds = (rest[0], rest[1]) if self.bounds is not None else None
        return Case(leaves[0], tuple(weights), tuple(biases), self.activation, bounds, self.member)

    def double(self) -> Case:
        return self.of([leaf.detach().double().requires_grad_() for leaf in self.leaves])


def make_case(
    members: int,
    rows: int,
    sizes: Sequence[int],
    activation: str = "silu",
    *,
    routed: bool = False,
    gaussian: bool = False,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Case:
    """Draw a call whose values stay of order one through the layers."""
    g = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    last = sizes[-1] * 2 if gaussian else sizes[-1]
    widths = [*sizes[:-1], last]
    shape = (rows,) if routed else (members, rows)
    tensors = [draw(*shape, widths[0])]
    tensors += [draw(members, i, j) / i**0.5 for i, j in pairwise(widths)]
    tensors += [0.3 * draw(members, j) for j in widths[1:]]
    if gaussian:
        tensors += [-2.0 + 0.1 * draw(sizes[-1]), 1.0 + 0.1 * draw(sizes[-1])]
    leaves = [t.to(dtype).requires_grad_() for t in tensors]
    layers = len(widths) - 1
    return Case(
        leaves[0],
        tuple(leaves[1 : 1 + layers]),
        tuple(leaves[1 + layers : 1 + 2 * layers]),
        activation,
        (leaves[-2], leaves[-1]) if gaussian else None,
        torch.randint(0, members, (rows,), generator=g) if routed else None,
    )


def outputs(result: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def define(case: Case) -> tuple[Tensor, ...]:
    """Return what the definition says, with the case's own precision."""
    return outputs(reference.ensemble_mlp(case.x, case.weights, case.biases, case.activation, case.bounds, case.member))


def at_a_kink(case: Case) -> bool:
    """Return whether a ReLU's input is so near 0 that its slope may be 0 or 1, by how a sum is rounded."""
    if case.activation != "relu":
        return False
    hidden = range(1, len(case.weights))
    parts = (Case(case.x, case.weights[:n], case.biases[:n], "relu", None, case.member).double() for n in hidden)
    return any(bool((define(part)[0].abs() < 1e-6).any()) for part in parts)


def assert_close(actual: Tensor, exact: Tensor, tolerance: float = 1e-5, terms: int = 1) -> None:
    """Check the error of a whole tensor, each number the sum of so many terms, against its float64 norm."""
    assert actual.shape == exact.shape
    assert torch.isfinite(actual).all()
    if exact.numel():
        # Sums that cancel to almost nothing have no relative error to speak of.
        scale = max(exact.norm().item(), 0.1 * (terms * exact.numel()) ** 0.5)
        assert (actual.double() - exact).norm().item() <= tolerance * scale
