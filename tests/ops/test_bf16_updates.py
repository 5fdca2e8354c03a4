"""Gradients of updates whose products are of bfloat16, against float64, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from test_fused_steps import agent, batch_of, ensemble, row_weights
from torch import Tensor

from mbpo.dynamics.train_step import TrainStep
from mbpo.ops import EnsembleMLP, native

WHY_NOT = native.why_no_bfloat16(torch.device("cpu"))
pytestmark = pytest.mark.skipif(WHY_NOT != "", reason=f"no products of bfloat16: {WHY_NOT}")
# ‖got − want‖ / ‖want‖ of a layer. Its noise, whose terms cancel, is what a gradient of random rows
# is divided by: the critics' 1st layer was off by 6.3e-2, the actor's by 5.2e-2, the model's by 5.5e-3.
LARGEST_OF_SAC, LARGEST_OF_MODEL = 1e-1, 2e-2


def gradients(net: EnsembleMLP, moment: Tensor) -> Mapping[str, Tensor]:
    """Return the gradient of each layer of ``net`` after one step of Adam, from its first moment."""
    with torch.no_grad():
        held = net.flat.clone()
        net.flat.copy_(10 * moment)  # β₁ is 0.9
        layers = {name: tensor.double().clone() for name, tensor in net.named_layers().items()}
        net.flat.copy_(held)
    return layers


def expect_close(got: Mapping[str, Tensor], want: Mapping[str, Tensor], largest: float) -> None:
    errors = {name: ((got[name] - want[name]).norm() / want[name].norm()).item() for name in want}
    assert max(errors.values()) < largest, errors
    assert max(errors.values()) > 1e-4, errors  # in float32 they would be smaller


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("obs", "actions", "rows"), [(11, 3, 256), (17, 6, 256), (3, 1, 100), (27, 8, 31)])
def test_sac_update(obs: int, actions: int, rows: int, weighted: bool) -> None:
    found = []
    for dtype, precision in ((torch.float32, "bfloat16"), (torch.float64, "float32")):
        of = agent(obs, actions, 256, 2, dtype, "auto", precision=precision)
        of.generator.manual_seed(1)
        batch = batch_of(rows, obs, actions, torch.float64, 0)
        noise = torch.randn(1, 2, rows, actions, generator=torch.Generator().manual_seed(2)).to(dtype)
        weights = row_weights(rows, torch.float64, 0)[None].to(dtype) if weighted else None
        of._compiled(type(batch)(batch.rows[None].to(dtype), obs, actions, weights), noise)
        states = {"critic": (of.critic.net, of._critic_adam), "actor": (of.actor.net, of._actor_adam)}
        found.append({name: gradients(net, adam.state[net.flat]["exp_avg"]) for name, (net, adam) in states.items()})
    for name, want in found[1].items():
        expect_close(found[0][name], want, LARGEST_OF_SAC)


@pytest.mark.parametrize(("obs", "actions", "batch"), [(11, 3, 256), (17, 6, 256), (3, 1, 100), (27, 8, 31)])
def test_train_step(obs: int, actions: int, batch: int) -> None:
    g = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(500, obs + actions, generator=g), torch.randn(500, 1 + obs, generator=g)
    index = torch.randint(500, (7, batch), generator=g)
    found = []
    for dtype, precision in ((torch.float32, "bfloat16"), (torch.float64, "float32")):
        model = ensemble(obs, actions, 200, 4, 7, dtype)
        step = TrainStep(model, 1e-3, precision=precision)
        assert step.precision == precision
        step(inputs.to(dtype), labels.to(dtype), index)
        found.append(gradients(model.net, step.adam.state[model.net.flat]["exp_avg"]))
    expect_close(*found, LARGEST_OF_MODEL)
