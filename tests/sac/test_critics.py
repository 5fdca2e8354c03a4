"""Add a critic in one file and one table row: autograd updates all of it, and all of it is averaged and saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from learners import DEBUG, Outcome, rows
from torch import Tensor

from mbpo.learner.learner import Learner
from mbpo.runs.layout import RunPaths
from mbpo.saving.store import CheckpointStore
from mbpo.settings.config import resolve
from mbpo.settings.variants import CRITICS, Variant
from mbpo.train import main

Call = Callable[..., Outcome]
TOYS = {"normalised": "toy_critic:Normalised", "extended": "toy_critic:Extended"}


@pytest.fixture(autouse=True, params=TOYS)
def toy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(CRITICS, "toy", Variant(request.param, TOYS[request.param]))
    return str(request.param)


@pytest.fixture
def learner() -> Learner:
    torch.manual_seed(0)
    learner = Learner(resolve({"critic": "toy", "tau": 0.25}, "debug"))
    for _ in range(60):
        learner.explore(uniform=True)
    return learner


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> dict[str, bool]:
    return {name: not torch.equal(before[name], after[name]) for name in before}


def copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in state.items()}


def test_the_op_leaves_it_to_autograd_and_says_so(learner: Learner) -> None:
    found = learner.backends()
    assert found["sac_update"].backend == "torch"
    assert type(learner.agent.critic).__name__ in found["sac_update"].reason
    assert found["ensemble_train_step"].reason != found["sac_update"].reason


def test_every_weight_learns_and_every_target_follows(learner: Learner) -> None:
    agent = learner.agent
    before, targets = copied(agent.critic.state_dict()), copied(agent.critic_target.state_dict())
    learner.update_policy(1.0, 1)
    after, moved = agent.critic.state_dict(), agent.critic_target.state_dict()
    assert all(changed(before, after).values())
    for name, target in moved.items():
        wanted = after[name] if name == "calls" else torch.lerp(targets[name], after[name], 0.25)
        torch.testing.assert_close(target, wanted)


def test_one_moment_that_is_not_finite_holds_every_weight_and_target(learner: Learner) -> None:
    agent = learner.agent
    learner.update_policy(1.0, 1)
    agent.adam_states()["critic"].second_moments[-1].view(-1)[0] = torch.inf
    held = [dict(part.named_parameters()) for part in (agent.critic, agent.critic_target, agent.actor)]
    before = [copied(weights) for weights in held]
    assert learner.update_policy(1.0, 1)[0].isnan().any()
    for then, now in zip(before, held, strict=True):
        assert not any(changed(then, now).values())


def test_adam_is_saved_for_every_weight(learner: Learner) -> None:
    learner.update_policy(1.0, 2)
    saved = learner.whole_state()
    shapes = {tuple(p.shape) for p in learner.agent.critic.parameters()}
    assert {tuple(t.shape) for name, t in saved["adam_critic"].items() if name.startswith("moment")} == shapes
    twin = Learner(resolve({"critic": "toy", "tau": 0.25}, "debug"))
    twin.load_state_dict(saved)
    for each in (learner, twin):
        each.update_policy(1.0, 3)
    for mine, other in zip(learner.agent.critic.parameters(), twin.agent.critic.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_a_run_with_it_is_saved_whole(call: Call, tmp_path: Path) -> None:
    flags = (*DEBUG, "--critic", "toy", "--total-steps", "200", "--runs-root", tmp_path, "--run-id", "r")
    assert call(main, *flags).code == 0
    run = RunPaths(tmp_path / "r")
    op = json.loads(run.manifest.read_text())["op"]["sac_update"]
    assert op["backend"] == "torch"
    saved, _ = CheckpointStore(run.checkpoints).load_newest()
    assert saved is not None
    assert {"norm.weight", "calls"} <= set(saved.parts["critic"]) or "gain" in saved.parts["critic"]
    assert rows(run.metrics)[-1]["env_steps"] == 200
