"""The GPU's operators: kernels and host code unmodified on the emulator, and on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from emulated_build import emulated, take_updates
from op_cases import Case, assert_close, define, make_case
from test_fused_steps import agent, batch_of, ensemble, parts, row_weights, updated
from torch import Tensor

from mbpo.data.transitions import Transitions
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.train_step import TrainStep
from mbpo.envs.rules import never
from mbpo.ops import compiled, cuda, native
from mbpo.ops.fakes import PRECISIONS

pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason=native.REASON)
SHAPES: list[tuple[int, int, list[int], str, bool, bool]] = [
    (2, 33, [5, 40, 3], "silu", False, True),
    (3, 70, [5, 33, 20, 4], "tanh", True, True),
    (1, 1, [1, 1], "identity", False, False),
    (2, 40, [17, 256, 2], "silu", True, False),
    (1, 300, [4, 24, 6], "relu", False, False),  # large tiles
]


@dataclass(frozen=True)
class Machine:
    """Name operators and the device of their tensors."""

    ops: Any
    device: str


@pytest.fixture(params=["emulated", "hardware"])
def gpu(request: pytest.FixtureRequest) -> Machine:
    if request.param == "emulated":
        return Machine(emulated(), "cpu")
    there, why = cuda.status()
    if not there:
        pytest.skip(why)
    return Machine(torch.ops.mbpo, "cuda")


def on(gpu: Machine, case: Case) -> Case:
    """Return the case on the machine's device."""
    moved = case.of([leaf.detach().to(gpu.device).requires_grad_() for leaf in case.leaves])
    member = None if case.member is None else case.member.to(gpu.device)
    return replace(moved, member=member)


def call(
    gpu: Machine, case: Case, save: bool, precision: str
) -> tuple[Sequence[Tensor], Tensor, tuple[Sequence[Tensor], ...]]:
    """Run the forward operator; return outputs, what it saved, and detached (weights, bounds)."""
    x, *rest = [leaf.detach() for leaf in case.leaves]
    layers = len(case.weights)
    weights, biases, bounds = rest[:layers], rest[layers : 2 * layers], rest[2 * layers :]
    code = compiled.CODES[case.activation]
    outputs, saved = gpu.ops.cuda_mlp_forward(
        x, weights, biases, bounds, case.member, code, save, PRECISIONS[precision]
    )
    return outputs, saved, (weights, bounds)


@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize(("members", "rows", "sizes", "activation", "routed", "gaussian"), SHAPES)
def test_values_and_gradients(
    gpu: Machine, members: int, rows: int, sizes: list[int], activation: str, routed: bool, gaussian: bool, tf32: bool
) -> None:
    case = on(gpu, make_case(members, rows, sizes, activation, routed=routed, gaussian=gaussian))
    outputs, saved, (weights, bounds) = call(gpu, case, True, "tf32" if tf32 else "float32")
    exact = case.double()
    wanted = define(exact)
    for got, want in zip(outputs, wanted, strict=True):
        assert_close(got, want, 2e-3 if tf32 else 1e-5)
    g = torch.Generator().manual_seed(1)
    grads = [torch.randn(y.shape, generator=g).to(gpu.device) for y in outputs]
    slopes = torch.autograd.grad(wanted, exact.leaves, [grad.double() for grad in grads])
    results = gpu.ops.cuda_mlp_backward(
        grads, case.x.detach(), weights, bounds, case.member, saved, compiled.CODES[activation], True, True, tf32
    )
    # ReLU's slope jumps: a number that rounds to the other side of 0 has another gradient.
    tolerance = (5e-2 if activation == "relu" else 4e-3) if tf32 else 2e-5
    for got, want in zip(results, slopes, strict=True):
        assert_close(got, want, tolerance)


@pytest.mark.parametrize(("members", "rows", "sizes", "activation", "routed", "gaussian"), SHAPES)
def test_values_in_bfloat16(
    gpu: Machine, members: int, rows: int, sizes: list[int], activation: str, routed: bool, gaussian: bool
) -> None:
    case = on(gpu, make_case(members, rows, sizes, activation, routed=routed, gaussian=gaussian))
    outputs, _, _ = call(gpu, case, False, "bfloat16")
    for got, want in zip(outputs, define(case.double()), strict=True):
        assert_close(got, want, 2e-2)
        assert (got - want).norm() > 1e-4 * want.norm()  # and it is bfloat16


def test_strides_are_free_and_repeats_equal(gpu: Machine) -> None:
    case = on(gpu, make_case(2, 33, [5, 40, 3], gaussian=True))
    x = torch.stack([case.x.detach()] * 2, dim=-1)[..., 1].transpose(0, 1).contiguous()
    strided = case.of([x.transpose(0, 1), *case.leaves[1:]])
    want, _, _ = call(gpu, case, False, "tf32")
    for _ in range(3):
        for got, same in zip(call(gpu, strided, False, "tf32")[0], want, strict=True):
            assert torch.equal(got, same)


def test_no_rows_give_empty_outputs_and_zero_gradients(gpu: Machine) -> None:
    for routed in (False, True):
        case = on(gpu, make_case(2, 0, [3, 8, 2], routed=routed, gaussian=True))
        outputs, saved, (weights, bounds) = call(gpu, case, True, "float32")
        assert all(y.numel() == 0 for y in outputs)
        results = gpu.ops.cuda_mlp_backward(
            outputs, case.x.detach(), weights, bounds, case.member, saved, 3, True, True, False
        )
        assert all(not result.any() for result in results)


