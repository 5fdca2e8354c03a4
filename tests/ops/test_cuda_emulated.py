"""The GPU's operators, kernels and host code unmodified, on an emulated GPU: no device needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from emulated_build import emulated
from op_cases import Case, assert_close, define, make_case
from torch import Tensor

from mbpo.ops import compiled, cuda, native
from mbpo.ops.adam import AdamState

pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason=native.REASON)
SHAPES: list[tuple[int, int, list[int], str, bool, bool]] = [
    (2, 33, [5, 40, 3], "silu", False, True),
    (3, 70, [5, 33, 20, 4], "tanh", True, True),
    (1, 1, [1, 1], "identity", False, False),
    (2, 40, [17, 256, 2], "silu", True, False),
    (1, 300, [4, 24, 6], "relu", False, False),  # large tiles
]


def call(
    case: Case, save: bool, tf32: bool
) -> tuple[Sequence[Tensor], Tensor, tuple[Sequence[Tensor], ...]]:
    """Run the forward operator; return outputs, what it saved, and detached (weights, bounds)."""
    x, *rest = [leaf.detach() for leaf in case.leaves]
    layers = len(case.weights)
    weights, biases, bounds = rest[:layers], rest[layers : 2 * layers], rest[2 * layers :]
    code = compiled.CODES[case.activation]
    outputs, saved = emulated().cuda_mlp_forward(
        x, weights, biases, bounds, case.member, code, save, tf32
    )
    return outputs, saved, (weights, bounds)


@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize(("members", "rows", "sizes", "activation", "routed", "gaussian"), SHAPES)
def test_values_and_gradients(
    members: int,
    rows: int,
    sizes: list[int],
    activation: str,
    routed: bool,
    gaussian: bool,
    tf32: bool,
) -> None:
    case = make_case(members, rows, sizes, activation, routed=routed, gaussian=gaussian)
    outputs, saved, (weights, bounds) = call(case, True, tf32)
    exact = case.double()
    wanted = define(exact)
    for got, want in zip(outputs, wanted, strict=True):
        assert_close(got, want, 2e-3 if tf32 else 1e-5)
    g = torch.Generator().manual_seed(1)
    grads = [torch.randn(y.shape, generator=g) for y in outputs]
    slopes = torch.autograd.grad(wanted, exact.leaves, [grad.double() for grad in grads])
    results = emulated().cuda_mlp_backward(
        grads, case.x.detach(), weights, bounds, case.member, saved,
        compiled.CODES[activation], True, True, tf32,
    )  # fmt: skip
    # ReLU's slope jumps: a number that rounds to the other side of 0 has another gradient.
    tolerance = (5e-2 if activation == "relu" else 4e-3) if tf32 else 2e-5
    for got, want in zip(results, slopes, strict=True):
        assert_close(got, want, tolerance)


def test_strides_are_free_and_repeats_equal() -> None:
    case = make_case(2, 33, [5, 40, 3], gaussian=True)
    x = torch.stack([case.x.detach()] * 2, dim=-1)[..., 1].transpose(0, 1).contiguous()
    strided = case.of([x.transpose(0, 1), *case.leaves[1:]])
    want, _, _ = call(case, False, True)
    for _ in range(3):
        for got, same in zip(call(strided, False, True)[0], want, strict=True):
            assert torch.equal(got, same)


def test_no_rows_give_empty_outputs_and_zero_gradients() -> None:
    for routed in (False, True):
        case = make_case(2, 0, [3, 8, 2], routed=routed, gaussian=True)
        outputs, saved, (weights, bounds) = call(case, True, False)
        assert all(y.numel() == 0 for y in outputs)
        results = emulated().cuda_mlp_backward(
            outputs, case.x.detach(), weights, bounds, case.member, saved, 3, True, True, False
        )
        assert all(not result.any() for result in results)


@pytest.mark.parametrize("activation", ["silu", "relu"])
@pytest.mark.parametrize("routed", [False, True])
def test_opcheck(activation: str, routed: bool) -> None:
    case = make_case(3, 35, [5, 9, 4], activation, routed=routed, gaussian=routed)
    outputs, saved, (weights, bounds) = call(case, True, False)
    x, *rest = [leaf.detach() for leaf in case.leaves]
    code, ops = compiled.CODES[activation], emulated()
    forward = (x, weights, rest[2:4], bounds, case.member, code)
    torch.library.opcheck(ops.cuda_mlp_forward.default, (*forward, False, False))
    # What is saved has gaps that nothing writes: its shape can be compared, not its numbers.
    torch.library.opcheck(
        ops.cuda_mlp_forward.default, (*forward, True, False),
        test_utils=("test_schema", "test_faketensor"),
    )  # fmt: skip
    backward = (outputs, x, weights, bounds, case.member, saved, code, True, True, False)
    torch.library.opcheck(ops.cuda_mlp_backward.default, backward)


@pytest.mark.parametrize("member", [-1, 2])
def test_a_member_out_of_range_stops_the_kernel(member: int) -> None:
    case = make_case(2, 9, [3, 8, 2], routed=True)
    assert case.member is not None
    case.member[4] = member
    with pytest.raises(RuntimeError):
        call(case, False, False)


BROKEN = {
    "wide": ([3, 257, 2], "at most 256 wide, got 257"),
    "deep": ([3] * 10, "at most 8 layers"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_the_kernels_cannot_take_is_refused(name: str) -> None:
    sizes, message = BROKEN[name]
    case = make_case(2, 5, sizes)
    with pytest.raises(RuntimeError, match=message):
        call(case, False, False)
    assert not cuda.takes(case.x, case.weights)


def test_sac_updates_and_training_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from test_fused_steps import agent, batch_of, ensemble, parts

    from mbpo.dynamics.train_step import TrainStep

    def held(state: AdamState) -> tuple[list[Tensor], ...]:
        return state.parameters, state.moments, state.second_moments, state.steps

    def sac_update(*args: Any) -> Tensor:
        values: Tensor = emulated().cuda_sac_update(*args[:4], *held(args[4]), *args[5:], False)
        return values

    def train_step(*args: Any) -> Tensor:
        losses: Tensor = emulated().cuda_train_step(*args[:3], *held(args[3]), *args[4:], False)
        return losses

    monkeypatch.setattr(compiled, "sac_update", sac_update)
    monkeypatch.setattr(compiled, "train_step", train_step)
    for rows, obs, actions in ((33, 3, 1), (40, 11, 3)):
        ours, theirs = (agent(obs, actions, 30, 2, torch.float32, b) for b in ("auto", "torch"))
        assert ours._fused and not theirs._fused
        for step in range(3):
            batch = batch_of(rows, obs, actions, torch.float32, step)
            values = ours.update(batch).values
            torch.testing.assert_close(values, theirs.update(batch).values, rtol=1e-3, atol=1e-4)
        for a, b in zip(parts(ours), parts(theirs), strict=True):
            torch.testing.assert_close(a.detach(), b.detach(), rtol=1e-3, atol=1e-3)
    model, other = (ensemble(3, 1, 30, 2, 3, torch.float32) for _ in range(2))
    step_ours, step_theirs = TrainStep(model, 1e-2), TrainStep(other, 1e-2, backend="torch")
    g = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(50, 4, generator=g), torch.randn(50, 4, generator=g)
    for _ in range(3):
        index = torch.randint(50, (3, 40), generator=g)
        losses = step_ours(inputs, labels, index)
        torch.testing.assert_close(losses, step_theirs(inputs, labels, index), rtol=1e-3, atol=1e-4)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a.detach(), b.detach(), rtol=1e-3, atol=1e-3)
