"""The op against its definition in float64: any shape, any layout, any value."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from op_cases import BACKENDS, assert_close, at_a_kink, define, make_case, needs_extension, outputs

from mbpo.ops import ensemble_mlp

ACTIVATIONS = ("silu", "relu", "tanh", "identity")
ROWS = (0, 1, 15, 16, 17, 63, 64, 65, 129)


@needs_extension
@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(
    members=st.integers(1, 8),
    rows=st.sampled_from(ROWS),
    sizes=st.lists(st.one_of(st.integers(1, 256), st.sampled_from((1, 16, 64, 200))), min_size=2, max_size=5),
    activation=st.sampled_from(ACTIVATIONS),
    routed=st.booleans(),
    gaussian=st.booleans(),
    seed=st.integers(0, 999),
)
def test_values_and_gradients_equal_the_definition(
    members: int, rows: int, sizes: list[int], activation: str, routed: bool, gaussian: bool, seed: int
) -> None:
    case = make_case(members, rows, sizes, activation, routed=routed, gaussian=gaussian, seed=seed)
    assume(not at_a_kink(case))
    exact_case = case.double()
    actual = outputs(ensemble_mlp(*case.args(), backend="cpp"))
    exact = define(exact_case)
    g = torch.Generator().manual_seed(seed)
    grads = [torch.randn(y.shape, generator=g) for y in actual]
    slopes = torch.autograd.grad(actual, case.leaves, grads)
    exact_slopes = torch.autograd.grad(exact, exact_case.leaves, [d.double() for d in grads])
    for got, want in zip((*actual, *slopes), (*exact, *exact_slopes), strict=True):
        assert_close(got, want, terms=max(1, rows))
    with torch.no_grad():
        for got, want in zip(outputs(ensemble_mlp(*case.args())), exact, strict=True):
            assert_close(got, want)


@needs_extension
@pytest.mark.parametrize("routed", [False, True])
def test_more_rows_than_fit_in_cache_are_cut_and_joined(routed: bool) -> None:
    case = make_case(3, 9001, [5, 32, 4], routed=routed, gaussian=True)
    with torch.no_grad():
        actual = outputs(ensemble_mlp(*case.args()))
    for got, want in zip(actual, define(case.double()), strict=True):
        assert_close(got, want)


@needs_extension
@pytest.mark.parametrize("routed", [False, True])
def test_any_memory_layout_gives_the_same(routed: bool) -> None:
    case = make_case(4, 33, [6, 20, 20, 3], routed=routed, gaussian=True)
    plain = [leaf.detach() for leaf in case.leaves]

    def strided(t: torch.Tensor) -> torch.Tensor:
        wide = torch.full((*t.shape, 3), float("nan"))
        wide[..., 1] = t
        return wide[..., 1].requires_grad_()

    other = case.of([strided(t) for t in plain])
    grads = [torch.randn(y.shape).T.contiguous().T for y in define(case)] if routed else None
    results = []
    for c in (case, other):
        ys = outputs(ensemble_mlp(*c.args(), backend="cpp"))
        slopes = torch.autograd.grad(ys, c.leaves, grads or [torch.ones_like(y) for y in ys])
        results.append((*ys, *slopes))
    for got, want in zip(results[1], results[0], strict=True):
        assert_close(got, want.double(), 1e-6)


@needs_extension
def test_expanded_rows_and_expanded_gradients() -> None:
    case = make_case(2, 16, [5, 32, 1], "relu")
    shared = case.x.detach()[0]
    leaves = [shared.expand(2, 16, 5), *case.leaves[1:]]
    y = ensemble_mlp(*case.of(leaves).args(), backend="cpp")
    (got,) = torch.autograd.grad(y.sum(), [case.weights[0]])
    exact = case.of([shared.double().expand(2, 16, 5), *case.double().leaves[1:]])
    (want,) = torch.autograd.grad(define(exact)[0].sum(), [exact.weights[0]])
    assert_close(got, want)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("routed", [False, True])
@pytest.mark.parametrize("width", [1, 3])
def test_nan_stays_in_its_row(backend: str, activation: str, routed: bool, width: int) -> None:
    case = make_case(3, 20, [5, 40, 40, width], activation, routed=routed, gaussian=width > 1)
    x = case.x.detach().clone()
    x.view(-1, 5)[7, 2] = float("nan")
    with torch.no_grad():
        for y in outputs(ensemble_mlp(*case.of([x, *case.leaves[1:]]).args(), backend=backend)):
            bad = y.isnan().any(-1).view(-1)
            assert bad[7] and bad.sum() == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_members_without_rows_get_zero_gradients(backend: str) -> None:
    case = make_case(4, 10, [3, 8, 1], "relu", routed=True)
    assert case.member is not None
    case.member.fill_(2)
    y = ensemble_mlp(*case.args(), backend=backend)
    for slope in torch.autograd.grad(y.sum(), case.leaves[1:]):
        assert (slope[[0, 1, 3]] == 0).all() and slope[2].abs().sum() > 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_logvar_stays_inside_its_bounds(backend: str) -> None:
    inf = float("inf")
    raw = torch.tensor([0.0, 0.5, -10.0, 11.0, 30.0, -30.0, 1e30, -1e30, inf, -inf])
    x = torch.stack([torch.ones(10), raw], -1).unsqueeze(0)
    weight, bias = torch.eye(2).unsqueeze(0), torch.zeros(1, 2)
    for low, high in ((-10.0, 0.5), (-0.1, 0.1), (-30.0, 10.0)):
        bounds = (torch.tensor([low]), torch.tensor([high]))
        # Infinity times the other column's zero weight would be NaN, so finite values only.
        finite = x[:, :8]
        mean, logvar = ensemble_mlp(finite, [weight], [bias], "identity", bounds, backend=backend)
        assert (mean == 1).all()
        assert (logvar >= low).all() and (logvar <= high).all()


@needs_extension
@pytest.mark.parametrize("routed", [False, True])
def test_twenty_repeats_are_bitwise_equal_and_inputs_untouched(routed: bool) -> None:
    case = make_case(5, 129, [9, 70, 70, 4], routed=routed, gaussian=True)
    before = [leaf.detach().clone() for leaf in case.leaves]
    runs = []
    for _ in range(20):
        ys = outputs(ensemble_mlp(*case.args(), backend="cpp"))
        runs.append((*ys, *torch.autograd.grad(ys, case.leaves, [y.detach() for y in ys])))
    for run in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(run, runs[0], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(case.leaves, before, strict=True))
