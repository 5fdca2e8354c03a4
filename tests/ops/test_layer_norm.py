"""Networks whose hidden layers are normalised: the definition against torch's own modules, and what is saved."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mbpo.errors import ConfigError
from mbpo.ops import EnsembleMLP


def network(sizes: list[int], members: int = 2, activation: str = "relu") -> EnsembleMLP:
    """Return a network in float64 whose every number is drawn, gains and shifts too."""
    g = torch.Generator().manual_seed(0)
    net = EnsembleMLP(sizes, members, activation, generator=g, init="uniform", norm="layer").double()
    with torch.no_grad():
        net.flat.add_(0.3 * torch.randn(net.flat.shape, generator=g, dtype=torch.float64))
    return net


def modules(net: EnsembleMLP, member: int) -> nn.Sequential:
    """Return one member as torch's own modules."""
    layers, parts = net.layers(), nn.Sequential()
    for i, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        linear = nn.Linear(*weight.shape[1:], dtype=torch.float64)
        linear.load_state_dict({"weight": weight[member].T, "bias": bias[member]})
        parts.append(linear)
        if i < len(layers.gains):
            norm = nn.LayerNorm(weight.shape[2], dtype=torch.float64)
            norm.load_state_dict({"weight": layers.gains[i][member], "bias": layers.shifts[i][member]})
            parts.extend([norm, nn.ReLU()])
    return parts


@pytest.mark.parametrize("sizes", [[3, 5, 2], [4, 1, 1], [6, 33, 17, 1], [2, 3]])
def test_it_is_torchs_own_layer_norm(sizes: list[int]) -> None:
    net = network(sizes)
    x = torch.randn(2, 7, sizes[0], dtype=torch.float64)
    wanted = torch.stack([modules(net, e)(x[e]) for e in range(2)])
    y = net(x)
    assert isinstance(y, Tensor)
    torch.testing.assert_close(y, wanted)


def test_first_gains_are_one_and_the_draws_are_those_without_a_norm() -> None:
    nets = [
        EnsembleMLP([3, 8, 8, 1], 2, "relu", generator=torch.Generator().manual_seed(0), norm=norm)
        for norm in ("none", "layer")
    ]
    without, normed = (net.layers(detached=True) for net in nets)
    for mine, other in zip([*normed.weights, *normed.biases], [*without.weights, *without.biases], strict=True):
        assert torch.equal(mine, other)
    assert [gain.shape for gain in normed.gains] == [shift.shape for shift in normed.shifts] == [(2, 8)] * 2
    assert all((gain == 1).all() for gain in normed.gains) and not any(shift.any() for shift in normed.shifts)
    assert not without.gains and not without.shifts


def test_a_state_dict_names_gains_and_shifts_and_suits_no_network_without() -> None:
    net = network([3, 8, 1])
    state = net.state_dict()
    assert list(state) == ["weights.0", "weights.1", "biases.0", "biases.1", "gains.0", "shifts.0"]
    plain = EnsembleMLP([3, 8, 1], 2, "relu", generator=torch.Generator()).double()
    with pytest.raises(RuntimeError, match=r"gains\.0"):
        plain.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r"gains\.0"):
        net.load_state_dict(plain.state_dict())
    other = EnsembleMLP([3, 8, 1], 2, "relu", generator=torch.Generator(), norm="layer").double()
    other.load_state_dict(state)
    assert torch.equal(other.flat, net.flat)


@pytest.mark.parametrize(
    "arguments", [{"precision": "bfloat16"}, {"member": torch.zeros(4, dtype=torch.int64)}], ids=["bfloat16", "member"]
)
def test_what_a_norm_does_not_come_with_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="a network with a norm takes"):
        network([3, 8, 1])(torch.zeros(2, 4, 3, dtype=torch.float64), **arguments)


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ConfigError, match="norm must be one of none, layer, got 'batch'"):
        EnsembleMLP([3, 2], 1, "relu", generator=torch.Generator(), norm="batch")
