"""A part of a SAC update that is not finite moves nothing, nor does any after it: in every way of the op."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from not_finite import INFINITY, KINDS, LARGE, WAYS, choose, copies, put, same
from test_fused_steps import agent, batch_of
from torch import Tensor

from mbpo.data.transitions import Transitions
from mbpo.errors import DivergedError
from mbpo.ops import native
from mbpo.ops.adam import AdamState
from mbpo.sac.agent import SACAgent, SACReport
from mbpo.sac.interval import Interval

pytestmark = pytest.mark.skipif(not native.AVAILABLE, reason=native.REASON)
PARTS = ("critics", "actor", "alpha", "targets")  # in their order
SLOTS = (0, 1, 2, 4)  # of the report: critic_loss, actor_loss, alpha, q_mean
SHAPES = ((32, 3, 1, 16, 2), (33, 5, 2, 17, 1), (7, 2, 3, 9, 3))  # rows, obs, actions, hidden, layers


@pytest.fixture(params=WAYS)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return choose(request.param, monkeypatch)


def snapshot(of: SACAgent) -> dict[str, list[Tensor]]:
    """Return copies of all that an update changes, by part."""
    states = of.adam_states()
    actor, both = AdamState.of(of._actor_adam, [of.actor.net.flat]), states["actor"]
    alpha = [t.detach().clone() for t in both.tensors if not any(t.data_ptr() == a.data_ptr() for a in actor.tensors)]
    target = [of.critic_target.net.flat.detach().clone()]
    return {"critics": copies(states["critic"]), "actor": copies(actor), "alpha": alpha, "targets": target}


def moved(of: SACAgent, batch: Transitions) -> tuple[bool, ...]:
    """Update once; return which parts moved, and check that the report says so."""
    before = snapshot(of)
    values = of.update(batch).values
    after = snapshot(of)
    parts = tuple(not same(before[part], after[part]) for part in PARTS)
    assert tuple(not bool(values[slot].isnan()) for slot in SLOTS) == parts, (parts, values)
    assert all(t.isfinite().all() for part, is_new in zip(PARTS, parts, strict=True) if is_new for t in after[part])
    return parts


def reward(size: float) -> Callable[[SACAgent, Transitions], object]:
    return lambda of, batch: batch.reward[3].fill_(size)


@torch.no_grad()
def steep_observation(of: SACAgent, batch: Transitions) -> None:
    """Give weights that nothing comes through a gradient that overflows, at a finite loss."""
    batch.obs[3, 0], batch.reward[3] = LARGE, 1e8
    for net in (of.actor.net, of.critic.net):
        net.weights[0][:, 0] = 0


@torch.no_grad()
def steep_actor(of: SACAgent, batch: Transitions) -> None:
    """Do so to the actor alone: the critics do not look at their hidden units."""
    batch.obs[3, 0] = LARGE
    for net in (of.actor.net, of.critic.net):
        net.weights[0][:, 0] = 0
    of.critic.net.weights[-1].zero_()
    of.log_alpha.fill_(12)


def steep_action(size: float) -> Callable[[SACAgent, Transitions], object]:
    """Make the critics steep in the action, which they learn from at 0 only."""

    @torch.no_grad()
    def poison(of: SACAgent, batch: Transitions) -> None:
        batch.action.zero_()
        of.critic.net.weights[0][:, batch.obs_dim :] = size

    return poison


@torch.no_grad()
def far_target(of: SACAgent, batch: Transitions) -> None:
    """Put a critic's weight and its target so far apart that their difference overflows."""
    batch.obs[:, 0] = batch.next_obs[:, 0] = 0
    of.critic.net.weights[0][:, 0] = LARGE
    of.critic_target.net.weights[0][:, 0] = -LARGE


def moments(part: str, kind: str) -> Callable[[SACAgent, Transitions], object]:
    def poison(of: SACAgent, batch: Transitions) -> None:
        adam = of._critic_adam if part == "critics" else of._actor_adam
        put(adam, {"critics": of.critic.net.flat, "actor": of.actor.net.flat, "alpha": of.log_alpha}[part], kind)

    return poison


