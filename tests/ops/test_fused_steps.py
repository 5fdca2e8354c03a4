"""The compiled steps against autograd: the same numbers, whatever the shape."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mbpo.data.transitions import Transitions
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.train_step import TrainStep
from mbpo.ops import native
from mbpo.sac.agent import SACAgent
from mbpo.sac.networks import Actor, TwinCritic

pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason=native.REASON)
TIGHT = {torch.float64: 1e-9, torch.float32: 2e-4}
DTYPES = st.sampled_from(list(TIGHT))
many = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    tolerance = TIGHT[ours.dtype]
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def agent(
    obs: int,
    actions: int,
    hidden: int,
    layers: int,
    dtype: torch.dtype,
    backend: str,
    device: str = "cpu",
    precision: str = "float32",
    norm: str = "none",
) -> SACAgent:
    g = torch.Generator().manual_seed(0)
    low, high = -torch.ones(actions), 2 * torch.ones(actions)
    actor = Actor(obs, low, high, hidden=hidden, layers=layers, generator=g).to(device, dtype)
    critic = TwinCritic(obs, actions, hidden=hidden, layers=layers, generator=g, norm=norm).to(device, dtype)
    return SACAgent(
        actor,
        critic,
        gamma=0.9,
        tau=0.1,
        actor_lr=1e-3,
        critic_lr=2e-3,
        alpha_lr=3e-3,
        init_alpha=0.7,
        target_entropy=-1.5,
        generator=torch.Generator(device).manual_seed(1),
        backend=backend,
        precision=precision,
    )


def batch_of(rows: int, obs: int, actions: int, dtype: torch.dtype, seed: int) -> Transitions:
    g = torch.Generator().manual_seed(seed)
    packed = torch.randn(rows, 2 * obs + actions + 2, generator=g, dtype=dtype)
    packed[:, -1] = (packed[:, -1] > 0.5).to(dtype)
    return Transitions(packed, obs, actions)


def row_weights(rows: int, dtype: torch.dtype, seed: int) -> Tensor:  # [B]
    """Return weights from 0 to 2, a third of them 0."""
    drawn = torch.rand(rows, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return (3 * drawn - 1).clamp(min=0)


def updated(of: SACAgent, batch: Transitions, weights: Tensor | None) -> Tensor:  # [5]
    """Update once, with weights [B] of the rows or none; return the report's values."""
    weight = None if weights is None else weights[None]
    return of._each(Transitions(batch.rows[None], batch.obs_dim, batch.action_dim, weight))[0]


def parts(of: SACAgent) -> list[Tensor]:
    adams = [of._actor_adam, of._critic_adam]
    states = [t for adam in adams for state in adam.state.values() for t in state.values()]
    flats = [of.actor.net.flat, of.critic.net.flat, of.critic_target.net.flat, of.log_alpha]
    return [*flats, *(t.to(flats[0].dtype) for t in states)]


@many
@given(
    rows=st.sampled_from((1, 15, 16, 17, 31, 32, 33, 64, 100)),
    obs=st.integers(1, 30),
    actions=st.integers(1, 8),
    hidden=st.integers(1, 70),
    layers=st.integers(1, 3),
    dtype=DTYPES,
    weighted=st.booleans(),
)
def test_sac_update(
    rows: int, obs: int, actions: int, hidden: int, layers: int, dtype: torch.dtype, weighted: bool
) -> None:
    ours, theirs = (agent(obs, actions, hidden, layers, dtype, b) for b in ("auto", "torch"))
    assert ours._fused and not theirs._fused
    for step in range(3):
        batch, weights = batch_of(rows, obs, actions, dtype, step), row_weights(rows, dtype, step)
        got, want = (updated(of, batch, weights if weighted else None) for of in (ours, theirs))
        assert_same(got, want)
    for a, b in zip(parts(ours), parts(theirs), strict=True):
        assert_same(a.detach(), b.detach())


def ensemble(obs: int, actions: int, hidden: int, layers: int, members: int, dtype: torch.dtype) -> DynamicsEnsemble:
    g = torch.Generator().manual_seed(0)
    return DynamicsEnsemble(obs, actions, members=members, hidden=hidden, layers=layers, generator=g).to(dtype)


