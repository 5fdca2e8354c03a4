"""The estimates of ε_π, ε_m and ε_m' against numerical integration and known cases."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mbpo.sac.networks import Actor
from mbpo.trust.divergence import gaussian_kl, model_error, policy_shift, policy_shift_bound, total_variation_bound

numbers = st.floats(-3, 3)
log_stds = st.floats(-2, 2)


def integrated(mean_p: float, std_p: float, mean_q: float, std_q: float) -> tuple[float, float]:
    """Return KL(p‖q) and TV(p, q) of two normals by quadrature."""
    x = torch.linspace(-80, 80, 40_001, dtype=torch.float64)
    p = torch.distributions.Normal(mean_p, std_p).log_prob(x)
    q = torch.distributions.Normal(mean_q, std_q).log_prob(x)
    kl = torch.trapezoid(p.exp() * (p - q), x)
    return float(kl), float(0.5 * torch.trapezoid((p.exp() - q.exp()).abs(), x))


@settings(deadline=None, max_examples=40, derandomize=True)
@given(numbers, log_stds, numbers, log_stds)
def test_kl_is_exact_and_the_bound_is_above_total_variation(
    mean_p: float, log_p: float, mean_q: float, log_q: float
) -> None:
    kl, tv = integrated(mean_p, math.exp(log_p), mean_q, math.exp(log_q))
    parts = [torch.tensor([v], dtype=torch.float64) for v in (mean_p, 2 * log_p, mean_q, 2 * log_q)]
    computed = gaussian_kl(*parts)
    assert float(computed) == pytest.approx(kl, abs=1e-4, rel=1e-3)
    bound = float(total_variation_bound(computed))
    assert tv - 1e-4 <= bound <= 1.0


def test_kl_sums_over_dimensions() -> None:
    mean, logvar = torch.randn(5, 3), torch.randn(5, 3)
    both = gaussian_kl(mean, logvar, mean + 1, logvar)
    torch.testing.assert_close(both, (0.5 * (-logvar).exp()).sum(dim=1))


def actor(seed: int) -> Actor:
    generator = torch.Generator().manual_seed(seed)
    bounds = torch.tensor([-2.0]), torch.tensor([2.0])
    return Actor(3, *bounds, hidden=16, layers=1, generator=generator)


def test_policy_shift_is_zero_for_the_same_policy_and_the_true_distance_otherwise() -> None:
    then, now = actor(0), actor(1)
    with torch.no_grad():
        now.net.biases[-1][..., 0] += 0.7
        obs = torch.randn(1, 3).expand(100_000, 3)
        drawn = then.sample(obs, torch.Generator().manual_seed(2))
        assert float(policy_shift(then.log_prob(obs, drawn.action), drawn.log_prob)) < 1e-3
        estimate = float(policy_shift(now.log_prob(obs, drawn.action), drawn.log_prob))
        grid = torch.linspace(-2 + 1e-5, 2 - 1e-5, 50_001)[:, None]
        rows = obs[:1].expand(len(grid), 3)
        densities = [policy.log_prob(rows, grid).exp() for policy in (now, then)]
        truth = float(0.5 * torch.trapezoid((densities[0] - densities[1]).abs(), grid[:, 0]))
        assert estimate == pytest.approx(truth, abs=0.01)
        parts = [part[:1] for policy in (now, then) for part in policy(obs)]
        assert float(policy_shift_bound(*parts)) >= truth - 0.01
    assert truth > 0.05


def test_model_error_is_small_for_a_sharp_right_model_and_one_for_a_wrong_one() -> None:
    target = torch.randn(200, 4)
    sharp = torch.full((2, 200, 4), -20.0)
    right = target.expand(2, -1, -1)
    assert float(model_error(right, sharp, target, 0.1).mean()) < 1e-2
    assert float(model_error(right + 1.0, sharp, target, 0.1).mean()) > 0.99
    errors = [float(model_error(right + gap, sharp, target, 0.1).mean()) for gap in (0, 0.02, 0.05, 0.1)]
    assert errors == sorted(errors)
    finer = float(model_error(right + 0.05, sharp, target, 0.05).mean())
    assert finer > float(model_error(right + 0.05, sharp, target, 0.2).mean())


@settings(deadline=None, derandomize=True)
@given(st.floats(-1e4, 1e4), st.floats(-30, 30), st.floats(1e-3, 1))
def test_every_estimate_lies_in_the_unit_interval(gap: float, logvar: float, sigma: float) -> None:
    target = torch.zeros(1, 2)
    mean, spread = torch.full((1, 1, 2), gap), torch.full((1, 1, 2), logvar)
    assert 0.0 <= float(model_error(mean, spread, target, sigma).mean()) <= 1.0
    assert 0.0 <= float(policy_shift(torch.tensor([gap]), torch.tensor([0.0]))) <= 1.0
