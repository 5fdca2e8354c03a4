"""The forward pass in bfloat16: close to float64, only where it is asked for."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import BACKENDS, define, make_case, needs_extension, outputs

from mbpo.errors import ConfigError
from mbpo.ops import EnsembleMLP, ensemble_mlp, native

if native.AVAILABLE:
    from mbpo.ops import compiled

needs_bf16 = pytest.mark.skipif(
    not (native.AVAILABLE and compiled.bf16_instruction_set()), reason="no products of bfloat16 here"
)


@needs_bf16
@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(
    members=st.integers(1, 8),
    rows=st.sampled_from((0, 1, 15, 16, 17, 31, 32, 33, 129)),
    sizes=st.lists(st.one_of(st.integers(1, 256), st.sampled_from((1, 2, 17, 200))), min_size=2, max_size=5),
    activation=st.sampled_from(("silu", "relu", "tanh", "identity")),
    routed=st.booleans(),
    gaussian=st.booleans(),
)
def test_values_are_close(
    members: int, rows: int, sizes: list[int], activation: str, routed: bool, gaussian: bool
) -> None:
    case = make_case(members, rows, sizes, activation, routed=routed, gaussian=gaussian)
    exact = define(case.double())
    with torch.no_grad():
        actual = outputs(ensemble_mlp(*case.args(), backend="cpp", precision="bfloat16"))
    for got, want in zip(actual, exact, strict=True):
        assert got.dtype == torch.float32 and got.shape == want.shape
        if want.numel():
            scale = max(want.norm().item(), 0.5 * want.numel() ** 0.5)
            assert (got - want).norm().item() <= 2e-2 * scale


@needs_bf16
def test_it_is_no_worse_than_torchs_own() -> None:
    case = make_case(7, 256, [23, 200, 200, 200, 200, 18], gaussian=True)
    exact = define(case.double())
    with torch.no_grad():
        ours, torchs = (outputs(ensemble_mlp(*case.args(), backend=b, precision="bfloat16")) for b in ("cpp", "torch"))
    for a, b, want in zip(ours, torchs, exact, strict=True):
        assert 0 < (a - want).norm() <= (b - want).norm() <= 2e-2 * want.norm()


@needs_bf16
def test_nan_stays_in_its_row_and_repeats_are_equal() -> None:
    case = make_case(2, 40, [5, 33, 33, 3])
    x = case.x.detach().clone()
    x[0, 7, 2] = float("nan")
    call = case.of([x, *(leaf.detach() for leaf in case.leaves[1:])]).args()
    runs = [outputs(ensemble_mlp(*call, precision="bfloat16"))[0] for _ in range(5)]
    bad = runs[0].isnan().any(-1)
    assert bad[0, 7] and bad.sum() == 1
    assert all(torch.equal(run.nan_to_num(), runs[0].nan_to_num()) for run in runs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_it_does_not_serve_is_refused(backend: str) -> None:
    case = make_case(2, 5, [3, 8, 2])
    with pytest.raises(ConfigError, match="has no gradient"):
        ensemble_mlp(*case.args(), backend=backend, precision="bfloat16")
    with pytest.raises(ConfigError, match="takes float32"):
        ensemble_mlp(*case.double().args(), backend=backend, precision="bfloat16")
    with pytest.raises(ConfigError, match="precision must be one of"):
        ensemble_mlp(*case.args(), backend=backend, precision="float16")


def test_the_module_passes_it_on() -> None:
    net = EnsembleMLP([3, 64, 2], 2, "silu", generator=torch.Generator().manual_seed(0))
    x = torch.randn(2, 9, 3)
    with torch.no_grad():
        full, half = net(x), net(x, precision="bfloat16")
    assert not torch.equal(full, half)
    torch.testing.assert_close(full, half, rtol=5e-2, atol=5e-2)


@needs_extension
@needs_bf16
@pytest.mark.parametrize("routed", [False, True])
def test_opcheck(routed: bool) -> None:
    case = make_case(2, 5, [3, 8, 2], routed=routed, gaussian=True)
    x, *rest = [leaf.detach() for leaf in case.leaves]
    op = torch.ops.mbpo.ensemble_mlp_bf16.default
    code = compiled.CODES[case.activation]
    torch.library.opcheck(op, (x, rest[:2], rest[2:4], rest[4:], case.member, code))
