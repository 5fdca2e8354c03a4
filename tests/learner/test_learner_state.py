"""Save a learner, restore it in a new one: both go on alike, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.collector import Collector
from mbpo.errors import EnvironmentFault, ShapeError
from mbpo.learner.imagine import Branches
from mbpo.learner.learner import Learner
from mbpo.ops import native
from mbpo.settings.config import Config, resolve

SMALL = {
    "total_steps": 1000,
    "warmup_steps": 100,
    "warmup_hold": 7,
    "model_hidden": 16,
    "sac_hidden": 16,
    "model_max_epochs": 3,
    "rollout_batch": 300,
    "eval_episodes": 1,
    "plan_horizon": 3,
    "plan_candidates": 20,
    "plan_elites": 4,
    "plan_iterations": 2,
}
State = dict[str, dict[str, torch.Tensor]]
REFIT_EVERY, MODEL_ROWS = 50, 500


def config(**overrides: object) -> Config:
    return resolve({**SMALL, **overrides}, "debug")


def advance(learner: Learner, steps: int) -> str:
    """Take env steps, refits, rollouts and updates; return all that could be seen of them."""
    seen: list[Any] = []
    real = learner.real_buffer
    for _ in range(steps):
        warm = real.added < 100
        if not warm and real.added % REFIT_EVERY == 0:
            seen.append([t.tolist() for t in learner.trainer.errors(real.unseen())])
            seen.append([t.tolist() for t in learner.ensemble.standardized(real.unseen())])
            seen.append((learner.score_new_data(0.1), learner.window.episodes().tolist()))
            real.mark_holdout(0.2, 5000, learner.streams.holdout)
            rows = real.training_rows(), real.holdout_rows()
            seen.append(learner.trainer.fit(*rows))
            seen.append(learner.termination.fit(*rows) if learner.termination else None)
            learner.model_buffer.resize(MODEL_ROWS)
            seen.append(learner.imagine(Branches(2, 300)).metrics())
            seen.append(learner.evidence(None).imagined(5).mean.tolist())
            seen.append(real.sample_behaviour(5, learner.streams.bound)[1].log_prob.tolist())
        step = learner.explore(uniform=warm)
        seen.append((step.next_obs.tolist(), step.reward, step.episode))
        if not warm:
            seen.append(learner.update_policy(0.05, 2)[0].tolist())
    seen.append(learner.best_action(learner.collector.obs[None]).tolist())
    return repr(seen)  # where NaN equals NaN


def saved(learner: Learner) -> State:
    """Return copies of all that a checkpoint holds."""
    real = learner.real_buffer
    state = {name: dict(part) for name, part in learner.state_dict().items()}
    state["real"] |= real.recorded(real.added - len(real), real.added)
    return {name: {k: t.clone() for k, t in part.items()} for name, part in state.items()}


def build(state: State | None = None, **overrides: object) -> Learner:
    learner = Learner(config(**overrides))
    if state is not None:
        learner.load_state_dict(state)
    return learner


CASES: list[dict[str, object]] = [
    {},
    {"env_id": "Hopper-v5"},
    {"env_id": "Grid-v0"},  # learns when episodes end
    {"real_buffer_capacity": 150, "normalize_targets": True},  # the ring wraps
    {"action_noise": "pink"},
    {"algo": "pets"},
]


@pytest.mark.parametrize("overrides", CASES, ids=str)
@pytest.mark.parametrize("at", [0, 37, 100, 149, 260])
def test_a_restored_learner_goes_on_as_the_saved_one(overrides: dict[str, object], at: int) -> None:
    first = build(**overrides)
    advance(first, at)
    state = saved(first)
    second = build(state, **overrides)
    steps = 220 if overrides.get("algo") != "pets" else 60  # over an episode's end
    assert advance(second, steps) == advance(first, steps)
    for name, part in saved(first).items():
        for key, tensor in saved(second)[name].items():
            torch.testing.assert_close(tensor, part[key], rtol=0, atol=0, equal_nan=True)


def tensors(state: State) -> list[tuple[str, str]]:
    return [(name, key) for name, part in state.items() for key in part]


WITHOUT_EFFECT = {
    ("actor", "center"),
    ("actor", "scale"),  # of the environment, not learned
    ("ensemble", "outputs.mean"),
    ("ensemble", "outputs.std"),  # the identity unless normalised
    ("streams", "plan"),
    ("streams", "plan_eval"),  # of pets
}
OF_TORCH = {("adam_critic", "step.0"), ("adam_actor", "step.1")}  # the op counts one for all
OF_TORCH |= {("adam_ensemble", f"step.{i}") for i in (1, 2)}


def test_every_saved_item_is_needed() -> None:
    """Leave a new learner's value in place of each saved one: something that is seen differs."""
    items = needless_items(260, None)
    assert needless_items(57, items) <= WITHOUT_EFFECT | (OF_TORCH if native.AVAILABLE else set())


