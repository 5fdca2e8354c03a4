"""Each rule for k by its authors' formula, on numbers worked out by hand, and what it does to a rollout."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mbpo.data.predictions import Prediction, RowRule
from mbpo.data.replay_buffer import ReplayBuffer
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.rollout import rollout
from mbpo.envs.rules import never
from mbpo.settings.config import resolve
from mbpo.settings.variants import K_POLICIES
from mbpo.trust.estimates import Band, Estimates
from mbpo.trust.policies import Evidence
from mbpo.trust.policies.disagreement import Disagreement
from mbpo.trust.policies.information import CONSTANT, Information, fused
from mbpo.trust.policies.mask import Mask, kept_share
from mbpo.trust.policies.weight import Weight

ROWS = ("disagreement", "mask", "information", "weight")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rule(name: str, **changes: Any) -> Any:
    variant = K_POLICIES[name]
    config = resolve({"k_policy": name, **changes}, "debug")
    return variant.load()(config, **variant.chosen(config.k_options))


def prediction(mean: list[list[list[float]]], var: list[list[list[float]]], chosen: list[int]) -> Prediction:
    return Prediction(torch.tensor(mean), torch.tensor(var), torch.tensor(chosen))


def drawn(elites: int, rows: int, width: int, seed: int = 0) -> Prediction:
    draws = generator(seed)
    mean = torch.randn(elites, rows, width, generator=draws)
    var = torch.rand(elites, rows, width, generator=draws) + 0.1
    return Prediction(mean, var, torch.randint(elites, (rows,), generator=draws))


def evidence(found: Prediction, estimates: Estimates | None = None) -> Evidence:
    return Evidence(estimates, lambda rows: found, lambda rows: found)


# Disagreement ---------------------------------------------------------------------------------------------------------


def test_disagreement_is_the_bhattacharyya_distance_over_pairs_and_targets() -> None:
    two = prediction([[[0.0, 1.0]], [[2.0, 1.0]]], [[[1.0, 1.0]], [[1.0, 4.0]]], [0])
    worked = 4 / (4 * 2) + 0 + 0.5 * math.log(5 / (2 * 2))  # (2 − 0)²/(4·2); then ½ ln(5/(2√4))
    torch.testing.assert_close(rule("disagreement").score(two), torch.tensor([[worked]]))
    three = drawn(3, 5, 4)
    pairs = [(0, 1), (0, 2), (1, 2)]
    each = [bhattacharyya(three, *pair) for pair in pairs]
    torch.testing.assert_close(rule("disagreement").score(three)[:, 0], torch.stack(each).mean(dim=0))
    scaled = Prediction(three.mean * 7, three.var * 49, three.chosen)
    torch.testing.assert_close(rule("disagreement").score(scaled), rule("disagreement").score(three))


def bhattacharyya(of: Prediction, one: int, other: int) -> Tensor:
    """Return −ln ∫ √(p q) by quadrature, summed over targets."""
    x = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    total = torch.zeros(of.mean.shape[1], dtype=torch.float64)
    for row in range(of.mean.shape[1]):
        for target in range(of.mean.shape[2]):
            p, q = (
                torch.distributions.Normal(
                    of.mean[e, row, target].double(), of.var[e, row, target].double().sqrt()
                ).log_prob(x)
                for e in (one, other)
            )
            total[row] -= torch.trapezoid((0.5 * (p + q)).exp(), x).log()
    return total.float()


def test_disagreement_keeps_what_is_below_the_mean_of_the_refits_thresholds() -> None:
    found: Disagreement = rule("disagreement", k_options={"zeta": 50.0, "xi": 3.0})
    for number, factor in enumerate((1.0, 4.0), start=1):
        steps = drawn(3, 101, 2)
        found.calibrate(evidence(Prediction(steps.mean * factor, steps.var, steps.chosen)))
        assert len(found.state_dict()) == 2, number
    medians = [
        float(
            found.score(Prediction(drawn(3, 101, 2).mean * f, drawn(3, 101, 2).var, drawn(3, 101, 2).chosen)).median()
        )
        for f in (1.0, 4.0)
    ]
    kappa = found.report()["rollout/threshold"]
    assert kappa == pytest.approx(3.0 * sum(medians) / 2, rel=1e-5)
    score = torch.tensor([[0.5 * kappa], [kappa], [2 * kappa]])
    decision = found.decide(score, found.carried(3, score.device), 0, 10)
    assert decision.stored.tolist() == decision.goes_on.tolist() == [True, False, False]


# Mask -----------------------------------------------------------------------------------------------------------------


def test_mask_scores_the_chosen_elite_against_the_mixture_of_the_others() -> None:
    three = prediction([[[0.0]], [[1.0]], [[3.0]]], [[[2.0]], [[1.0]], [[4.0]]], [0])
    rest_mean, rest_var = 2.0, (1 + 1 + 4 + 9) / 2 - 4.0  # of the second and third
    worked = 0.5 * (math.log(rest_var / 2) + 2 / rest_var + rest_mean**2 / rest_var - 1)
    torch.testing.assert_close(rule("mask").score(three), torch.tensor([[worked]]))


def test_mask_stores_the_lowest_and_lets_all_go_on() -> None:
    assert [round(kept_share(h, 10), 4) for h in range(10)] == [
        0.4545, 0.4091, 0.3636, 0.3182, 0.2727, 0.2273, 0.1818, 0.1364, 0.0909, 0.0455,
    ]  # fmt: skip
    assert kept_share(0, 1) == 0.5
    found: Mask = rule("mask", k_options={"penalty": 0.5})
    score = torch.tensor([[3.0], [1.0], [4.0], [2.0], [6.0]])
    decision = found.decide(score, found.carried(5, score.device), 0, 10)  # ⌊5 · 5/11⌋ = 2
    assert decision.stored.tolist() == [False, True, False, True, False]
    assert decision.goes_on.all()
    assert decision.bonus is not None
    assert decision.bonus.tolist() == [-1.5, -0.5, -2.0, -1.0, -3.0]


# Information ----------------------------------------------------------------------------------------------------------


def test_information_fuses_the_elites() -> None:
    two = prediction([[[0.0]], [[3.0]]], [[[1.0]], [[2.0]]], [1])
    mean, var, apart = fused(two)
    assert (float(var), float(mean)) == pytest.approx((4 / 3, 1.0))  # 1/mean(1, ½); 4/3 · mean(0, 3/2)
    assert float(apart) == pytest.approx((1 + 4) / 2)
    left = (4 / 3) * 2.5 / (4 / 3 + 2.5)
    worked = 0.5 * math.log2(2 * math.pi * math.e * left) + 6 * math.log2(10)
    assert float(rule("information").score(two)) == pytest.approx(worked)
    agree = prediction([[[1.0]], [[1.0]]], [[[1.0]], [[1.0]]], [0])
    assert float(rule("information").score(agree)) == 0.0


def test_information_samples_what_the_elites_agree_on() -> None:
    rows = 200_000
    mean = torch.tensor([0.0, 1.0, 3.0]).view(3, 1, 1).expand(3, rows, 1)
    var = torch.tensor([1.0, 2.0, 0.5]).view(3, 1, 1).expand(3, rows, 1)
    chosen = torch.randint(3, (rows,), generator=generator())
    many = Prediction(mean, var, chosen)
    noise = torch.randn(rows, 1, generator=generator(1))
    sample = rule("information").sample(many, noise, generator(2))
    centre, harmonic, apart = (float(part[0]) for part in fused(many))
    trust = harmonic / (harmonic + apart)
    followed = many.follow(noise)
    expected_mean = centre + trust * (float(followed.mean()) - centre)
    expected_var = trust**2 * float(followed.var()) + (1 - trust) * harmonic
    assert float(sample.mean()) == pytest.approx(expected_mean, abs=0.01)
    assert float(sample.var()) == pytest.approx(expected_var, rel=0.02)


def test_information_stops_at_one_bad_step_and_at_a_sum() -> None:
    found: Information = rule("information", rollout_limit=4, k_options={"rare": 1.0, "usual": 0.5})
    real = drawn(3, 1001, 2)
    lost = found.score(real)
    found.calibrate(evidence(real))
    most, middle = lost.amax(dim=0), lost.median(dim=0).values
    assert found.report()["rollout/threshold"] == pytest.approx(float(most.mean()))
    assert found.report()["rollout/threshold_total"] == pytest.approx(4 * float(middle.mean()), rel=1e-5)
    carried = found.carried(3, lost.device)
    first = torch.stack((middle, middle, most + 1))
    decision = found.decide(first, carried, 0, 4)
    assert decision.stored.tolist() == decision.goes_on.tolist() == [True, True, False]
    again = torch.stack((middle, 3.5 * middle, middle))
    assert found.decide(torch.minimum(again, most), decision.carried, 1, 4).stored[0]
    torch.testing.assert_close(found.decide(again, decision.carried, 1, 4).carried[1], 4.5 * middle)
    assert pytest.approx(0.5 * math.log2(2 * math.pi * math.e)) == CONSTANT


# Weight ---------------------------------------------------------------------------------------------------------------


def test_weight_is_one_over_one_plus_the_spread_of_the_elites() -> None:
    two = prediction([[[0.0, 1.0, 0.0]], [[4.0, 1.0, 2.0]]], [[[1.0] * 3]] * 2, [0])
    found: Weight = rule("weight")
    assert float(found.score(two)) == pytest.approx(2.0 + (0.0 + 1.0) / 2)  # of the reward; mean of the others
    decision = found.decide(found.score(two), found.carried(1, two.mean.device), 0, 4)
    assert decision.weight is not None
    assert float(decision.weight) == pytest.approx(1 / 3.5)
    assert decision.stored.all()
    assert decision.goes_on.all()


# Bound ----------------------------------------------------------------------------------------------------------------


def estimates(low: float, high: float, told: bool = True) -> Estimates:
    return Estimates(0.99, 1.0, 0.1, 0.2, 0.4, 0.5, 0.2, Band(low, high, told))


def test_bound_goes_to_the_nearer_end_of_the_band_and_stays_inside_it() -> None:
    found = rule("bound", rollout_limit=12)
    lengths = []
    for band in (estimates(4, 8), estimates(2, 6), estimates(5, 9), estimates(0, 0), estimates(40, 50)):
        found.calibrate(evidence(drawn(2, 3, 2), band))
        lengths.append(found.length(0, {}))
    assert lengths == [4, 4, 5, 0, 12]
    found.calibrate(evidence(drawn(2, 3, 2), estimates(1, 3, told=False)))
    found.calibrate(evidence(drawn(2, 3, 2), None))
    assert found.length(0, {}) == 12  # what cannot be told moves nothing


# All of them in a rollout ---------------------------------------------------------------------------------------------


def fake_env(members: int = 4) -> FakeEnv:
    model = DynamicsEnsemble(3, 1, members=members, hidden=16, layers=2, generator=generator())
    model.elites = torch.arange(members)
    return FakeEnv(model, never)


def imagined(name: str, rows: int | None = None, starts: int = 64, **changes: Any) -> tuple[Any, ReplayBuffer, Any]:
    found, buffer, env = rule(name, **changes), ReplayBuffer(10_000, 3, 1), fake_env()
    obs = torch.randn(starts, 3, generator=generator(5))
    action = torch.zeros(starts, 1)
    first = env.predict(obs, action, env.draw(obs, generator())[0])
    found.calibrate(evidence(first))
    length = found.length(0, {})
    policy = lambda obs: torch.zeros(len(obs), 1)  # noqa: E731
    return rollout(env, policy, obs, length, buffer, generator(7), found, rows), buffer, found


@pytest.mark.parametrize("name", ROWS)
def test_a_rollout_reports_what_its_rule_stored(name: str) -> None:
    report, buffer, found = imagined(name)
    assert isinstance(found, RowRule)
    assert report.rows == len(buffer) == int(report.lengths.sum()) > 0
    assert report.length_measured <= found.length(0, {})
    metrics = report.metrics()
    assert metrics["rollout/length_p10"] <= metrics["rollout/length_p50"] <= metrics["rollout/length_p90"]
    assert (metrics["rollout/weight_mean"] < 1.0) == (name == "weight")
    assert (buffer.sample_weighted(5, generator())[1] is not None) == (name == "weight")


@pytest.mark.parametrize("name", ROWS)
def test_no_more_rows_are_stored_than_are_wanted(name: str) -> None:
    report, buffer, _ = imagined(name, rows=37)
    assert report.rows == len(buffer) == 37


def test_without_a_threshold_weight_follows_the_same_path_as_no_rule() -> None:
    report, weighed, found = imagined("weight")
    plain, env = ReplayBuffer(10_000, 3, 1), fake_env()
    obs = torch.randn(64, 3, generator=generator(5))
    rollout(env, lambda obs: torch.zeros(len(obs), 1), obs, found.length(0, {}), plain, generator(7))
    assert report.rows == len(plain)
    torch.testing.assert_close(weighed.transitions.rows, plain.transitions.rows, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ROWS)
def test_one_elite_alone_is_followed_and_not_stopped(name: str) -> None:
    found, env, buffer = rule(name), fake_env(members=1), ReplayBuffer(10_000, 3, 1)
    obs = torch.randn(50, 3, generator=generator())
    found.calibrate(evidence(env.predict(obs, torch.zeros(50, 1), env.draw(obs, generator())[0])))
    report = rollout(env, lambda obs: torch.zeros(len(obs), 1), obs, 3, buffer, generator(), found)
    assert report.stopped == 0
    assert report.rows == (36 if name == "mask" else 150)  # ⌊50 · 3/8⌋ + ⌊50 · 2/8⌋ + ⌊50 · 1/8⌋ of those masked


def test_options_are_checked() -> None:
    from mbpo.errors import ConfigError

    with pytest.raises(ConfigError, match=r"k_options must name options of a rule \(zeta, xi, .*\), got zeto"):
        resolve({"k_options": {"zeto": 1.0}}, "debug")
    with pytest.raises(ConfigError, match=r"k_options must have zeta in \[0, 100\], got 101"):
        resolve({"k_options": {"zeta": 101}}, "debug")
