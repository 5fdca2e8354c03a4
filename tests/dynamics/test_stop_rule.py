"""Know when to stop a refit: by any member's holdout error, as in the paper, or by the elites' mean."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mbpo.dynamics import trainer
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.trainer import _BestWeights
from mbpo.learner.learner import Learner
from mbpo.seeding import torch_generator
from mbpo.settings.config import resolve

MEMBERS, ELITES = 3, 2


def ensemble() -> DynamicsEnsemble:
    return DynamicsEnsemble(2, 1, members=MEMBERS, hidden=4, layers=1, generator=torch_generator(0, "ensemble"))


def shift(model: DynamicsEnsemble) -> None:
    with torch.no_grad():
        for parameter in model.per_member():
            parameter += 1


def offered(model: DynamicsEnsemble, best: _BestWeights, *errors: float) -> bool:
    """Offer weights that are each one more than those before."""
    shift(model)
    return bool(best.offer(torch.tensor(errors)))


def kept(model: DynamicsEnsemble, first: list[Tensor]) -> list[float]:
    """Return how often each member's weights had been shifted."""
    weights = model.per_member()[0]
    return [round(float((weights[e] - first[0][e]).mean()), 3) for e in range(MEMBERS)]


@pytest.mark.parametrize(("elites", "goes_on"), [(0, True), (ELITES, False)])
def test_one_member_that_is_no_elite_keeps_the_papers_refit_going_only(elites: int, goes_on: bool) -> None:
    model = ensemble()
    best = _BestWeights(model, elites)
    assert offered(model, best, 1.0, 1.0, 9.0)
    for error in (8.0, 7.0, 6.0):
        assert offered(model, best, 1.0, 1.0, error) == goes_on


def test_the_elites_mean_has_to_fall_by_one_percent_since_it_last_did() -> None:
    model = ensemble()
    best = _BestWeights(model, ELITES)
    assert offered(model, best, 1.0, 1.0, 5.0)
    assert not offered(model, best, 0.992, 0.992, 5.0)
    assert offered(model, best, 0.985, 0.985, 5.0)  # by little each time, yet by more than 1 % in all
    assert not offered(model, best, 2.0, 2.0, 5.0)
    assert offered(model, best, 1.0, 1.0, 0.5)  # another is an elite now


@pytest.mark.parametrize(("elites", "wanted"), [(0, [1, 3, 2]), (ELITES, [2, 3, 2])])
def test_each_member_gets_its_best_weights_back(elites: int, wanted: list[int]) -> None:
    """By the paper's rule a fall of less than 1 % is none."""
    model = ensemble()
    first = [parameter.detach().clone() for parameter in model.per_member()]
    best = _BestWeights(model, elites)
    offered(model, best, 1.0, 3.0, 5.0)
    offered(model, best, 0.995, 2.0, 4.0)
    offered(model, best, 1.5, 1.0, 4.5)
    best.restore()
    assert kept(model, first) == wanted


@pytest.mark.parametrize("elites", [0, ELITES])
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_an_error_that_is_not_finite_is_no_improvement(elites: int, bad: float) -> None:
    model = ensemble()
    best = _BestWeights(model, elites)
    assert not offered(model, best, bad, bad, bad)
    assert offered(model, best, 1.0, 1.0, bad)
    assert not offered(model, best, bad, bad, bad)


@pytest.mark.parametrize("stop", ["any", "elites"])
def test_a_run_stops_by_its_setting(stop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Spy(_BestWeights):
        def __init__(self, model: DynamicsEnsemble, elites: int) -> None:
            super().__init__(model, elites)
            asked.append(elites)

    monkeypatch.setattr(trainer, "_BestWeights", Spy)
    learner = Learner(resolve({"model_stop": stop, "warmup_steps": 20}, "debug"))
    for _ in range(20):
        learner.explore(uniform=True)
    learner.real_buffer.mark_holdout(0.2, 5000, learner.streams.holdout)
    learner.fit()
    learner.close()
    assert asked == [learner.trainer.ensemble.elites.numel() if stop == "elites" else 0]