def needless_items(at: int, candidates: set[tuple[str, str]] | None) -> set[tuple[str, str]]:
    first = build()
    fresh_state = saved(first)
    advance(first, at)
    state = saved(first)
    expected = advance(first, 90)
    found = set()
    for name, key in [(name, key) for name, part in state.items() for key in part]:
        if candidates is None or (name, key) in candidates:
            other, same = fresh_state[name][key], state[name][key]
            other = other if other.shape == same.shape else torch.zeros_like(same)
            if repeats({**state, name: {**state[name], key: other}}, expected):
                found.add((name, key))
    return found


def repeats(state: State, expected: str) -> bool:
    try:
        return advance(build(state), 90) == expected
    except (EnvironmentFault, RuntimeError, ShapeError, ValueError, IndexError):
        return False


def test_the_planners_streams_are_needed_where_there_is_a_planner() -> None:
    first = build(algo="pets")
    advance(first, 101)
    state, fresh_state = saved(first), saved(build(algo="pets"))
    expected = advance(first, 2)
    assert advance(build(state, algo="pets"), 2) == expected
    for name in ("plan", "plan_eval"):
        streams = {**state["streams"], name: fresh_state["streams"][name]}
        assert advance(build({**state, "streams": streams}, algo="pets"), 2) != expected


# The environment


def played(env_id: str, steps: int) -> Collector:
    collector = Collector(BoxEnv(env_id), 3)
    rng = np.random.default_rng(1)
    for _ in range(steps):
        low, high = collector.env.action_low, collector.env.action_high
        collector.step(rng.uniform(low, high).astype(np.float32))
    return collector


@pytest.mark.parametrize(
    "env_id", ["Pendulum-v1", "InvertedPendulum-v5", "Hopper-v5", "HalfCheetah-v5", "mbpo/AntTruncated-v5"]
)
def test_an_episode_played_again_goes_on_alike_and_so_do_the_next(env_id: str) -> None:
    first = played(env_id, 143)
    second = Collector(BoxEnv(env_id), 3)
    second.load_state_dict({k: np.array(v) for k, v in first.state_dict().items()})
    rng = np.random.default_rng(2)
    for _ in range(1100):  # over the time limit
        action = rng.uniform(first.env.action_low, first.env.action_high).astype(np.float32)
        one, other = first.step(action), second.step(action)
        assert np.array_equal(one.next_obs, other.next_obs)
        assert (one.reward, one.terminated, one.truncated, one.episode) == (
            other.reward,
            other.terminated,
            other.truncated,
            other.episode,
        )


def _of_another_state(state: dict[str, Any]) -> None:
    state["obs"] = state["obs"] + np.float32(1e-6)


def _of_another_return(state: dict[str, Any]) -> None:
    state["return"] = np.nextafter(state["return"], 0)


def _of_another_seed(state: dict[str, Any]) -> None:
    state["numbers"] = state["numbers"] + np.array([0, 1])


@pytest.mark.parametrize("change", [_of_another_state, _of_another_return, _of_another_seed])
def test_an_environment_that_does_not_repeat_is_found(change: Callable[[dict[str, Any]], None]) -> None:
    state: dict[str, Any] = dict(played("Pendulum-v1", 50).state_dict())
    change(state)
    collector = Collector(BoxEnv("Pendulum-v1"), 3)
    assert "played again, 50 steps led to" in collector.load_state_dict(state)
    assert collector.at_start and collector.step(np.zeros(1, np.float32)).valid


def test_an_environment_that_ends_sooner_when_played_again_is_found() -> None:
    state: dict[str, Any] = dict(played("Pendulum-v1", 50).state_dict())
    state["actions"] = np.zeros((201, 1), np.float32)
    assert "ended after 200 of 201 steps" in Collector(BoxEnv("Pendulum-v1"), 3).load_state_dict(state)
