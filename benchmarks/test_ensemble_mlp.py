"""Time the op at the sizes that MBPO runs: the dynamics ensemble and the twin critics.

Each group sets ours beside torch's batched product and beside a loop over the members, on the same
inputs, after checking that they agree. Run with: pytest benchmarks --benchmark-group-by=group
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from mbpo.ops import EnsembleMLP, ensemble_mlp, native, reference


@dataclass(frozen=True)
class Shape:
    """Hold one network and its batch."""

    members: int
    rows: int
    sizes: tuple[int, ...]
    activation: str


Run = Callable[[Tensor, EnsembleMLP], Tensor]

SHAPES = {
    "dynamics": Shape(7, 256, (23, 200, 200, 200, 200, 36), "silu"),
    "critics": Shape(2, 256, (23, 256, 256, 1), "relu"),
    "small critics": Shape(2, 128, (23, 128, 128, 1), "relu"),
}


def loop(x: Tensor, net: EnsembleMLP) -> Tensor:
    """Run one member after the other, as a list of networks would."""
    act, last = reference.ACTIVATIONS[net.activation], len(net.weights) - 1
    ys = []
    for e in range(net.members):
        h = x[e]
        for layer, (weight, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
            h = torch.addmm(bias[e], h, weight[e])
            h = act(h) if layer < last else h
        ys.append(h)
    return torch.stack(ys)


def ours(x: Tensor, net: EnsembleMLP) -> Tensor:
    y = ensemble_mlp(x, tuple(net.weights), tuple(net.biases), net.activation, backend="cpp")
    assert isinstance(y, Tensor)
    return y


def bmm(x: Tensor, net: EnsembleMLP) -> Tensor:
    y = ensemble_mlp(x, tuple(net.weights), tuple(net.biases), net.activation, backend="torch")
    assert isinstance(y, Tensor)
    return y


RUNS: dict[str, Run] = {"ours": ours, "bmm": bmm, "loop": loop}


def prepare(shape: Shape, run: Run) -> tuple[EnsembleMLP, Tensor, Tensor]:
    """Return the inputs after checking values and gradients against float64."""
    g = torch.Generator().manual_seed(0)
    net = EnsembleMLP(shape.sizes, shape.members, shape.activation, generator=g, init="uniform")
    x = torch.randn(shape.members, shape.rows, shape.sizes[0], generator=g)
    exact = EnsembleMLP(shape.sizes, shape.members, shape.activation, generator=g).double()
    exact.load_state_dict(net.state_dict())
    y, want = run(x, net), bmm(x.double(), exact)
    dy = torch.randn(y.shape, generator=g)
    slopes = torch.autograd.grad(y, list(net.parameters()), dy)
    wants = torch.autograd.grad(want, list(exact.parameters()), dy.double())
    for got, true in zip((y, *slopes), (want, *wants), strict=True):
        assert (got - true).norm() <= 1e-5 * true.norm()
    return net, x, dy


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("step", ["forward", "forward+backward"])
def test_ensemble_mlp(benchmark: BenchmarkFixture, shape: str, name: str, step: str) -> None:
    if name == "ours" and not native.AVAILABLE:
        pytest.skip(native.REASON)
    run = RUNS[name]
    net, x, dy = prepare(SHAPES[shape], run)
    params = list(net.parameters())
    benchmark.group = f"{shape}, {step}"

    def forward() -> None:
        with torch.no_grad():
            run(x, net)

    def both() -> None:
        torch.autograd.grad(run(x, net), params, dy)

    benchmark(forward if step == "forward" else both)
