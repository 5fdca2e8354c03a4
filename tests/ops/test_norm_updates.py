"""Updates of critics with layer norm: the op against autograd, whatever the shape and whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_bf16_updates import gradients
from test_fused_steps import (
    BACKENDS,
    BAD_NUMBERS,
    DTYPES,
    PRECISIONS,
    agent,
    assert_same,
    batch_of,
    many,
    parts,
    row_weights,
    updated,
)
from torch import Tensor

from mbpo.data.transitions import Transitions
from mbpo.ops import native
from mbpo.sac.agent import SACAgent

pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason=native.REASON)


def normed(hidden: int, layers: int, dtype: torch.dtype, backend: str, precision: str = "float32") -> SACAgent:
    """Return an agent of 4 observations and 2 actions whose gains and shifts are no ones and zeros."""
    of = agent(4, 2, hidden, layers, dtype, backend, precision=precision, norm="layer")
    g = torch.Generator().manual_seed(2)
    for critic in (of.critic, of.critic_target):
        held = critic.net.layers(detached=True)
        for tensor in (*held.gains, *held.shifts):
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=g).to(dtype))
    return of


@many
@given(
    rows=st.sampled_from((1, 15, 16, 17, 31, 32, 33, 64, 100)),
    hidden=st.sampled_from((1, *range(3, 71))),  # two features are 1 and −1 to rounding, and so are gradients
    layers=st.integers(1, 3),
    dtype=DTYPES,
    weighted=st.booleans(),
)
def test_an_update_is_autograds(rows: int, hidden: int, layers: int, dtype: torch.dtype, weighted: bool) -> None:
    ours, theirs = (normed(hidden, layers, dtype, backend) for backend in BACKENDS)
    assert ours._fused and not theirs._fused
    for step in range(3):
        batch, weights = batch_of(rows, 4, 2, dtype, step), row_weights(rows, dtype, step)
        got, want = (updated(of, batch, weights if weighted else None) for of in (ours, theirs))
        assert_same(got, want)
    for a, b in zip(parts(ours), parts(theirs), strict=True):
        assert_same(a.detach(), b.detach())


@pytest.mark.parametrize(("hidden", "layers", "rows"), [(256, 2, 256), (2, 2, 40), (33, 1, 31), (17, 4, 65)])
def test_every_gradient_is_autograds(hidden: int, layers: int, rows: int) -> None:
    found = []
    for backend in BACKENDS:
        of = normed(hidden, layers, torch.float64, backend)
        of.update(batch_of(rows, 4, 2, torch.float64, 0))
        found.append(gradients(of.critic.net, of._critic_adam.state[of.critic.net.flat]["exp_avg"]))
    assert f"gains.{layers - 1}" in found[0] and f"shifts.{layers - 1}" in found[0]
    for name, want in found[1].items():
        assert_same(found[0][name] / want.norm(), want / want.norm())


def test_one_feature_has_no_variance_and_its_weights_get_no_gradient() -> None:
    of = normed(1, 2, torch.float32, "auto")
    before = of.critic.net.layers(detached=True).weights[0].clone()
    for step in range(3):
        of.update(batch_of(40, 4, 2, torch.float32, step))
    assert torch.equal(of.critic.net.layers(detached=True).weights[0], before)


@pytest.mark.skipif("bfloat16" not in PRECISIONS, reason="no products of bfloat16")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("hidden", "layers", "rows"), [(256, 2, 256), (256, 2, 31), (33, 3, 100), (70, 1, 64)])
def test_bfloat16_is_off_by_its_rounding_in_every_layer(hidden: int, layers: int, rows: int, weighted: bool) -> None:
    found = []
    for dtype, precision in ((torch.float32, "bfloat16"), (torch.float64, "float32")):
        of = normed(hidden, layers, dtype, "auto", precision)
        assert of.precision == precision
        noise = torch.randn(1, 2, rows, 2, generator=torch.Generator().manual_seed(2)).to(dtype)
        rows_of = batch_of(rows, 4, 2, torch.float64, 0).rows[None].to(dtype)
        weights = row_weights(rows, torch.float64, 0)[None].to(dtype) if weighted else None
        of._compiled(Transitions(rows_of, 4, 2, weights), noise)
        found.append(gradients(of.critic.net, of._critic_adam.state[of.critic.net.flat]["exp_avg"]))
    errors = {name: float((found[0][name] - want).norm() / want.norm()) for name, want in found[1].items()}
    assert max(errors.values()) < 1e-1, errors
    assert max(errors.values()) > 1e-4, errors  # in float32 they would be smaller


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("held", [1.0, 1e19])  # a moment beyond what a step is known to be safe with
def test_updates_in_one_call_are_those_of_one_each(held: float, precision: str) -> None:
    batches = Transitions(torch.stack([batch_of(50, 4, 2, torch.float32, seed).rows for seed in range(4)]), 4, 2)
    batches.reward[1, 3] = float("inf")  # moves nothing, and the next ones go on

    def run(each: bool) -> list[Tensor]:
        of = normed(70, 2, torch.float32, "auto", precision)
        of.adam_states()["critic"].second_moments[0][7] = held
        values = torch.cat([of._each(Transitions(rows, 4, 2)) for rows in batches.rows.split(1 if each else 4)])
        return [values, *(part.detach() for part in parts(of))]

    for a, b in zip(run(False), run(True), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_threads_change_no_bit(precision: str) -> None:
    def train(count: int) -> list[Tensor]:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            of = normed(256, 2, torch.float32, "auto", precision)
            for step in range(3):
                of.update(batch_of(256, 4, 2, torch.float32, step))
            return parts(of)
        finally:
            torch.set_num_threads(before)

    one = train(1)
    for count in (2, 3):
        assert all(torch.equal(a, b) for a, b in zip(one, train(count), strict=True))


def bad_reward(of: SACAgent, batch: Transitions, bad: float) -> None:
    batch.reward[3] = bad


def bad_gain(of: SACAgent, batch: Transitions, bad: float) -> None:
    of.critic.net.layers(detached=True).gains[-1][1, 2] = bad


def bad_target(of: SACAgent, batch: Transitions, bad: float) -> None:
    layers = of.critic_target.net.layers(detached=True)
    layers.weights[-1][:, 5] = -1  # so that the smaller of the two values shows it
    layers.shifts[-1][:, 5] = bad


@pytest.mark.parametrize("bad", BAD_NUMBERS)
@pytest.mark.parametrize("plant", (bad_reward, bad_gain, bad_target))
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_update_that_is_not_finite_moves_no_critic(
    backend: str, plant: Callable[[SACAgent, Transitions, float], None], bad: float
) -> None:
    of = normed(16, 2, torch.float32, backend)
    of.update(batch_of(32, 4, 2, torch.float32, 0))
    batch = batch_of(32, 4, 2, torch.float32, 1)
    plant(of, batch, bad)
    state = of._critic_adam.state[of.critic.net.flat]
    held = [of.critic.net.flat, of.critic_target.net.flat, of.actor.net.flat, state["exp_avg"], state["exp_avg_sq"]]
    before = [tensor.detach().clone() for tensor in held]
    assert not of.update(batch).values[0].isfinite()
    for now, then in zip(held, before, strict=True):
        torch.testing.assert_close(now.detach(), then, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("size", [1e10, 1e20, 3e37])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_huge_inputs_are_normalised_or_move_nothing(precision: str, size: float) -> None:
    """A variance beyond float leaves 0 of a row, as torch's does; what is not finite is left out."""
    of = normed(33, 2, torch.float32, "auto", precision)
    batch = batch_of(40, 4, 2, torch.float32, 0)
    batch.obs[5] *= size
    batch.next_obs[5] *= size
    before = of.critic.net.flat.detach().clone()
    values = of.update(batch).values
    moved = not torch.equal(of.critic.net.flat.detach(), before)
    assert moved == bool(values[0].isfinite())
    assert all(part.isfinite().all() for part in parts(of))


def test_biases_beyond_float_in_rows_that_are_not_there_harm_nothing() -> None:
    """A tile's unused rows hold the biases alone, whose mean overflows; the rows there are may be finite."""
    of = normed(64, 1, torch.float32, "auto")
    layers = of.critic.net.layers(detached=True)
    layers.biases[0].fill_(3e37)
    before = [part.detach().clone() for part in parts(of)]
    values = of.update(batch_of(5, 4, 2, torch.float32, 0)).values
    assert all(part.isfinite().all() for part in parts(of))
    if not values[0].isfinite():
        assert all(torch.equal(a, b.detach()) for a, b in zip(before[:3], parts(of)[:3], strict=True))


def test_the_op_says_that_it_serves_them() -> None:
    assert normed(16, 2, torch.float32, "auto").backend.backend == "cpp"
