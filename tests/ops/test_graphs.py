"""The learner's hot loops as graphs: recorded once, replayed with the results of calling them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from emulated_build import emulated, take_updates
from emulated_graph import Recordings, WaitingError
from torch import Tensor

from mbpo.data.replay_buffer import ReplayBuffer
from mbpo.data.transitions import Transitions
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.rollout import imagine, rollout, store_imagined
from mbpo.errors import ConfigError, DivergedError
from mbpo.learner.build import resolve_device
from mbpo.learner.imagine import Branches
from mbpo.learner.learner import Learner
from mbpo.ops import native
from mbpo.ops.graphs import GraphedCall
from mbpo.settings.config import resolve

SMALL = {
    "threads": 1,
    "seed": 3,
    "total_steps": 5000,
    "ensemble_size": 3,
    "elites": 2,
    "model_hidden": 8,
    "model_layers": 2,
    "model_batch": 32,
    "model_max_epochs": 6,
    "sac_hidden": 8,
    "sac_batch": 16,
    "rollout_batch": 50,
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_first_call_runs_the_second_records_and_later_ones_replay() -> None:
    record, total, runs = Recordings(), torch.zeros(()), []

    def add(amount: int) -> Tensor:
        runs.append(amount)
        total.add_(amount)
        return total * 2

    call = GraphedCall(add, [], record)
    assert [float(call(3)) for _ in range(5)] == [6, 12, 18, 24, 30]
    assert (runs, record.recorded, record.replayed) == ([3, 3], 1, 4)
    assert [float(call(1)) for _ in range(3)] == [32, 34, 36]  # another argument: recorded anew
    assert (runs, record.recorded) == ([3, 3, 1, 1], 2)


def test_a_tensor_that_moved_is_read_where_it_is() -> None:
    record, held = Recordings(), [torch.ones(2)]
    call = GraphedCall(lambda: held[0].sum(), [], record, lambda: held)
    assert [float(call()) for _ in range(3)] == [2, 2, 2]
    held[0] = torch.full((2,), 5.0)
    assert [float(call()) for _ in range(3)] == [10, 10, 10]
    blind = GraphedCall(lambda: held[0].sum(), [], Recordings())
    blind(), blind()
    held[0] = torch.zeros(2)
    assert float(blind()) == 10  # so the emulation shows what nobody declared


def test_what_waits_for_the_device_is_not_recorded_but_still_runs(caplog: pytest.LogCaptureFixture) -> None:
    x = torch.arange(3.0)
    for body in (
        lambda: x[x > 1].sum(),
        lambda: x * float(x.sum()),
        lambda: x.nonzero(),
        lambda: x + torch.tensor([1.0, 2.0, 3.0]),
    ):
        with pytest.raises(WaitingError):
            Recordings()(body, [])
        caplog.clear()
        call = GraphedCall(body, [], Recordings())
        for _ in range(3):
            torch.testing.assert_close(call(), body())
        assert [record.message.split(":")[0] for record in caplog.records] == ["not recorded, so slower"]


@pytest.fixture(params=["autograd", "kernels"])
def learner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return how to make a small learner, whose steps are torch's own or the GPU's, emulated."""
    if request.param == "kernels" and not native.AVAILABLE:
        pytest.skip(native.REASON)
    if request.param == "autograd":
        monkeypatch.setattr(native, "serves", lambda *_: False)
    else:
        take_updates(monkeypatch, emulated())
    made: list[Learner] = []

    def make(record: Recordings | None, env_id: str = "Pendulum-v1", **changes: Any) -> Learner:
        config = resolve({"env_id": env_id, **SMALL, **changes}, "debug")
        made.append(Learner(config, record))
        for _ in range(60):
            made[-1].explore(uniform=True)
        made[-1].real_buffer.mark_holdout(0.2, 100, made[-1].streams.holdout)
        return made[-1]

    yield make
    for each in made:
        each.close()


def state(learner: Learner) -> dict[str, Tensor]:
    """Return every parameter, moment and imagined row, copied."""
    parts = {
        f"{part}.{name}": tensor.clone()
        for part, tensors in learner.networks().items()
        for name, tensor in tensors.items()
    }
    return parts | {"imagined": learner.model_buffer.transitions.rows.clone()}


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=0, msg=name)


def fit(learner: Learner) -> Any:
    return learner.trainer.fit(learner.real_buffer.training_rows(), learner.real_buffer.holdout_rows())


def test_refits_are_the_same(learner: Any) -> None:
    record = Recordings()
    plain, graphed = learner(None), learner(record)
    for fits in (1, 2):
        reports = [fit(each) for each in (plain, graphed)]
        assert reports[0] == reports[1]
        assert reports[0].epochs > 2
        assert record.recorded == fits
        assert_same(state(plain), state(graphed))
        for each in (plain, graphed):
            for _ in range(7):  # more rows for the next
                each.explore(uniform=True)


def test_policy_updates_are_the_same_as_buffers_grow_and_the_ratio_turns(learner: Any) -> None:
    record = Recordings()
    plain, graphed = learner(None), learner(record)
    sums: dict[Learner, list[list[float]]] = {plain: [], graphed: []}
    for each in (plain, graphed):
        each.model_buffer.resize(2000)
        for step in range(16):
            if step == 4:  # something imagined, and so less that is real
                each.model_buffer.add(each.real_buffer.transitions)
            if step == 12:  # the memory moves
                more = each.real_buffer.sample_rows(1500, each.streams.rollout)
                each.model_buffer.add(more)
            each.explore(uniform=False)
            values, real_rows = each.update_policy(0.5 if step < 8 else 0.25, 3)
            sums[each].append([real_rows, *values.tolist()])
    assert sums[plain] == sums[graphed]
    assert {row[0] for row in sums[plain]} == {16, 8, 4}
    assert (record.recorded, record.replayed) == (4, 12)
    assert_same(state(plain), state(graphed))


