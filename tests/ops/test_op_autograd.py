"""The op inside torch: derivatives, tracing, and gradients that nobody asked for."""

from __future__ import annotations

import pytest
import torch
from op_cases import BACKENDS, make_case, needs_extension, outputs

from mbpo.ops import EnsembleMLP, ensemble_mlp


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", ["silu", "tanh", "relu", "identity"])
@pytest.mark.parametrize("routed", [False, True])
@pytest.mark.parametrize("gaussian", [False, True])
def test_gradcheck(backend: str, activation: str, routed: bool, gaussian: bool) -> None:
    case = make_case(2, 4, [3, 5, 4, 1], activation, routed=routed, gaussian=gaussian, dtype=torch.float64)

    def call(*leaves: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return outputs(ensemble_mlp(*case.of(leaves).args(), backend=backend))

    assert torch.autograd.gradcheck(call, case.leaves)


@needs_extension
@pytest.mark.parametrize("routed", [False, True])
@pytest.mark.parametrize("gaussian", [False, True])
def test_opcheck(routed: bool, gaussian: bool) -> None:
    from mbpo.ops.compiled import CODES

    case = make_case(2, 5, [3, 8, 2], routed=routed, gaussian=gaussian)
    x, *params = [leaf.detach() for leaf in case.leaves]
    weights, biases, bounds = params[:2], params[2:4], params[4:]
    code = CODES[case.activation]
    forward = torch.ops.mbpo.ensemble_mlp_forward.default
    backward = torch.ops.mbpo.ensemble_mlp_backward.default
    ys, saved = forward(x, weights, biases, bounds, case.member, code, True)
    for save in (False, True):
        torch.library.opcheck(forward, (x, weights, biases, bounds, case.member, code, save))
    for needs in ((True, True), (True, False), (False, True)):
        args = (ys, x, weights, bounds, case.member, saved, code, *needs)
        torch.library.opcheck(backward, args)


@needs_extension
# dynamo makes such an instance itself, for every Function it traces
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0:RuntimeWarning")  # and it says so
@pytest.mark.parametrize("routed", [False, True])
def test_compiles_without_a_graph_break(routed: bool) -> None:
    case = make_case(2, 6, [3, 8, 2], routed=routed, gaussian=True)

    def call(*leaves: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return outputs(ensemble_mlp(*case.of(leaves).args()))

    compiled = torch.compile(call, fullgraph=True, backend="aot_eager")
    results = []
    for f in (call, compiled):
        ys = f(*case.leaves)
        results.append((*ys, *torch.autograd.grad(ys, case.leaves, [y.detach() for y in ys])))
    for got, want in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("wanted", ["x", "params", "bounds"])
def test_frozen_inputs_get_no_gradient(backend: str, wanted: str) -> None:
    case = make_case(2, 6, [3, 8, 8, 2], gaussian=True)
    everything = outputs(ensemble_mlp(*case.args(), backend=backend))
    full = torch.autograd.grad(sum(y.sum() for y in everything), case.leaves)
    pick = {"x": slice(0, 1), "params": slice(1, 7), "bounds": slice(7, 9)}[wanted]
    for i, leaf in enumerate(case.leaves):
        leaf.requires_grad_(i in range(9)[pick])
    ys = outputs(ensemble_mlp(*case.args(), backend=backend))
    sum(y.sum() for y in ys).backward()
    for i, leaf in enumerate(case.leaves):
        if i in range(9)[pick]:
            torch.testing.assert_close(leaf.grad, full[i])
        else:
            assert leaf.grad is None


@needs_extension
def test_one_output_alone_carries_gradients() -> None:
    case = make_case(2, 6, [3, 8, 2], gaussian=True)
    _, logvar = ensemble_mlp(*case.args(), backend="cpp")
    got = torch.autograd.grad(logvar.sum(), case.leaves)
    _, logvar = ensemble_mlp(*case.args(), backend="torch")
    want = torch.autograd.grad(logvar.sum(), case.leaves)
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b)


@needs_extension
def test_second_derivatives_are_refused_in_words() -> None:
    case = make_case(2, 6, [3, 8, 2])
    y = ensemble_mlp(*case.args(), backend="cpp")
    with pytest.raises(RuntimeError, match="backend='torch'"):
        torch.autograd.grad(y.sum(), [case.x], create_graph=True)


@pytest.mark.parametrize("grad", [torch.no_grad, torch.inference_mode])
def test_no_gradient_no_graph(grad: type[torch.no_grad]) -> None:
    net = EnsembleMLP([3, 8, 2], 2, "relu", generator=torch.Generator().manual_seed(0))
    with grad():
        assert net(torch.randn(2, 5, 3)).grad_fn is None