@many
@given(
    batch=st.sampled_from((1, 15, 16, 17, 31, 32, 33, 64, 100)),
    obs=st.integers(1, 20),
    actions=st.integers(1, 5),
    hidden=st.integers(1, 70),
    layers=st.integers(1, 4),
    members=st.integers(1, 8),
    dtype=DTYPES,
)
def test_train_step(
    batch: int, obs: int, actions: int, hidden: int, layers: int, members: int, dtype: torch.dtype
) -> None:
    g = torch.Generator().manual_seed(batch)
    model = ensemble(obs, actions, hidden, layers, members, dtype)
    other = copy.deepcopy(model)
    ours, theirs = TrainStep(model, 1e-2), TrainStep(other, 1e-2, backend="torch")
    inputs = torch.randn(50, obs + actions, generator=g, dtype=dtype)
    labels = 2 * torch.randn(50, 1 + obs, generator=g, dtype=dtype)
    for _ in range(3):
        index = torch.randint(50, (members, batch), generator=g)
        assert_same(ours(inputs, labels, index), theirs(inputs, labels, index))
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert_same(a.detach(), b.detach())


def sac_run(switch: Callable[[SACAgent, int], None]) -> list[Tensor]:
    ours = agent(5, 2, 40, 2, torch.float64, "auto")
    for step in range(4):
        switch(ours, step)
        ours.update(batch_of(40, 5, 2, torch.float64, step))
    return [t.detach().clone() for t in parts(ours)]


def test_both_ways_share_one_state_of_adam() -> None:
    def alternate(of: SACAgent, step: int) -> None:
        of._fused = step % 2 == 0

    for a, b in zip(sac_run(alternate), sac_run(lambda of, step: None), strict=True):
        assert_same(a, b)


def test_an_optimiser_restored_from_its_state_dict_goes_on() -> None:
    model = ensemble(3, 1, 20, 2, 3, torch.float64)
    inputs, labels = torch.randn(30, 4).double(), torch.randn(30, 4).double()
    index = torch.randint(30, (3, 16))
    first = TrainStep(model, 1e-2)
    first(inputs, labels, index)
    twin = copy.deepcopy(model)
    second = TrainStep(twin, 1e-2)
    second.adam.load_state_dict(copy.deepcopy(first.adam.state_dict()))
    first(inputs, labels, index)
    second(inputs, labels, index)
    assert torch.equal(model.net.flat, twin.net.flat)