CASES: dict[str, tuple[str, Callable[[SACAgent, Transitions], object]]] = {
    "critics, loss, of an infinite reward": ("critics", reward(INFINITY)),
    "critics, loss, of a large reward": ("critics", reward(1e20)),
    "critics, gradient": ("critics", steep_observation),
    "critics, second moment, of an observation": ("critics", lambda of, batch: batch.obs[3].fill_(1e16)),
    "actor, loss": ("actor", steep_action(LARGE)),
    "actor, gradient": ("actor", steep_actor),
    "actor, second moment": ("actor", steep_action(1e26)),
    "alpha, second moment": ("alpha", lambda of, batch: setattr(of, "target_entropy", 1e30)),
    "targets, weight": ("targets", far_target),
    **{f"{part}, {kind} in its state": (part, moments(part, kind)) for part in PARTS[:3] for kind in KINDS},
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_a_part_that_is_not_finite_moves_nothing_nor_does_any_after_it(
    backend: str, name: str, shape: tuple[int, ...]
) -> None:
    part, poison = CASES[name]
    rows, obs, actions, hidden, layers = shape
    of = agent(obs, actions, hidden, layers, torch.float32, backend)
    assert moved(of, batch_of(rows, obs, actions, torch.float32, 0)) == (True,) * 4
    batch = batch_of(rows, obs, actions, torch.float32, 1)
    poison(of, batch)
    assert moved(of, batch) == tuple(number < PARTS.index(part) for number in range(4))


@pytest.mark.parametrize("kind", ["loss", "gradient", "second moment"])
def test_the_cases_of_finite_losses_have_them(kind: str) -> None:
    """Hold the cases to what they are named for, by autograd."""
    for name, (part, poison) in CASES.items():
        if f"{part}, {kind}" not in name or part not in PARTS[:2] or "state" in name:
            continue
        of, batch = agent(3, 1, 16, 2, torch.float32, "torch"), batch_of(32, 3, 1, torch.float32, 1)
        of.update(batch_of(32, 3, 1, torch.float32, 0))
        poison(of, batch)
        losses: list[Tensor] = []
        step = of._critic_step if part == "critics" else of._actor_step

        def look(parts: list[tuple[AdamState, Tensor]], *rest: Tensor, step=step, losses=losses) -> list[Tensor]:
            losses.append(parts[0][1].detach())
            return step(parts, *rest)

        setattr(of, "_critic_step" if part == "critics" else "_actor_step", look)
        of.update(batch)
        gradient = (of.critic if part == "critics" else of.actor).net.flat.grad
        assert gradient is not None
        finite = bool(losses[0].isfinite()), bool(gradient.isfinite().all())
        assert finite == {"loss": (False, finite[1]), "gradient": (True, False)}.get(kind, (True, True)), name


@pytest.mark.parametrize("slot", range(len(SACReport.KEYS)))
def test_a_run_hears_of_any_value_that_is_not_finite(slot: int) -> None:
    values = torch.zeros(len(SACReport.KEYS))
    values[slot] = torch.nan
    with pytest.raises(DivergedError, match=f"{SACReport.KEYS[slot]} not finite at env step 9"):
        Interval(torch.device("cpu")).add(9, values, 1, 1, 2)


FIELDS = ("obs", "action", "reward", "next_obs")


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.sampled_from((1, 5, 32, 33)),
    obs=st.integers(1, 5),
    actions=st.integers(1, 3),
    hidden=st.integers(1, 20),
    layers=st.integers(1, 3),
    field=st.sampled_from(FIELDS),
    exponent=st.integers(0, 38),
    terminal=st.booleans(),
)
def test_all_ways_agree_on_what_moves(
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
    obs: int,
    actions: int,
    hidden: int,
    layers: int,
    field: str,
    exponent: int,
    terminal: bool,
) -> None:
    answers = []
    for way in WAYS:
        of = agent(obs, actions, hidden, layers, torch.float32, "torch" if way == "torch" else "auto")
        batch = batch_of(rows, obs, actions, torch.float32, 0)
        getattr(batch, field)[-1] = 10.0**exponent
        batch.terminated[-1] = float(terminal)
        with monkeypatch.context() as patch:
            choose(way, patch)
            answers.append(moved(of, batch))
    assert len(set(answers)) == 1, dict(zip(WAYS, answers, strict=True))
    assert answers[0] == tuple(sorted(answers[0], reverse=True))  # none moves after one that did not
