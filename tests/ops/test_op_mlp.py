"""The module: its parameters, their first values, and its calls."""

from __future__ import annotations

import math

import pytest
import torch

from mbpo.errors import ConfigError
from mbpo.ops import EnsembleMLP, reference


def net(init: str, seed: int = 0, activation: str = "silu") -> EnsembleMLP:
    g = torch.Generator().manual_seed(seed)
    return EnsembleMLP([25, 100, 6], 7, activation, generator=g, init=init)


def test_truncated_normal_is_cut_at_two_sigma() -> None:
    module = net("truncated_normal")
    for weight, bias in zip(module.weights, module.biases, strict=True):
        sigma = 1 / (2 * math.sqrt(weight.shape[1]))
        assert weight.abs().max() <= 2 * sigma * (1 + 1e-6)
        # A normal cut at ±2σ has standard deviation 0.8796 σ.
        assert weight.std().item() == pytest.approx(0.8796 * sigma, rel=0.05)
        assert (bias == 0).all()


def test_uniform_fills_a_linear_layers_range() -> None:
    module = net("uniform")
    for weight, bias in zip(module.weights, module.biases, strict=True):
        bound = 1 / math.sqrt(weight.shape[1])
        for tensor in (weight, bias):
            assert tensor.abs().max() <= bound
            assert tensor.abs().max() > 0.8 * bound


@pytest.mark.parametrize("init", ["truncated_normal", "uniform"])
def test_the_generator_alone_decides(init: str) -> None:
    torch.manual_seed(1)
    first = net(init)
    torch.manual_seed(2)
    second, third = net(init), net(init, seed=1)
    pairs = list(zip(first.parameters(), second.parameters(), third.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not torch.equal(pairs[0][0], pairs[0][2])


def test_it_calls_the_op_and_saves_its_state() -> None:
    module, other = net("uniform"), net("uniform", seed=3)
    other.load_state_dict(module.state_dict())
    x, member = torch.randn(11, 25), torch.arange(11) % 7
    bounds = (torch.full((3,), -5.0), torch.full((3,), 1.0))
    want = reference.ensemble_mlp(x, other.weights, other.biases, "silu", bounds, member)
    got = module(x, member, bounds)
    assert isinstance(want, tuple)
    torch.testing.assert_close(got[0], want[0])
    torch.testing.assert_close(got[1], want[1])
    assert module(torch.randn(7, 4, 25)).shape == (7, 4, 6)
    assert "members=7" in repr(module)


@pytest.mark.parametrize(
    ("sizes", "members", "activation", "init", "message"),
    [
        ([3], 1, "silu", "uniform", "two or more positive widths"),
        ([3, 0], 1, "silu", "uniform", "two or more positive widths"),
        ([3, 2], 0, "silu", "uniform", "members be positive"),
        ([3, 2], 1, "gelu", "uniform", "activation must be one of"),
        ([3, 2], 1, "silu", "xavier", "init must be one of"),
    ],
)
def test_settings_that_cannot_be_used(sizes: list[int], members: int, activation: str, init: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EnsembleMLP(sizes, members, activation, generator=torch.Generator(), init=init)