PRECISIONS = ("float32",) if native.why_no_bfloat16(torch.device("cpu")) else ("float32", "bfloat16")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("held", [1.0, 1e19])  # a moment beyond what a step is known to be safe with
def test_updates_in_one_call_are_those_of_one_each(held: float, precision: str) -> None:
    batches = Transitions(torch.stack([batch_of(50, 5, 2, torch.float32, seed).rows for seed in range(4)]), 5, 2)
    batches.reward[1, 3] = float("inf")  # moves nothing, and the next ones go on
    weights = torch.stack([row_weights(50, torch.float32, seed) for seed in range(4)])

    def run(each: bool) -> list[Tensor]:
        of = agent(5, 2, 70, 2, torch.float32, "auto", precision=precision)
        assert of.precision == precision
        of.adam_states()["critic"].second_moments[0][7] = held
        calls = zip(*(whole.split(1 if each else 4) for whole in (batches.rows, weights)), strict=True)
        values = torch.cat([of._each(Transitions(rows, 5, 2, each_row)) for rows, each_row in calls])
        return [values, *(part.detach() for part in parts(of))]

    for a, b in zip(run(False), run(True), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("held", [1.0, 1e19])
def test_model_steps_in_one_call_are_those_of_one_each(held: float, precision: str) -> None:
    g = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(200, 4, generator=g), torch.randn(200, 4, generator=g)
    labels[7, 1] = float("inf")
    index = torch.randint(8, 200, (3, 100), generator=g)
    index[1, 40] = 7  # in the second step, which moves nothing

    def run(each: bool) -> list[Tensor]:
        model = ensemble(3, 1, 70, 2, 3, torch.float32)
        step = TrainStep(model, 1e-2, precision=precision)
        assert step.precision == precision
        step.adam_state.second_moments[0][7] = held
        parts = torch.split(index, 32 if each else 100, dim=1)
        losses = torch.cat([step.each(inputs, labels, part, 32) for part in parts])
        assert losses.isfinite().all(dim=1).tolist() == [True, False, True, True]
        return [losses, *(p.detach() for p in model.parameters())]

    for a, b in zip(run(False), run(True), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_threads_change_no_bit(precision: str, threads: int) -> None:
    def train(count: int) -> list[Tensor]:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            of = agent(11, 3, 256, 2, torch.float32, "auto", precision=precision)
            for step in range(3):
                of.update(batch_of(256, 11, 3, torch.float32, step))
            model = ensemble(11, 3, 200, 4, 7, torch.float32)
            g = torch.Generator().manual_seed(0)
            inputs, labels = torch.randn(99, 14, generator=g), torch.randn(99, 12, generator=g)
            step = TrainStep(model, 1e-3, precision=precision)
            for _ in range(3):
                step(inputs, labels, torch.randint(99, (7, 256), generator=g))
            return [*parts(of), *model.parameters()]
        finally:
            torch.set_num_threads(before)

    for a, b in zip(train(1), train(threads), strict=True):
        assert torch.equal(a, b)


BAD_NUMBERS = (float("nan"), float("inf"), 1e30)  # the square of the last is no float32
BACKENDS = ("auto", "torch")
MOMENTS = ("exp_avg", "exp_avg_sq")


@pytest.mark.parametrize("bad", BAD_NUMBERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_update_that_is_not_finite_moves_no_critic(backend: str, bad: float) -> None:
    of = agent(3, 1, 16, 2, torch.float32, backend)
    of.update(batch_of(32, 3, 1, torch.float32, 0))
    moments = [each[key] for each in of._critic_adam.state.values() for key in MOMENTS]
    state = [of.critic.net.flat, *moments]
    before = [t.detach().clone() for t in state]
    batch = batch_of(32, 3, 1, torch.float32, 1)
    batch.reward[3] = bad
    assert not of.update(batch).values[0].isfinite()
    for now, then in zip(state, before, strict=True):
        assert torch.equal(now.detach(), then)
    assert all(part.isfinite().all() for part in parts(of))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_observation_that_is_not_finite_moves_nothing(backend: str) -> None:
    of = agent(3, 1, 16, 2, torch.float32, backend)
    of.update(batch_of(32, 3, 1, torch.float32, 0))
    adams = (*of._critic_adam.state.values(), *of._actor_adam.state.values())
    moments = [each[key] for each in adams for key in MOMENTS]
    moving = [of.actor.net.flat, of.critic.net.flat, of.log_alpha, *moments]
    before = [part.detach().clone() for part in moving]
    batch = batch_of(32, 3, 1, torch.float32, 1)
    batch.obs[3] = float("nan")
    values = of.update(batch).values
    assert not values[0].isfinite() and not values[1].isfinite()
    for now, then in zip(moving, before, strict=True):
        assert torch.equal(now.detach(), then)
    assert all(part.isfinite().all() for part in parts(of))


@pytest.mark.parametrize("bad", BAD_NUMBERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_step_that_is_not_finite_moves_nothing(backend: str, bad: float) -> None:
    model = ensemble(3, 1, 20, 2, 3, torch.float32)
    step = TrainStep(model, 1e-2, backend=backend)
    g = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(30, 4, generator=g), torch.randn(30, 4, generator=g)
    index = torch.randint(30, (3, 16), generator=g)
    step(inputs, labels, index)
    before = [p.detach().clone() for p in model.parameters()]
    labels[index[1, 5], 2] = bad
    assert not step(inputs, labels, index).isfinite().all()
    for now, then in zip(model.parameters(), before, strict=True):
        assert torch.equal(now.detach(), then)


BREAKS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "index": (lambda a: a.update(index=a["index"] + 30), r"index must lie in \[0, 30\)"),
    "float index": (lambda a: a.update(index=a["index"].float()), "index must be int64"),
    "labels": (lambda a: a.update(labels=a["labels"][:, :2]), r"targets must be \[30, 4\]"),
    "rows": (lambda a: a.update(labels=a["labels"][:9]), r"targets must be \[30, 4\]"),
    "dtype": (lambda a: a.update(inputs=a["inputs"].float()), "one dtype"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_calls_are_refused_and_change_nothing(name: str) -> None:
    model = ensemble(3, 1, 20, 2, 3, torch.float64)
    before = model.net.flat.detach().clone()
    args: dict[str, Any] = {
        "inputs": torch.randn(30, 4).double(),
        "labels": torch.randn(30, 4).double(),
        "index": torch.randint(30, (3, 16)),
    }
    change, message = BREAKS[name]
    change(args)
    with pytest.raises(RuntimeError, match=message):
        TrainStep(model, 1e-2)(**args)
    assert torch.equal(model.net.flat, before)
