"""Learn when episodes end, from the labels of environments whose rule is hidden."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.envs.mujoco.inverted_pendulum_v5 import InvertedPendulumEnv
from learners import DEBUG, Outcome
from toy_envs import Toy

from mbpo import train
from mbpo.data.transitions import Transitions
from mbpo.dynamics.termination_head import TerminationHead, TerminationReport, TerminationTrainer
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.collector import Collector
from mbpo.envs.rules import Rule, inverted_pendulum, never
from mbpo.envs.termination import find_rule
from mbpo.learner.learner import Learner
from mbpo.runs.metrics import METRICS
from mbpo.saving.checkpoint import load_checkpoint
from mbpo.seeding import torch_generator
from mbpo.settings.config import resolve

KEYS = {"model/termination_error", "model/termination_false_alarms", "model/terminal_rows"}


class HiddenPendulum(InvertedPendulumEnv):
    """Be a stranger: a rule belongs to the very class."""


class HiddenHopper(HopperEnv):
    """Be a stranger: a rule belongs to the very class."""


for hidden in (HiddenPendulum, HiddenHopper):
    gymnasium.register(f"{hidden.__name__}-v0", hidden, max_episode_steps=1000)


class Cliff(Toy):
    """End where the position is beyond 1."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, _, truncated, info = super().step(action)
        return obs, reward, abs(self.position) > 1.0, truncated, info


gymnasium.register("Cliff-v0", Cliff, max_episode_steps=100)


@cache
def played(env_id: str, rows: int) -> Transitions:
    """Play at random."""
    collector, rng = Collector(BoxEnv(env_id), 0), np.random.default_rng(0)
    env = collector.env
    found = []
    for _ in range(rows):
        step = collector.step(rng.uniform(env.action_low, env.action_high).astype(np.float32))
        scalars = np.array([step.reward]), np.array([step.terminated])
        found.append(np.concatenate([step.obs, step.action, scalars[0], step.next_obs, scalars[1]]))
    env.close()
    return Transitions(torch.tensor(np.stack(found)).float(), env.obs_dim, env.action_dim)


def some(rows: Transitions, index: slice | torch.Tensor) -> Transitions:
    return Transitions(rows.rows[index], rows.obs_dim, rows.action_dim)


def trainer(rows: Transitions, seed: int = 0, steps: int = 300) -> TerminationTrainer:
    head = TerminationHead(rows.obs_dim, rows.action_dim, generator=torch_generator(seed, "a"))
    return TerminationTrainer(head, torch_generator(seed, "b"), steps)


def refitted(rows: Transitions, seed: int = 0) -> tuple[TerminationHead, TerminationReport]:
    """Fit as a run does: every 250 env steps, to four fifths of all rows so far."""
    fitting = trainer(rows, seed)
    held_out = torch.arange(len(rows)) % 5 == 0
    for count in range(500, len(rows) + 1, 250):
        seen = torch.arange(len(rows)) < count
        report = fitting.fit(some(rows, seen & ~held_out), some(rows, seen & held_out))
    return fitting.head, report


def shares(head: Rule, rows: Transitions) -> tuple[float, float]:
    """Return the misjudged shares of ends and of other rows."""
    ended = rows.terminated > 0
    wrong = head(rows.obs, rows.action, rows.next_obs) != ended
    return float(wrong[ended].float().mean()), float(wrong[~ended].float().mean())


@pytest.mark.parametrize(("env_id", "most"), [("HiddenPendulum-v0", 0.02), ("HiddenHopper-v0", 0.03)])
def test_the_head_learns_the_labels_of_a_real_environment(env_id: str, most: float) -> None:
    assert find_rule(BoxEnv(env_id)) is None
    rows = played(env_id, 6000)
    head, report = refitted(some(rows, slice(3000)))
    missed, false_alarms = shares(head, some(rows, slice(3000, None)))
    assert (missed + false_alarms) / 2 < most
    assert report.error < most
    assert report.terminal_rows > 50


def test_the_head_agrees_with_the_hidden_rule_on_states_around_its_edge() -> None:
    head, _ = refitted(some(played("HiddenPendulum-v0", 6000), slice(3000)))
    next_obs = torch.zeros(101, 4)
    next_obs[:, 1] = torch.linspace(-0.3, 0.3, 101)
    judged = head(next_obs, torch.zeros(101, 1), next_obs)
    near = (next_obs[:, 1].abs() - 0.2).abs() < 0.02
    known = inverted_pendulum(next_obs, torch.zeros(101, 1), next_obs)
    assert torch.equal(judged[~near], known[~near])


def test_rare_ends_are_found() -> None:
    rows = played("HiddenPendulum-v0", 6000)
    others, ends = (some(rows, rows.terminated == value) for value in (0.0, 1.0))
    rare = Transitions(torch.cat((others.rows[:3000], ends.rows[:12])), rows.obs_dim, rows.action_dim)  # 1 in 250
    fitting = trainer(rare)
    for _ in range(8):
        fitting.fit(rare, rare)
    missed, false_alarms = shares(
        fitting.head, Transitions(torch.cat((others.rows[3000:], ends.rows[12:])), rows.obs_dim, rows.action_dim)
    )
    assert missed < 0.1
    assert false_alarms < 0.03