@pytest.mark.parametrize("activation", ["silu", "relu"])
@pytest.mark.parametrize("routed", [False, True])
def test_opcheck(gpu: Machine, activation: str, routed: bool) -> None:
    case = on(gpu, make_case(3, 35, [5, 9, 4], activation, routed=routed, gaussian=routed))
    outputs, saved, (weights, bounds) = call(gpu, case, True, "float32")
    x, *rest = [leaf.detach() for leaf in case.leaves]
    code, ops = compiled.CODES[activation], gpu.ops
    forward = (x, weights, rest[2:4], bounds, case.member, code)
    torch.library.opcheck(ops.cuda_mlp_forward.default, (*forward, False, 2))
    # What is saved has gaps that nothing writes: its shape can be compared, not its numbers.
    torch.library.opcheck(
        ops.cuda_mlp_forward.default, (*forward, True, 1), test_utils=("test_schema", "test_faketensor")
    )
    backward = (outputs, x, weights, bounds, case.member, saved, code, True, True, False)
    torch.library.opcheck(ops.cuda_mlp_backward.default, backward)


@pytest.mark.parametrize("member", [-1, 2])
def test_a_member_out_of_range_stops_the_kernel(member: int) -> None:
    gpu = Machine(emulated(), "cpu")  # on hardware it would end this process's use of the GPU
    case = on(gpu, make_case(2, 9, [3, 8, 2], routed=True))
    assert case.member is not None
    case.member[4] = member
    with pytest.raises(RuntimeError):
        call(gpu, case, False, "float32")


BROKEN = {"wide": ([3, 257, 2], "at most 256 wide, got 257"), "deep": ([3] * 10, "at most 8 layers")}


@pytest.mark.parametrize("name", BROKEN)
def test_what_the_kernels_cannot_take_is_refused(gpu: Machine, name: str) -> None:
    sizes, message = BROKEN[name]
    case = on(gpu, make_case(2, 5, sizes))
    with pytest.raises(RuntimeError, match=message):
        call(gpu, case, False, "float32")
    assert not cuda.takes(case.x, case.weights)


@pytest.fixture
def whole_updates(gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    take_updates(monkeypatch, gpu.ops)
    return gpu


def assert_near(ours: Sequence[Tensor], theirs: Sequence[Tensor], atol: float = 1e-3) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.detach(), b.detach(), rtol=1e-3, atol=atol)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize(("rows", "obs", "actions"), [(33, 3, 1), (40, 11, 3)])
def test_sac_update(whole_updates: Machine, rows: int, obs: int, actions: int, norm: str, weighted: bool) -> None:
    device = whole_updates.device
    ours, theirs = (
        agent(obs, actions, 30, 2, torch.float32, backend, device, norm=norm) for backend in ("auto", "torch")
    )
    assert ours._fused and not theirs._fused
    for step in range(3):
        packed = batch_of(rows, obs, actions, torch.float32, step).rows
        batch = Transitions(packed.to(device), obs, actions)
        weights = row_weights(rows, torch.float32, step).to(device) if weighted else None
        got, want = (updated(of, batch, weights) for of in (ours, theirs))
        assert_near([got], [want], 1e-4)
    assert_near(parts(ours), parts(theirs))


def test_train_step(whole_updates: Machine) -> None:
    device = whole_updates.device
    model, other = (ensemble(3, 1, 30, 2, 3, torch.float32).to(device) for _ in range(2))
    ours, theirs = TrainStep(model, 1e-2), TrainStep(other, 1e-2, backend="torch")
    assert ours._fused and not theirs._fused
    g = torch.Generator().manual_seed(0)
    inputs, labels = (torch.randn(50, 4, generator=g).to(device) for _ in range(2))
    for _ in range(3):
        index = torch.randint(50, (3, 40), generator=g).to(device)
        assert_near([ours(inputs, labels, index)], [theirs(inputs, labels, index)], 1e-4)
    assert_near(list(model.parameters()), list(other.parameters()))


@pytest.mark.parametrize("rows", [0, 33, 300])
def test_an_imagined_step(gpu: Machine, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    def model_step(x: Tensor, net: Any, bounds: Any, *rest: Any) -> Any:
        code = compiled.CODES[rest[-1]]
        return gpu.ops.cuda_model_step(x, *net, bounds, *rest[:-1], code, False)

    monkeypatch.setattr(compiled, "model_step", model_step)
    model = ensemble(4, 2, 30, 2, 3, torch.float32)
    g = torch.Generator().manual_seed(0)
    for normalizer in (model.inputs, model.outputs):
        normalizer.fit(1 + 2 * torch.randn(20, len(normalizer.mean), generator=g))
    env = FakeEnv(model.to(gpu.device), never)
    x, noise = torch.randn(rows, 6, generator=g), torch.randn(rows, 5, generator=g)
    member = torch.randint(3, (rows,), generator=g)
    given = [t.to(gpu.device) for t in (x, member, noise)]
    with torch.no_grad():
        assert_near(env._launch(*given), env._sample(*given), 1e-4)
