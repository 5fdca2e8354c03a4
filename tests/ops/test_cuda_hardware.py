"""What only a GPU can show of its operators: graphs, streams, devices, torch.compile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from op_cases import Case, assert_close, define, make_case, outputs
from test_fused_steps import agent, batch_of, ensemble, parts
from torch import Tensor

from mbpo.data.replay_buffer import ReplayBuffer, sample_mixed
from mbpo.data.transitions import Transitions
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.rollout import imagine, store_imagined
from mbpo.dynamics.train_step import TrainStep
from mbpo.dynamics.trainer import EnsembleTrainer, FitReport
from mbpo.ops import cuda, ensemble_mlp
from mbpo.ops.graphs import GraphedCall, Recorder, record_cuda

pytestmark = pytest.mark.skipif(not cuda.status()[0], reason=cuda.status()[1])


def on_gpu(case: Case, device: str = "cuda") -> Case:
    moved = case.of([leaf.detach().to(device).requires_grad_() for leaf in case.leaves])
    member = None if case.member is None else case.member.to(device)
    return Case(moved.x, moved.weights, moved.biases, case.activation, moved.bounds, member)


def captured(run: Callable[[], object]) -> torch.cuda.CUDAGraph:
    """Return a graph of one call, warmed up on a stream of its own as torch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph


@pytest.mark.parametrize("routed", [False, True])
def test_the_op_and_its_gradient_through_autograd(routed: bool) -> None:
    case = on_gpu(make_case(7, 300, [14, 200, 200, 12], routed=routed, gaussian=True))
    exact = case.double()
    ys = outputs(ensemble_mlp(*case.args(), backend="cpp"))
    wanted = define(exact)
    slopes = torch.autograd.grad([y.sum() for y in ys], case.leaves)
    truths = torch.autograd.grad([y.sum() for y in wanted], exact.leaves)
    for got, want in zip((*ys, *slopes), (*wanted, *truths), strict=True):
        assert_close(got, want, 5e-5)


def test_torch_may_round_to_tf32() -> None:
    case = on_gpu(make_case(2, 64, [14, 200, 12]))
    (want,) = define(case.double())
    before = torch.get_float32_matmul_precision()
    errors = {}
    try:
        for precision in ("highest", "high"):
            torch.set_float32_matmul_precision(precision)
            with torch.no_grad():
                (got,) = outputs(ensemble_mlp(*case.args(), backend="cpp"))
            errors[precision] = float((got - want).norm() / want.norm())
    finally:
        torch.set_float32_matmul_precision(before)
    assert errors["highest"] < 1e-5 < errors["high"] < 2e-3


def test_bfloat16_is_served_by_the_kernel() -> None:
    case = on_gpu(make_case(2, 64, [14, 200, 12], gaussian=True))
    with torch.no_grad():
        ys = outputs(ensemble_mlp(*case.args(), backend="cpp", precision="bfloat16"))
    for got, want in zip(ys, define(case.double()), strict=True):
        assert 1e-4 < float((got - want).norm() / want.norm()) < 2e-2


def test_nan_stays_in_its_row() -> None:
    case = on_gpu(make_case(2, 300, [5, 33, 3]))
    x = case.x.detach().clone()
    x[0, 7, 2] = float("nan")
    with torch.no_grad():
        y = ensemble_mlp(x, case.weights, case.biases, "silu", backend="cpp")
    assert isinstance(y, Tensor)
    bad = y.isnan().any(-1)
    assert bad[0, 7] and bad.sum() == 1


def test_a_graph_of_the_forward_pass_replays_on_new_rows() -> None:
    case = on_gpu(make_case(3, 100, [5, 64, 4], routed=True))
    x = case.x.detach().clone()
    kept: list[Tensor] = []

    def run() -> None:
        with torch.no_grad():
            y = ensemble_mlp(x, case.weights, case.biases, "silu", None, case.member, "cpp")
        assert isinstance(y, Tensor)
        kept[:] = [y]

    graph = captured(run)
    assert case.member is not None
    for _ in range(3):
        x.copy_(torch.randn_like(x))
        case.member.copy_(torch.randint_like(case.member, 3))
        graph.replay()
        (want,) = define(Case(x, case.weights, case.biases, "silu", None, case.member).double())
        assert_close(kept[0], want, 1e-5)


def test_a_graph_of_training_steps_goes_on_as_the_steps_do() -> None:
    def trained(in_graph: bool) -> list[Tensor]:
        model = ensemble(11, 3, 200, 4, 7, torch.float32).cuda()
        step = TrainStep(model, 1e-3)
        g = torch.Generator().manual_seed(0)
        inputs, labels = (torch.randn(500, w, generator=g).cuda() for w in (14, 12))
        index = torch.randint(500, (7, 256), generator=g).cuda()
        graph = captured(lambda: step(inputs, labels, index)) if in_graph else None
        for _ in range(10 if in_graph else 11):  # capturing took the first
            graph.replay() if graph else step(inputs, labels, index)
        return [p.detach() for p in model.parameters()]

    for a, b in zip(trained(True), trained(False), strict=True):
        assert torch.equal(a, b)


