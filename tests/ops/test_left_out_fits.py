"""A model's or a head's step that is not finite moves nothing, and the run hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from not_finite import INFINITY, KINDS, LARGE, WAYS, choose, copies, put, same
from test_fused_steps import batch_of, ensemble
from torch import Tensor

from mbpo.data.transitions import Transitions
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.termination_head import TerminationHead, TerminationTrainer
from mbpo.dynamics.train_step import TrainStep
from mbpo.dynamics.trainer import EnsembleTrainer
from mbpo.errors import DivergedError
from mbpo.ops import native

pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason=native.REASON)


@pytest.fixture(params=WAYS)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return choose(request.param, monkeypatch)


@dataclass(frozen=True)
class Sizes:
    """Name an ensemble's shape."""

    batch: int
    obs: int
    hidden: int
    layers: int
    members: int

    def draw(self, backend: str) -> tuple[DynamicsEnsemble, TrainStep, Tensor, Tensor, Tensor]:
        model = ensemble(self.obs, 1, self.hidden, self.layers, self.members, torch.float32)
        g = torch.Generator().manual_seed(0)
        inputs, labels = torch.randn(40, self.obs + 1, generator=g), torch.randn(40, self.obs + 1, generator=g)
        index = torch.randint(40, (self.members, self.batch), generator=g)
        return model, TrainStep(model, 1e-2, backend=backend), inputs, labels, index


def steep_input(step: TrainStep, inputs: Tensor, labels: Tensor, row: int) -> None:
    inputs[row, 0], labels[row] = LARGE, 1e8
    with torch.no_grad():
        step.ensemble.net.weights[0][:, 0] = 0


MODEL_CASES: dict[str, Callable[[TrainStep, Tensor, Tensor, int], object]] = {
    "loss, of an infinite label": lambda step, inputs, labels, row: labels[row].fill_(INFINITY),
    "loss, of a large label": lambda step, inputs, labels, row: labels[row].fill_(1e30),
    "gradient": steep_input,
    "second moment, of an input": lambda step, inputs, labels, row: inputs[row].fill_(1e16),
    **{
        f"{kind} in the state of {name}": lambda step, inputs, labels, row, kind=kind, i=i: put(
            step.adam, step._parameters[i], kind
        )
        for i, name in enumerate(("the network", "the minimum", "the maximum"))
        for kind in KINDS
    },
}


@pytest.mark.parametrize(
    "sizes", [Sizes(16, 3, 20, 2, 3), Sizes(33, 2, 17, 1, 1), Sizes(5, 5, 9, 3, 4)], ids=lambda sizes: str(sizes)
)
@pytest.mark.parametrize("name", MODEL_CASES)
def test_a_model_step_that_is_not_finite_moves_nothing(backend: str, name: str, sizes: Sizes) -> None:
    _, step, inputs, labels, index = sizes.draw(backend)
    assert step(inputs, labels, index).isfinite().all()
    MODEL_CASES[name](step, inputs, labels, int(index[-1, -1]))
    before = copies(step.adam_state)
    assert not step(inputs, labels, index).isfinite().all()
    assert same(before, copies(step.adam_state))


@pytest.mark.parametrize("kind", KINDS)
def test_a_refit_hears_of_a_model_step_that_is_left_out(backend: str, kind: str) -> None:
    g = torch.Generator().manual_seed(0)
    model = ensemble(3, 1, 20, 2, 3, torch.float32)
    numbers = {"lr": 1e-3, "batch_size": 16, "max_epochs": 3, "patience": 1, "elites": 2}
    trainer = EnsembleTrainer(model, **numbers, normalize_targets=False, generator=g)  # type: ignore[arg-type]
    trainer.step = TrainStep(model, 1e-3, backend=backend)
    rows = batch_of(40, 3, 1, torch.float32, 0)
    trainer.fit(rows, rows)
    put(trainer.step.adam, model.net.flat, kind)
    before = copies(trainer.step.adam_state)
    with pytest.raises(DivergedError, match="the model's loss is nan"):
        trainer.fit(rows, rows)
    assert same(before, copies(trainer.step.adam_state))


def head_of(rows: Transitions) -> TerminationTrainer:
    head = TerminationHead(rows.obs_dim, rows.action_dim, generator=torch.Generator().manual_seed(0))
    return TerminationTrainer(head, torch.Generator().manual_seed(1), steps=3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_with_a_step_that_is_not_finite_moves_nothing_and_ends_the_run(kind: str) -> None:
    rows = batch_of(40, 3, 1, torch.float32, 0)
    trainer = head_of(rows)
    trainer.fit(rows, rows)
    put(trainer._adam, trainer.head.net.flat, kind)
    before = copies(trainer.adam_state)
    with pytest.raises(DivergedError, match="the termination head's loss is nan"):
        trainer.fit(rows, rows)
    assert same(before, copies(trainer.adam_state))


@pytest.mark.parametrize("size", [INFINITY, 1e30])
def test_a_head_is_not_moved_by_an_input_that_is_too_large(size: float) -> None:
    rows = batch_of(40, 3, 1, torch.float32, 0)
    trainer = head_of(rows)
    trainer.fit(rows, rows)
    before = copies(trainer.adam_state)
    x = torch.cat((rows.obs_action, rows.next_obs), dim=1)
    x[5] = size
    assert trainer._step(x, rows.terminated).isnan()
    assert same(before, copies(trainer.adam_state))