def test_without_an_end_the_head_says_never_and_draws_nothing() -> None:
    rows = played("HiddenPendulum-v0", 6000)
    going = some(rows, rows.terminated == 0)
    fitting = trainer(going)
    with torch.no_grad():
        fitting.head.net.biases[-1].fill_(50.0)  # whatever the network says
    before = fitting.generator.get_state(), fitting.head.net.flat.clone()
    report = fitting.fit(going, some(going, slice(100)))
    assert not fitting.head(going.obs, going.action, going.next_obs).any()
    assert report == TerminationReport(error=0.0, false_alarms=0.0, terminal_rows=0)
    assert torch.equal(fitting.generator.get_state(), before[0])
    assert torch.equal(fitting.head.net.flat, before[1])
    report = fitting.fit(going, rows)  # an end that was held out is missed, and counted
    assert report == TerminationReport(error=0.5, false_alarms=0.0, terminal_rows=0)


def test_where_every_row_ends_the_head_says_always() -> None:
    rows = played("HiddenPendulum-v0", 6000)
    ends = some(rows, rows.terminated == 1)
    fitting = trainer(ends)
    report = fitting.fit(ends, some(ends, slice(0)))
    assert fitting.head(ends.obs, ends.action, ends.next_obs).all()
    assert report == TerminationReport(error=0.0, false_alarms=0.0, terminal_rows=len(ends))


def test_constant_inputs_and_a_single_end_are_no_trouble() -> None:
    rows = Transitions(torch.zeros(40, 2 * 3 + 2 + 2), 3, 2)
    rows.rows[:, 0] = torch.arange(40.0)
    rows.rows[39, -1] = 1.0
    fitting = trainer(rows)
    report = fitting.fit(rows, some(rows, slice(0)))
    assert 0 <= report.error <= 1
    assert fitting.head.net.flat.isfinite().all()


def test_one_seed_gives_one_head_and_another_seed_another() -> None:
    rows = some(played("HiddenPendulum-v0", 6000), slice(1000))
    first, again, other = (refitted(rows, seed)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["net.weights.0"], other["net.weights.0"])


def test_an_environment_with_a_rule_gets_no_head() -> None:
    learner = Learner(resolve({}, "debug"))
    assert learner.termination is None
    assert learner.rule is never and learner.fake_env.terminates.args == (never,)
    assert "termination" not in learner.networks()
    learner.close()


def run(root: Path, call: Callable[..., Outcome], run_id: str, *flags: str) -> list[dict[str, Any]]:
    outcome = call(train.main, *DEBUG, "--runs-root", root, "--run-id", run_id, *flags)
    assert (outcome.code, outcome.err) == (0, "")
    lines = (root / run_id / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("algo", ["mbpo", "pets"])
def test_a_run_without_a_rule_learns_one_and_imagines_ends(
    tmp_path: Path, call: Callable[..., Outcome], algo: str
) -> None:
    flags = ("--env-id", "Cliff-v0", "--algo", algo, "--plan-iterations", "1")
    rows = run(tmp_path, call, "r", *flags, "--rollout-length", "5", "--eval-episodes", "1")
    refits = [row for row in rows if "model/epochs" in row]
    assert all(row.keys() >= KEYS for row in refits)
    assert METRICS.keys() >= KEYS
    assert refits[-1]["model/terminal_rows"] > 0
    assert 0 <= refits[-1]["model/termination_error"] < 0.2
    if algo == "mbpo":
        assert 0 < refits[-1]["rollout/terminated_share"] < 0.5
    head = load_checkpoint(tmp_path / "r" / "checkpoints" / "step-000000400", "termination")
    assert head["seen"]
    assert head["net.weights.0"].shape == (1, 2 + 1 + 2, 64)
    assert json.loads((tmp_path / "r" / "manifest.json").read_text())["termination"] == "learned"
    events = (tmp_path / "r" / "events.jsonl").read_text()
    assert "no termination rule for Cliff-v0: a head learns" in events


def test_runs_without_a_rule_repeat(tmp_path: Path, call: Callable[..., Outcome]) -> None:
    flags = ("--env-id", "Cliff-v0", "--total-steps", "250")
    first, again = (run(tmp_path, call, run_id, *flags) for run_id in "ab")
    for key in (*sorted(KEYS), "rollout/terminated_share", "sac/critic_loss"):
        assert [row.get(key) for row in first] == [row.get(key) for row in again]


def test_sac_alone_needs_no_word_on_termination(tmp_path: Path, call: Callable[..., Outcome]) -> None:
    flags = ("--env-id", "Cliff-v0", "--algo", "sac", "--total-steps", "150")
    rows = run(tmp_path, call, "r", *flags)
    assert not KEYS & {key for row in rows for key in row}
    assert "termination" not in (tmp_path / "r" / "events.jsonl").read_text()
    assert json.loads((tmp_path / "r" / "manifest.json").read_text())["termination"] is None
