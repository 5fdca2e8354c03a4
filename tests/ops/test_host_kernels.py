"""Every instruction set that this processor runs, against the op's definition in float64."""

from __future__ import annotations

import platform
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from cmake_build import host, needs_cmake
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import assert_close, define, make_case

pytestmark = needs_cmake

ACTIVATIONS = ("identity", "relu", "tanh", "silu")  # by their numbers in the schema
ROWS = (0, 1, 15, 16, 17, 31, 32, 33, 65, 129)
WIDTHS = st.one_of(st.integers(1, 64), st.sampled_from((1, 16, 17, 200, 256)))


@settings(max_examples=60, derandomize=True, database=None)
@given(
    members=st.integers(1, 8),
    rows=st.sampled_from(ROWS),
    sizes=st.lists(WIDTHS, min_size=2, max_size=5),
    activation=st.sampled_from(ACTIVATIONS),
    dtype=st.sampled_from((torch.float32, torch.float64)),
    seed=st.integers(0, 999),
)
def test_values_and_gradients_equal_the_definition(
    members: int, rows: int, sizes: list[int], activation: str, dtype: torch.dtype, seed: int
) -> None:
    case = make_case(members, rows, sizes, activation, dtype=dtype, seed=seed)
    exact_case = case.double()
    (exact,) = define(exact_case)
    g = torch.Generator().manual_seed(seed)
    dy = torch.randn(exact.shape, generator=g, dtype=torch.float64).to(dtype)
    exact_slopes = torch.autograd.grad(exact, exact_case.leaves, dy.double())
    x, *params = [leaf.detach().numpy() for leaf in case.leaves]
    layers = len(case.weights)
    call = (x, params[:layers], params[layers:], ACTIVATIONS.index(activation))
    for isa in host().instruction_sets():
        y = host().forward(isa, *call)
        kept, dx, dweights, dbiases = host().gradients(isa, *call, dy.numpy())
        assert np.array_equal(y, kept), isa
        got = [torch.from_numpy(array) for array in (y, dx, *dweights, *dbiases)]
        for actual, want in zip(got, (exact, *exact_slopes), strict=True):
            assert actual.dtype == dtype
            assert_close(actual, want, 1e-5 if dtype == torch.float32 else 1e-12)


def test_the_generic_kernels_are_always_there() -> None:
    found = host().instruction_sets()
    assert found[-1] == "generic"
    if platform.machine() not in ("x86_64", "AMD64"):
        assert found == ["generic"]


def test_wrong_arguments_are_refused() -> None:
    x, weight, bias = np.zeros((2, 3, 4)), np.zeros((2, 4, 5)), np.zeros((2, 5))
    with pytest.raises(ValueError, match="no instruction set 'mmx'"):
        host().forward("mmx", x, [weight], [bias], 0)
    with pytest.raises(ValueError, match="layer after layer"):
        host().forward("generic", x, [weight[:1]], [bias], 0)
    with pytest.raises(ValueError, match="activation"):
        host().forward("generic", x, [weight], [bias], 4)
    with pytest.raises(TypeError):
        host().forward("generic", x, [weight.astype(np.float32)], [bias], 0)


@settings(max_examples=200, derandomize=True, database=None)
@given(
    widths=st.lists(st.integers(1, 300), min_size=2, max_size=6),
    activation=st.sampled_from(range(4)),
    keep=st.booleans(),
)
def test_a_record_has_room_for_everything_at_once(widths: list[int], activation: int, keep: bool) -> None:
    tile_rows = host().build_info()["tile_rows"]
    record = host().record_layout(widths, activation, keep)
    assert len(record["hidden"]) == len(widths) - 2
    keeps_slope = keep and ACTIVATIONS[activation] == "silu"
    assert len(record["slope"]) == (len(widths) - 2 if keeps_slope else 0)
    places = {"input": (record["input"], widths[0]), "output": (record["output"], widths[-1])}
    for name in ("hidden", "slope"):
        for layer, start in enumerate(record[name]):
            places[f"{name} {layer}"] = (start, widths[layer + 1])
    for start, width in places.values():
        assert start % 16 == 0  # a cache line of float
        assert start >= 0
        assert start + width * tile_rows <= record["size"]
    # What lives at the same time: all of it, or a layer's input and output.
    order = ["input", *(f"hidden {layer}" for layer in range(len(widths) - 2)), "output"]
    pairs = combinations(places, 2) if keep else pairwise(order)
    for a, b in pairs:
        (start, width), (other, size) = places[a], places[b]
        apart = start + width * tile_rows <= other or other + size * tile_rows <= start
        assert apart, (a, b)


@settings(max_examples=100, derandomize=True, database=None)
@given(members=st.integers(1, 9), rows=st.integers(0, 300))
def test_tiles_hold_every_row_once(members: int, rows: int) -> None:
    seen = [(e, r) for e, first, count in host().plan_tiles(members, rows) for r in range(first, first + count)]
    assert seen == [(e, r) for e in range(members) for r in range(rows)]


@settings(max_examples=100, derandomize=True, database=None)
@given(members=st.integers(1, 9), widths=st.lists(st.integers(1, 300), min_size=2, max_size=5))
def test_the_gradients_pieces_hold_every_weight_once(members: int, widths: list[int]) -> None:
    seen = [
        (layer, e, row) for layer, e, first, last in host().plan_gradient(members, widths) for row in range(first, last)
    ]
    layers = range(len(widths) - 1)
    want = [(layer, e, r) for layer in layers for e in range(members) for r in range(widths[layer])]
    assert sorted(seen) == want
