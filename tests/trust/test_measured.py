"""What is measured of a model on rows it was not trained on: windows of whole episodes, open loops, intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from mbpo.data.played import Played
from mbpo.data.transitions import Transitions
from mbpo.settings.config import resolve
from mbpo.trust.bound import why_not_told
from mbpo.trust.critics import promise
from mbpo.trust.estimates import _band
from mbpo.trust.open_loop import QUANTITIES, open_loop
from mbpo.trust.scores import Measured, inside, score, window_for
from mbpo.trust.verdict import theorem
from mbpo.trust.window import LEAST_EPISODES, LEAST_ROWS, EpisodeWindow

# A window of whole episodes -------------------------------------------------------------------------------------------


def piece(rows: int, total: float) -> list[float]:
    return [float(rows), total]


def added(window: EpisodeWindow, pieces: list[list[float]], begins: list[bool], ended: bool) -> list[list[float]]:
    window.add(torch.tensor(pieces), torch.tensor(begins), ended)
    found: list[list[float]] = window.episodes().tolist()
    return found


def test_parts_of_an_episode_are_put_together() -> None:
    window = EpisodeWindow(2)
    assert added(window, [piece(30, 3)], [False], ended=False) == [[30, 3]]  # none is whole: it stands in
    assert added(window, [piece(20, 1), piece(50, 5)], [False, True], ended=False) == [[50, 4], [50, 5]]
    assert window.whole == 0  # the first began before anything was scored, the second goes on
    assert added(window, [piece(50, 2), piece(10, 9)], [False, True], ended=False) == [[100, 7]]
    assert added(window, [piece(90, 1)], [False], ended=True) == [[100, 7], [100, 10]]


def test_it_lets_go_of_what_is_older_than_it_needs() -> None:
    window = EpisodeWindow(2)
    for number in range(40):
        added(window, [piece(100, number)], [True], ended=True)
    needed = max(LEAST_EPISODES, LEAST_ROWS // 100)
    assert window.episodes()[:, 1].tolist() == [float(n) for n in range(40 - needed, 40)]
    for number in range(4):
        added(window, [piece(10_000, number)], [True], ended=True)
    assert window.whole == LEAST_EPISODES
    again = EpisodeWindow(2)
    again.load_state_dict(window.state_dict())
    assert torch.equal(again.episodes(), window.episodes()[:-1])  # whether the newest ended, the next rows tell
    added(again, [piece(5, 1)], [True], ended=False)
    assert torch.equal(again.episodes(), window.episodes())
    narrow = EpisodeWindow(3)
    narrow.load_state_dict(window.state_dict())  # of another version
    assert len(narrow.episodes()) == 0


def test_a_phase_of_the_episode_does_not_show() -> None:
    """An error that depends on the phase alone: the window's mean is the same at every refit."""
    window, means = EpisodeWindow(2), []
    for part in range(60):  # quarters of episodes of 200 steps
        rows = window.episodes()
        means.append(float(rows[:, 1].sum() / rows[:, 0].sum()) if part > 8 else math.nan)
        added(window, [piece(50, 50 * (0.1, 0.5, 0.2, 0.9)[part % 4])], [part % 4 == 0], ended=part % 4 == 3)
    assert means[9:] == pytest.approx([0.425] * 51)


# Open loops -----------------------------------------------------------------------------------------------------------