def test_rollouts_are_replayed_and_differ_each_time(learner: Any) -> None:
    record = Recordings()
    graphed = learner(record, "InvertedPendulum-v5")
    fit(graphed)
    before = record.recorded
    graphed.model_buffer.resize(10_000)
    reports = [graphed.imagine(Branches(4, 50)) for _ in range(5)]
    assert record.recorded == before + 1
    assert len({report.rows for report in reports}) > 1  # rows end, at random
    assert all(50 < report.rows < 200 for report in reports)
    rows = graphed.model_buffer.transitions
    assert len(rows) == sum(report.rows for report in reports)
    assert int(rows.terminated.sum()) == sum(report.terminated for report in reports)
    assert len(rows.rows.unique(dim=0)) == len(rows)
    assert graphed.imagine(Branches(2, 50)).length_measured <= 2  # k turned
    assert graphed.imagine(Branches(0, 50)).rows == 0


def test_a_replayed_rollout_uses_the_model_and_policy_of_its_moment(learner: Any) -> None:
    graphed = learner(Recordings())
    fit(graphed)
    for more in (20, 20, 1000, 1, 1):  # a thousand move the memory
        draws = graphed.streams.rollout.get_state()
        rows, counts = (t.clone() for t in graphed.imagination._at_once(3, 20))
        graphed.streams.rollout.set_state(draws)
        wanted, alive = graphed.imagination._imagine(3, 20)
        assert torch.equal(rows, wanted) and torch.equal(counts, alive)
        graphed.update_policy(0.5, 2)
        for _ in range(more):
            graphed.explore(uniform=True)
        if more == 20:
            fit(graphed)


def test_a_replayed_rollout_asks_the_termination_head_of_its_moment(learner: Any) -> None:
    graphed = learner(Recordings(), "Toy-v0")  # whose rule nobody knows
    real_buffer, shares = graphed.real_buffer, []
    for ends in (0, 0, 0, 30, 50, 10):  # of 60 rows
        real = real_buffer.transitions
        real.terminated[:] = (real.next_obs[:, 0].argsort().argsort() < ends).float()
        graphed.termination.fit(real_buffer.training_rows(), real_buffer.holdout_rows())
        draws = graphed.streams.rollout.get_state()
        rows, counts = (t.clone() for t in graphed.imagination._at_once(3, 50))
        graphed.streams.rollout.set_state(draws)
        wanted, alive = graphed.imagination._imagine(3, 50)
        assert torch.equal(rows, wanted) and torch.equal(counts, alive)
        shares.append(float(rows[..., -1].mean()))
    assert graphed.imagination._at_once._launch is not None
    assert shares[:3] == [0, 0, 0] and len({*shares[3:]} - {0}) == 3


class _Ends(FakeEnv):
    """Count up from the start; each row ends when it reaches 3."""

    def step(self, obs: Tensor, action: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        assert (obs[:, 0] < 3).all()  # what ended stands still
        return obs[:, 0], obs + 1, obs[:, 0] + 1 >= 3


def test_the_masked_rollout_stores_what_the_dropping_one_stores() -> None:
    start = torch.tensor([[0.0], [1.0], [2.0], [2.0]])
    buffer = ReplayBuffer(100, 1, 1)
    env = _Ends(None, None)  # type: ignore[arg-type]
    report = store_imagined(*imagine(env, torch.zeros_like, start, 5, generator()), buffer)
    assert buffer.transitions.obs[:, 0].tolist() == [0, 1, 2, 2, 1, 2, 2]
    assert buffer.transitions.terminated.tolist() == [0, 0, 1, 1, 0, 1, 1]
    assert (report.lengths.tolist(), report.terminated, report.stopped, report.weight) == ([3, 2, 1, 1], 4, 0, 7.0)
    dropped = rollout(env, torch.zeros_like, start, 5, ReplayBuffer(100, 1, 1), generator())
    assert dropped.metrics() == report.metrics()
    assert report.metrics() == {
        "rollout/length_measured": 3,
        "rollout/length_mean": 7 / 4,
        "rollout/length_p10": 1,
        "rollout/length_p50": 1,
        "rollout/length_p90": 3,
        "rollout/rows": 7,
        "rollout/start_rows": 4,
        "rollout/terminated_share": 4 / 7,
        "rollout/stopped_share": 0.0,
        "rollout/weight_mean": 1.0,
    }


def test_only_rows_that_count_must_be_finite() -> None:
    rows, counts = torch.zeros(2, 3, 7), torch.ones(2, 3, dtype=torch.bool)
    rows[1, 2, 0], counts[1, 2] = torch.nan, False
    buffer = ReplayBuffer(100, 2, 1)
    assert store_imagined(rows, counts, buffer).rows == 5
    counts[1, 2] = True
    with pytest.raises(DivergedError, match="imagined step 2 of 2"):
        store_imagined(rows, counts, buffer)
    assert isinstance(buffer.transitions, Transitions) and len(buffer) == 5


def test_a_numbered_gpu_is_made_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for name in ("cpu", "cuda", "cuda:1"):
        assert resolve_device(name) == torch.device(name)
    assert chosen == [torch.device("cuda:1")]
    with pytest.raises(ConfigError, match="cuda:2 is not there"):
        resolve_device("cuda:2")
