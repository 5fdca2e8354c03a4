"""The setting critic_norm: which networks it makes, with which critics it goes, and that the op serves them."""

from __future__ import annotations

import pytest
import torch

from mbpo.errors import ConfigError
from mbpo.learner.learner import Learner
from mbpo.ops import EnsembleMLP, native
from mbpo.settings.config import resolve
from mbpo.settings.variants import CRITICS, Variant


def learner(**settings: object) -> Learner:
    """Return a learner with enough real rows for updates."""
    torch.manual_seed(0)
    made = Learner(resolve(settings, "debug"))
    for _ in range(60):
        made.explore(uniform=True)
    return made


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_it_normalises_critics_and_targets_not_the_actor(norm: str) -> None:
    agent = learner(critic_norm=norm).agent
    nets = [part.net for part in (agent.critic, agent.critic_target, agent.actor)]
    assert all(isinstance(net, EnsembleMLP) for net in nets)
    assert [net.norm for net in nets] == [norm, norm, "none"]


@pytest.mark.skipif(not native.AVAILABLE, reason=native.REASON)
def test_the_op_updates_them() -> None:
    assert learner(critic_norm="layer").backends()["sac_update"].backend == "cpp"


def test_gains_and_shifts_learn_and_targets_follow() -> None:
    made = learner(critic_norm="layer", tau=0.25)
    made.update_policy(1.0, 2)
    for part in (made.agent.critic, made.agent.critic_target):
        layers = part.net.layers(detached=True)
        assert layers.gains and layers.shifts
        assert all((gain != 1).any() for gain in layers.gains) and all(shift.any() for shift in layers.shifts)


def test_what_is_saved_goes_on_to_the_same_bit() -> None:
    first, second = learner(critic_norm="layer"), learner(critic_norm="layer", seed=7)
    first.update_policy(1.0, 2)
    second.load_state_dict(first.whole_state())
    for each in (first, second):
        each.update_policy(1.0, 3)
    for mine, other in zip(first.agent.critic.parameters(), second.agent.critic.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_other_critics_are_refused_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CRITICS, "toy", Variant("a toy", "toy_critic:Normalised"))
    with pytest.raises(ConfigError, match="critic_norm layer goes with critic twin alone, got critic toy"):
        resolve({"critic": "toy", "critic_norm": "layer"}, "debug")