@dataclass
class Drifting:
    """A model whose elite e adds 1 + e/10 where the world adds the action; it ends above a height."""

    members: int = 2
    above: float = math.inf

    def mean_step(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        step = 1.0 + torch.arange(self.members)[:, None, None] / 10
        after = obs + step
        return after[..., 0], after, after[..., 0] > self.above


def walk(steps: int, ends: bool = False) -> Transitions:
    """Return a world that rises by 1 from 0, its reward the height."""
    obs = torch.arange(steps, dtype=torch.float32)[:, None]
    terminated = torch.zeros(steps)
    terminated[-1] = float(ends)
    return Transitions.pack(obs, torch.zeros(steps, 1), obs[:, 0] + 1, obs + 1, terminated)


def loops(model: Drifting, rows: Transitions, ends: list[int]) -> dict[str, Tensor]:
    total = open_loop(model, rows, torch.tensor(ends), torch.tensor([2.0]), torch.tensor([0.5]))
    return dict(zip(QUANTITIES, total.unbind(dim=2), strict=True))


def test_open_loops_follow_the_recorded_actions_to_the_end_of_a_piece() -> None:
    found = loops(Drifting(), walk(6), [4] * 4 + [6] * 2)
    assert found["starts"][:, :5].tolist() == [
        [1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0],
    ]  # fmt: skip
    for h in (1, 2, 3, 4):  # elite 0 is right, elite 1 is h/10 too high; in units of a spread of 2
        assert float(found["error"][0, h - 1]) == pytest.approx(0.5 * (0.1 * h / 2) ** 2, rel=1e-4)
        assert float(found["no_model"][0, h - 1]) == pytest.approx((0.5 * h / 2) ** 2)
        gap = sum(0.1 * j for j in range(1, h + 1))
        assert float(found["reward"][0, h - 1]) == pytest.approx(0.5 * gap**2, rel=1e-4)
        assert float(found["real_reward"][0, h - 1]) == pytest.approx(sum(range(1, h + 1)) ** 2)


def test_ends_that_the_model_misses_and_invents_are_counted_once() -> None:
    found = loops(Drifting(members=1, above=2.5), walk(4, ends=True), [4] * 4)
    assert found["invented"][0, :4].tolist() == [0, 0, 1, 0]  # the height 3 ends it, the world goes on to 4
    assert found["pairs"][0, :4].tolist() == [1, 1, 1, 0]
    blind = loops(Drifting(members=2), walk(4, ends=True), [4] * 4)
    assert blind["missed"][0, :4].tolist() == [0, 0, 0, 1]
    assert blind["invented"].sum() == 0


# Scores ---------------------------------------------------------------------------------------------------------------


class Standard:
    """A model that predicts N(0, s²) of every target, whatever happens."""

    elites = torch.arange(2)

    def __init__(self, std: float) -> None:
        self._logvar = 2 * math.log(std)

    def standardized(self, transitions: Transitions) -> tuple[Tensor, Tensor, Tensor]:
        truth = torch.randn(len(transitions), 2, generator=torch.Generator().manual_seed(0))
        zeros = torch.zeros(2, *truth.shape)
        return zeros, zeros + self._logvar, truth


@pytest.mark.parametrize(("std", "half", "most"), [(1.0, 0.5, 0.9), (0.5, 0.264, 0.589), (2.0, 0.823, 0.999)])
def test_coverage_is_the_share_inside_the_intervals(std: float, half: float, most: float) -> None:
    mean, logvar, truth = Standard(std).standardized(walk(40_000))
    found = [float(part.mean()) for part in inside(mean, logvar, truth)]
    assert found == pytest.approx([half, most], abs=0.01)


def test_the_intervals_are_those_of_what_the_elites_say_together() -> None:
    mean = torch.tensor([-3.0, 3.0]).view(2, 1, 1).expand(2, 3, 1)
    truth = torch.tensor([[0.0], [3.0], [9.0]])
    half, most = inside(mean, torch.zeros(2, 3, 1), truth)
    assert half[:, 0].tolist() == [1, 0, 0]  # between both: the median; at either: its quartile's edge is beyond
    assert most[:, 0].tolist() == [1, 1, 0]


def test_rows_are_scored_by_pieces_of_episodes() -> None:
    first, second = walk(30), walk(25)
    rows = Transitions(torch.cat((first.rows, second.rows)), 1, 1)
    known = rows
    sums, begins = score(Standard(1.0), Drifting(), rows, 1, known, 0.1)  # the first row was scored before
    assert sums[:, 0].tolist() == [29, 25]
    assert begins.tolist() == [False, True]
    window = window_for(1)
    window.add(sums, begins, ended=True)
    measured = Measured(window.episodes(), 1)
    assert measured.rows == 25  # the first did not begin within
    both = Measured(sums, 1)
    assert both.longest == 18  # from there on fewer than 20 of the starts are followed: 29 + 25 − 2 · 18 = 18
    assert both.horizon <= both.longest
    assert set(both.metrics()) >= {"trust/horizon_steps", "trust/coverage_90", "trust/error_1"}


def curves(error: list[float], no_model: list[float]) -> Measured:
    per = torch.zeros(50, len(QUANTITIES))
    for h, (mine, other) in enumerate(zip(error, no_model, strict=True)):
        per[h, :3] = torch.tensor([100.0, 100 * mine**2, 100 * other**2])
    return Measured(torch.cat((torch.tensor([100.0, 0.0, 50.0, 50.0, 90.0, 90.0]), per.flatten()))[None], 1)


def test_the_horizon_is_where_the_error_passes_that_of_no_model() -> None:
    assert curves([0.1, 0.3, 0.5, 0.9], [0.2, 0.4, 0.6, 0.8]).horizon == 3
    assert curves([0.3, 0.1], [0.2, 0.4]).horizon == 0
    never = curves([0.1, 0.2], [0.2, 0.4])
    assert (never.horizon, never.longest) == (2, 2)
    assert never.metrics()["trust/error_1"] == pytest.approx(0.1)
    assert never.metrics()["trust/error_5"] is None


# The band of k* -------------------------------------------------------------------------------------------------------


def test_the_band_holds_k_star_of_resampled_episodes() -> None:
    config = resolve({"gamma": 0.99}, "debug")
    same = torch.tensor([[200.0, 200 * 0.2]] * 6)
    band = _band(same, config, 0.4)  # ρ = ½: ⌈ln ½/ln 0.99⌉ = 69
    assert band is not None
    assert (band.low, band.high, band.told) == (69, 69, True)
    apart = torch.tensor([[200.0, 200 * e] for e in (0.1, 0.3, 0.1, 0.3, 0.1, 0.3)])
    wide = _band(apart, config, 0.4)
    assert wide is not None
    assert wide.low < 69 < wide.high
    assert not wide.told
    assert _band(same[:2], config, 0.4) is None  # too few to resample
    saturated = _band(torch.tensor([[200.0, 199.0]] * 6), config, 0.4)
    assert saturated is not None
    assert not saturated.told


def test_why_k_star_cannot_be_told() -> None:
    assert why_not_told(0.2, 60, 70) == ""
    assert "resolution" in why_not_told(0.99, 60, 70)
    assert "too few" in why_not_told(0.2, None, None)
    assert why_not_told(0.2, 10, 90) == "it may be anything from 10 to 90"


# Critics --------------------------------------------------------------------------------------------------------------


class Tossing:
    """A policy whose every action is 0 with entropy h."""

    def __init__(self, entropy: float) -> None:
        self._entropy = entropy

    def sample(self, obs: Tensor, generator: torch.Generator) -> Tossing:
        self.action = torch.zeros(len(obs), 1)
        self.log_prob = torch.full((len(obs),), -self._entropy)
        return self


@pytest.mark.parametrize("terminated", [True, False])
def test_critics_that_are_right_have_no_bias(terminated: bool) -> None:
    gamma, alpha, entropy, steps = 0.9, 0.5, 2.0, 6
    rewards = np.arange(1.0, 1.0 + steps)
    played = Played(np.zeros((steps + 1, 1), np.float32), np.zeros((steps, 1), np.float32), rewards, terminated)
    tail = 0.0 if terminated else 7.0
    soft = sum(gamma**t * r for t, r in enumerate(rewards))
    soft += sum(gamma**t * alpha * entropy for t in range(1, steps + (not terminated))) + gamma**steps * tail
    played.obs[-1] = -1.0  # by which the critic knows the last state

    def critic(obs_action: Tensor) -> Tensor:
        value = torch.where(obs_action[:, 0] < 0, tail, soft)
        return torch.stack((value, value + 100.0))

    found = promise([played] * 3, Tossing(entropy), critic, alpha, gamma, 1.0, torch.Generator())
    came = sum(gamma**t * r for t, r in enumerate(rewards))
    assert (found.promised, found.came) == (pytest.approx(came, rel=1e-6), pytest.approx(came))
    assert found.metrics()["trust/q_bias"] == pytest.approx(0.0, abs=1e-5)
    scaled = promise([played], Tossing(0.0), lambda x: 2 * critic(x), 0.0, gamma, 2.0, torch.Generator())
    assert scaled.promised == pytest.approx(soft - (0 if terminated else gamma**steps * tail), rel=1e-6)


def test_the_theorem_speaks_without_a_length() -> None:
    told = {"bound/eps_m_new": 0.2, "bound/k_star_low": 4.0, "bound/k_star_high": 6.0, "bound/c_over_gap": 3.0}
    assert theorem(told) == "The theorem: its bound is smallest at k* = 4 to 6."
    assert theorem({**told, "rollout/length": 5.0}).startswith(theorem(told) + " At k = 5 it promises nothing:")