def test_a_graph_of_sac_updates_goes_on_as_the_updates_do() -> None:
    noise = torch.randn(2, 256, 3, generator=torch.Generator().manual_seed(3)).cuda()

    def learned(in_graph: bool) -> list[Tensor]:
        of = agent(11, 3, 256, 2, torch.float32, "auto", "cuda")
        batch = Transitions(batch_of(256, 11, 3, torch.float32, 0).rows.cuda(), 11, 3)
        graph = captured(lambda: of._compiled(batch, noise)) if in_graph else None
        for _ in range(10 if in_graph else 11):
            graph.replay() if graph else of._compiled(batch, noise)
        return [part.detach() for part in parts(of)]

    for a, b in zip(learned(True), learned(False), strict=True):
        assert torch.equal(a, b)


def test_two_streams_do_not_meet() -> None:
    cases = [on_gpu(make_case(2, 4000, [14, 200, 12], seed=seed)) for seed in (0, 1)]
    streams = [torch.cuda.Stream() for _ in cases]
    torch.cuda.synchronize()
    for _ in range(5):
        results = []
        for case, stream in zip(cases, streams, strict=True):
            with torch.cuda.stream(stream), torch.no_grad():
                results.append(outputs(ensemble_mlp(*case.args(), backend="cpp"))[0])
        torch.cuda.synchronize()
        for case, got in zip(cases, results, strict=True):
            assert_close(got, define(case.double())[0], 1e-5)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU only")
def test_the_second_device() -> None:
    case = on_gpu(make_case(2, 100, [5, 64, 4]), "cuda:1")
    with torch.no_grad():
        (got,) = outputs(ensemble_mlp(*case.args(), backend="cpp"))
    assert got.device == case.x.device
    assert_close(got, define(case.double())[0], 1e-5)


def buffer_of(rows: int, seed: int) -> ReplayBuffer:
    buffer = ReplayBuffer(rows, 11, 3, "cuda")
    buffer.add(Transitions(batch_of(rows, 11, 3, torch.float32, seed).rows.cuda(), 11, 3))
    return buffer


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_updates_with_their_sampling_go_on_in_a_graph_as_without(backend: str) -> None:
    def learned(record: Recorder | None) -> list[Tensor]:
        of = agent(11, 3, 64, 2, torch.float32, backend, "cuda")
        real, imagined = buffer_of(300, 0), buffer_of(500, 1)
        mix = torch.Generator("cuda").manual_seed(2)
        body = GraphedCall(
            lambda: of.update_each(sample_mixed(real, imagined, 64, 10, mix, 5)), [mix, of.generator], record
        )
        sums = []
        for step in range(6):
            sums.append(body().clone())
            real.add(Transitions(batch_of(7, 11, 3, torch.float32, step).rows.cuda(), 11, 3))
        return [*sums, *(part.detach() for part in parts(of))]

    for a, b in zip(learned(record_cuda), learned(None), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_refits_and_rollouts_go_on_in_graphs_as_without() -> None:
    rows = buffer_of(700, 3).transitions

    def fitted(record: Recorder | None) -> tuple[list[Tensor], FitReport, int]:
        model = ensemble(11, 3, 64, 2, 3, torch.float32).cuda()
        trainer = EnsembleTrainer(
            model,
            lr=1e-3,
            batch_size=64,
            max_epochs=6,
            patience=6,
            elites=2,
            normalize_targets=True,
            generator=torch.Generator("cuda").manual_seed(1),
            record=record,
        )
        report = trainer.fit(rows, rows)
        draws = torch.Generator("cuda").manual_seed(2)
        env = FakeEnv(model, lambda obs, action, next_obs: next_obs[:, 0] > 0.5)
        body = GraphedCall(
            lambda: imagine(env, lambda obs: obs[:, :3].tanh(), rows.obs[:200], 3, draws), [draws], record
        )
        buffer = ReplayBuffer(10_000, 11, 3, "cuda")
        stored = [store_imagined(*body(), buffer).rows for _ in range(4)]
        assert len(set(stored)) > 1
        tensors = [p.detach() for p in model.parameters()]
        return [*tensors, buffer.transitions.rows], report, sum(stored)

    (ours, *said), (theirs, *wanted) = fitted(record_cuda), fitted(None)
    assert said == wanted
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a, b)


def test_torch_compile_traces_it() -> None:
    case = on_gpu(make_case(2, 64, [14, 100, 12]))
    run = torch.compile(lambda x: ensemble_mlp(x, case.weights, case.biases, "silu"), fullgraph=True)
    got = run(case.x)
    assert_close(got.detach(), define(case.double())[0], 1e-5)
