"""Weights of rows in the critics' loss: what they change and what they leave, in every way an update is done."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from not_finite import WAYS, choose
from test_fused_steps import BACKENDS, PRECISIONS, agent, batch_of, parts, row_weights
from torch import Tensor

from mbpo.data.transitions import Transitions
from mbpo.errors import ShapeError
from mbpo.ops import native
from mbpo.sac.agent import SACAgent

pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason=native.REASON)
ROWS, OBS, ACTIONS, UPDATES = 40, 5, 2, 3
INFINITY, NAN = float("inf"), float("nan")
# Ways, each with the dtypes and precisions of products that it has.
KINDS = [
    *(("compiled", torch.float32, precision) for precision in PRECISIONS),
    ("compiled", torch.float64, "float32"),
    ("torch", torch.float32, "float32"),
    ("torch", torch.float64, "float32"),
    ("emulated", torch.float32, "float32"),
]


@pytest.fixture(params=WAYS)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return choose(request.param, monkeypatch)


def batches_of(dtype: torch.dtype) -> Transitions:
    rows = torch.stack([batch_of(ROWS, OBS, ACTIONS, dtype, seed).rows for seed in range(UPDATES)])
    return Transitions(rows, OBS, ACTIONS)


def weights_of(dtype: torch.dtype) -> Tensor:  # [K, B]
    return torch.stack([row_weights(ROWS, dtype, seed) for seed in range(UPDATES)])


def held(of: SACAgent) -> list[Tensor]:
    return [part.detach().clone() for part in parts(of)]


def learned(of: SACAgent, batches: Transitions, weights: Tensor | None) -> list[Tensor]:
    """Update on each of the batches; return the reports and all that the agent then holds."""
    return [of._each(replace(batches, weight=weights)), *held(of)]


def same(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize(("way", "dtype", "precision"), KINDS)
def test_ones_are_no_weights_to_the_bit_and_others_are_not(
    monkeypatch: pytest.MonkeyPatch, way: str, dtype: torch.dtype, precision: str, norm: str
) -> None:
    backend, batches = choose(way, monkeypatch), batches_of(dtype)

    def run(weights: Tensor | None) -> list[Tensor]:
        of = agent(OBS, ACTIONS, 33, 2, dtype, backend, precision=precision, norm=norm)
        assert of.precision == precision
        return learned(of, batches, weights)

    plain = run(None)
    assert same(plain, run(torch.ones(UPDATES, ROWS, dtype=dtype)))
    assert not same(plain, run(weights_of(dtype)))


@pytest.mark.parametrize("size", [1.0, 1e25])  # the square of an error of 1e25 is no float32
def test_a_row_of_weight_0_does_not_move_the_critics(backend: str, size: float) -> None:
    weights = torch.ones(UPDATES, ROWS)
    weights[:, 3] = weights[:, -1] = 0

    def run(reward: float) -> list[Tensor]:
        batches = batches_of(torch.float32)
        batches.reward[:, 3] = batches.reward[:, -1] = reward
        return learned(agent(OBS, ACTIONS, 33, 2, torch.float32, backend), batches, weights)

    assert same(run(0.0), run(size))
    assert run(size)[0].isfinite().all()


def test_the_sum_is_divided_by_all_rows_and_the_mean_value_is_plain(backend: str) -> None:
    def first(weights: Tensor | None) -> Tensor:
        batches = batches_of(torch.float32)
        batch = Transitions(batches.rows[:1], OBS, ACTIONS)
        return agent(OBS, ACTIONS, 33, 2, torch.float32, backend)._each(replace(batch, weight=weights))[0]

    plain, halves = first(None), first(torch.full((1, ROWS), 0.5))
    torch.testing.assert_close(halves[0], plain[0] / 2)
    assert torch.equal(halves[4], plain[4])


@pytest.mark.parametrize("bad", [NAN, INFINITY, 3e38])
def test_weights_that_are_not_finite_move_nothing_and_the_next_go_on(backend: str, bad: float) -> None:
    of, weights = agent(OBS, ACTIONS, 16, 2, torch.float32, backend), torch.ones(UPDATES, ROWS)
    batches = batches_of(torch.float32)
    of.update_each(replace(batches, weight=weights))
    before = held(of)
    weights[:, 5] = bad
    assert of.update_each(replace(batches, weight=weights))[[0, 1, 2, 4]].isnan().all()
    assert same(before, held(of))
    weights[:, 5] = 1
    assert of.update_each(replace(batches, weight=weights)).isfinite().all()
    assert not same(before, held(of))


def test_their_strides_are_free(backend: str) -> None:
    batches, weights = batches_of(torch.float32), weights_of(torch.float32)
    strided = torch.stack([weights.T] * 2, dim=-1)[..., 1].T
    assert not strided.is_contiguous() and strided.stride(1) != 1
    runs = (learned(agent(OBS, ACTIONS, 33, 2, torch.float32, backend), batches, w) for w in (weights, strided))
    assert same(*runs)


WRONG = {
    "one for all updates": (torch.ones(ROWS), f"[{ROWS}]"),
    "one row too few": (torch.ones(UPDATES, ROWS - 1), f"[{UPDATES}, {ROWS - 1}]"),
    "another dtype": (torch.ones(UPDATES, ROWS).double(), f"torch.float64 [{UPDATES}, {ROWS}]"),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", WRONG)
def test_weights_of_another_shape_or_kind_are_refused(name: str, backend: str) -> None:
    weights, got = WRONG[name]
    of = agent(OBS, ACTIONS, 8, 1, torch.float32, backend)
    before = held(of)
    with pytest.raises(ShapeError) as info:
        of.update_each(replace(batches_of(torch.float32), weight=weights))
    said = str(info.value)
    assert said.startswith(f"weights must be torch.float32 [{UPDATES}, {ROWS}] on cpu") and got in said
    assert "\n" not in said
    assert same(before, held(of))


def test_the_op_refuses_what_its_loops_cannot_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = batches_of(torch.float32)
    for way in ("compiled", "emulated"):
        of = agent(OBS, ACTIONS, 8, 1, torch.float32, choose(way, monkeypatch))
        for weights in (torch.ones(UPDATES, ROWS - 1), torch.ones(UPDATES, ROWS).double()):
            with pytest.raises(RuntimeError, match=r"weights must be \["):
                of._each(replace(batches, weight=weights))
