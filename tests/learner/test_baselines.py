"""The baselines: SAC without a model and PETS, the same loop with parts left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from learners import rows
from torch import Tensor

from mbpo import evaluate
from mbpo import train as train_module
from mbpo.errors import ConfigError
from mbpo.learner.learner import Learner
from mbpo.planning.cem import CEMPlanner, Propagate
from mbpo.runs.metrics import MACHINE_KEYS, METRICS
from mbpo.settings.config import resolve

QUICK_PLANS = (
    "--plan-candidates",
    "20",
    "--plan-elites",
    "4",
    "--plan-horizon",
    "5",
    "--plan-iterations",
    "2",
    "--plan-particles",
    "2",
)


def train(root: Path, name: str, *flags: str) -> list[dict[str, Any]]:
    """Run the debug preset and return its metrics, wall times left out."""
    arguments = ["--preset", "debug", "--threads", "1", "--runs-root", str(root), "--run-id", name]
    assert train_module.main([*arguments, *flags]) == 0
    return [
        {key: value for key, value in row.items() if key not in MACHINE_KEYS}
        for row in rows(root / name / "metrics.jsonl")
    ]


def has(metrics: list[dict[str, Any]], prefix: str) -> bool:
    return any(key.startswith(prefix) for row in metrics for key in row)


def test_sac_is_mbpo_with_real_rows_only(tmp_path: Path) -> None:
    sac = train(tmp_path, "sac", "--algo", "sac")
    real = train(tmp_path, "real", "--real-ratio", "1")
    kept = ("sac/", "eval/", "episode/", "mix/real_ratio_measured")

    def of(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in row.items() if k.startswith(kept)} for row in metrics]

    assert of(sac) == of(real)
    assert not has(sac, "model/") and not has(sac, "bound/")
    measured = [row["mix/real_ratio_measured"] for row in sac if "mix/real_ratio_measured" in row]
    assert measured and set(measured) == {1.0}
    assert {row["rollout/length"] for row in sac if "rollout/length" in row} == {0}


def test_sac_on_rewards_8_times_as_large_and_scaled_back_is_the_same_sac(tmp_path: Path) -> None:
    plain = train(tmp_path, "toy", "--algo", "sac", "--env-id", "toy_envs:Toy-v0")
    loud = ("--algo", "sac", "--env-id", "toy_envs:Loud-v0")
    scaled = train(tmp_path, "scaled", *loud, "--reward-scale", "0.125")
    unscaled = train(tmp_path, "loud", *loud)

    def series(metrics: list[dict[str, Any]], key: str) -> list[float]:
        return [row[key] for row in metrics if key in row]

    for key in ("sac/alpha", "sac/critic_loss", "sac/entropy"):
        assert series(scaled, key) == series(plain, key) != series(unscaled, key)
    for key in ("eval/return_mean", "sac/q_mean"):  # in the environment's own rewards
        assert series(scaled, key) == [8 * value for value in series(plain, key)]


def test_pets_plans_and_learns_no_policy(tmp_path: Path) -> None:
    metrics = train(tmp_path, "pets", "--algo", "pets", "--eval-episodes", "1", *QUICK_PLANS)
    assert has(metrics, "model/") and has(metrics, "eval/")
    assert not has(metrics, "sac/") and not has(metrics, "bound/")
    assert {key for row in metrics for key in row} <= {*METRICS, "env_steps", "seq", "attempt", "kind"}
    assert metrics == train(tmp_path, "twin", "--algo", "pets", "--eval-episodes", "1", *QUICK_PLANS)


def test_a_pets_run_has_no_policy_to_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path, "pets", "--algo", "pets", "--total-steps", "120", *QUICK_PLANS)
    capsys.readouterr()
    assert evaluate.main([str(tmp_path / "pets")]) == 2
    assert "has no policy" in capsys.readouterr().err


def test_pets_explores_with_its_plans() -> None:
    config = resolve({"algo": "pets", "plan_candidates": 30, "plan_elites": 5, "plan_horizon": 3}, "debug")
    learner = Learner(config)
    for _ in range(30):
        learner.explore(uniform=True)
    before = learner.streams.plan.get_state()
    step = learner.explore(uniform=False)
    learner.streams.plan.set_state(before)
    again = learner.explorer.planner.plan(torch.from_numpy(step.obs[None]), learner.streams.plan)
    assert again[0].tolist() == step.action.tolist()
    learner.close()


def planner(propagate: Propagate, **changes: Any) -> CEMPlanner:
    facts: dict[str, Any] = {
        "low": torch.tensor([-2.0, 0.0]),
        "high": torch.tensor([2.0, 1.0]),
        "horizon": 4,
        "candidates": 200,
        "elites": 20,
        "iterations": 8,
        "particles": 2,
    }
    return CEMPlanner(propagate, **{**facts, **changes})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_plan_finds_each_states_own_best_action() -> None:
    def reward(obs: Tensor, actions: Tensor, _: torch.Generator) -> Tensor:
        return -(actions - obs[:, None]).square().sum(dim=(1, 2))

    obs = torch.tensor([[1.5, 0.25], [-1.0, 0.75], [0.0, 3.0]])  # the last beyond its bound
    actions = planner(reward).plan(obs, generator())
    torch.testing.assert_close(actions, obs.clamp(max=1.5).minimum(planner(reward).high), atol=0.1, rtol=0)


def test_the_plan_looks_ahead() -> None:
    def delayed(obs: Tensor, actions: Tensor, _: torch.Generator) -> Tensor:
        first = actions[:, 0, 0]  # costs now what pays twice later
        return -first + 2 * first * (actions.shape[1] > 1)

    obs = torch.zeros(1, 2)
    assert planner(delayed).plan(obs, generator())[0, 0] > 1.5
    assert planner(delayed, horizon=1).plan(obs, generator())[0, 0] < -1.5


def test_a_sequence_on_which_the_model_runs_away_never_wins() -> None:
    def runaway(obs: Tensor, actions: Tensor, _: torch.Generator) -> Tensor:
        return torch.where(actions[:, 0, 0] > 0, torch.inf, actions[:, 0, 0])

    action = planner(runaway).plan(torch.zeros(1, 2), generator())
    assert action.isfinite().all() and -1 < action[0, 0] <= 0.2


def test_particles_are_averaged_for_their_own_sequence() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def watch(obs: Tensor, actions: Tensor, draws: torch.Generator) -> Tensor:
        seen.append((obs, actions))
        return actions[:, 0, 0] + 100 * torch.randn(len(obs), generator=draws)

    planner(watch, candidates=3, elites=1, iterations=1, particles=4).plan(
        torch.tensor([[1.0, 1.0], [2.0, 2.0]]), generator()
    )
    ((obs, actions),) = seen
    assert obs[:, 0].tolist() == [1.0] * 12 + [2.0] * 12
    groups = actions.view(6, 4, 4, 2)
    assert (groups == groups[:, :1]).all() and len(groups[:, 0].unique(dim=0)) == 6


def test_more_elites_than_candidates_are_refused() -> None:
    with pytest.raises(ConfigError, match="plan_elites must be at most plan_candidates 10, got 20"):
        resolve({"plan_candidates": 10}, "debug")
