"""A model that predicts the next state itself, not its change."""

from __future__ import annotations

import pytest
import torch

from mbpo.data.transitions import Transitions
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.trainer import EnsembleTrainer
from mbpo.envs.rules import never

OBS, ACTION = 3, 2


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def transitions(rows: int) -> Transitions:
    """Return rows of s' = ½ s + a₀ with reward a₁."""
    draws = generator(1)
    obs = torch.randn(rows, OBS, generator=draws)
    action = torch.rand(rows, ACTION, generator=draws) * 2 - 1
    next_obs = 0.5 * obs + action[:, :1]
    return Transitions.pack(obs, action, action[:, 1], next_obs, torch.zeros(rows))


def model(predicts: str) -> DynamicsEnsemble:
    return DynamicsEnsemble(OBS, ACTION, members=3, hidden=32, layers=2, generator=generator(), predicts=predicts)


def test_targets_are_reward_and_next_obs() -> None:
    rows = transitions(10)
    wanted = torch.cat((rows.reward[:, None], rows.next_obs), dim=1)
    torch.testing.assert_close(model("next").targets(rows), wanted)


@pytest.mark.parametrize("predicts", ["delta", "next"])
@pytest.mark.parametrize("normalize_targets", [False, True])
def test_what_is_imagined_is_what_was_learned(predicts: str, normalize_targets: bool) -> None:
    ensemble, rows = model(predicts), transitions(2000)
    trainer = EnsembleTrainer(
        ensemble,
        lr=3e-3,
        batch_size=64,
        max_epochs=40,
        patience=40,
        elites=2,
        normalize_targets=normalize_targets,
        generator=generator(2),
    )
    trainer.fit(rows, transitions(200))
    reward, next_obs, _ = FakeEnv(ensemble, never).step(rows.obs, rows.action, generator(3))
    assert (next_obs - rows.next_obs).abs().mean() < 0.2  # of a spread of 0.8
    assert (reward - rows.reward).abs().mean() < 0.2
    mean, _, truth = ensemble.standardized(rows)
    torch.testing.assert_close(truth.std(dim=0, correction=0), torch.ones(1 + OBS), atol=1e-3, rtol=0)
    assert (mean - truth).square().mean().sqrt() < 0.2


def test_the_ops_imagined_step_is_for_changes_alone() -> None:
    assert (model("delta").fused_step, model("next").fused_step) == (True, False)
