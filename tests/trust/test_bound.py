"""Hold the bound to worked numbers, to its closed form and to brute force."""

from __future__ import annotations

import math

import gymnasium
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mbpo.settings.presets import PRESETS
from mbpo.trust.bound import best_length, branched_gap, gap_ratio, is_vacuous, largest_gap, monotonic_gap

GAMMAS = st.floats(0.05, 0.995)
SHARES = st.floats(0.001, 1.0)


@pytest.mark.parametrize(
    ("gamma", "rho", "k_star"),
    [
        (0.99, 0.95, 6),
        (0.99, 0.9, 11),
        (0.99, 0.78, 25),
        (0.99, 0.5, 69),
        (0.98, 0.95, 3),
        (0.98, 0.9, 6),
        (0.98, 0.5, 35),
        (0.99, 1.0, 0),
        (0.99, 7.0, 0),
        (0.99, 0.99, 1),
        (0.0, 0.5, 1),
    ],
)
def test_best_length_meets_the_worked_numbers(gamma: float, rho: float, k_star: int) -> None:
    assert best_length(gamma, rho) == k_star


def test_a_perfect_model_has_no_best_length() -> None:
    assert math.isinf(best_length(0.99, 0.0))


@given(gamma=st.floats(0.05, 0.99), rho=st.floats(0.02, 1.5))
def test_best_length_minimises_the_gap_by_brute_force(gamma: float, rho: float) -> None:
    eps_pi = 0.5
    assume(rho * eps_pi <= 1)
    gaps = [branched_gap(k, gamma, 1.0, eps_pi, rho * eps_pi) for k in range(400)]
    k_star = best_length(gamma, rho)
    assert k_star < len(gaps)
    assert gaps[int(k_star)] <= min(gaps) * (1 + 1e-12)


@pytest.mark.parametrize(("gamma", "power"), [(0.99, 6), (0.9, 3), (0.5, 2)])
def test_of_two_equal_lengths_the_shorter_is_best(gamma: float, power: int) -> None:
    # At rho = gamma^j the gap at j equals the gap at j + 1.
    rho = gamma**power
    assert gap_ratio(power, gamma, rho) == pytest.approx(gap_ratio(power + 1, gamma, rho), 1e-12)
    assert best_length(gamma, rho) == power


@given(k=st.integers(0, 500), gamma=GAMMAS, eps_pi=SHARES, eps_m=SHARES)
def test_the_closed_form_is_the_theorem(k: int, gamma: float, eps_pi: float, eps_m: float) -> None:
    by_theorem = branched_gap(k, gamma, 2.0, eps_pi, eps_m) / branched_gap(0, gamma, 2.0, eps_pi, eps_m)
    assert gap_ratio(k, gamma, eps_m / eps_pi) == pytest.approx(by_theorem, rel=1e-9)


@given(gamma=GAMMAS, eps_pi=st.floats(0.0, 1.0), r_max=st.floats(0.01, 100))
def test_no_rollout_is_vacuous_exactly_when_the_policy_moved_by_one_minus_gamma(
    gamma: float, eps_pi: float, r_max: float
) -> None:
    assume(abs(eps_pi - (1 - gamma)) > 1e-9)
    gap = branched_gap(0, gamma, r_max, eps_pi, 0.3)
    assert is_vacuous(gap, gamma, r_max) == (eps_pi > 1 - gamma)


def test_a_gap_equal_to_the_largest_promises_nothing() -> None:
    # gamma = 1/2 and eps_pi = 1/2 are exact in binary: C(0) = 2·3·0.5/0.25 = 12 = 2·3/0.5.
    assert branched_gap(0, 0.5, 3.0, 0.5, 0.0) == 12.0
    assert largest_gap(0.5, 3.0) == 12.0
    assert is_vacuous(12.0, 0.5, 3.0)
    assert not is_vacuous(11.999, 0.5, 3.0)


def test_the_monotonic_gap_meets_a_case_worked_by_hand() -> None:
    # gamma .9, r_max 2, eps_m .01, eps_pi .02:
    #   first term   2·0.9·2·(0.01 + 2·0.02)/(0.1)² = 3.6·0.05/0.01 = 18
    #   second term  4·2·0.02/0.1 = 1.6
    assert monotonic_gap(0.9, 2.0, 0.01, 0.02) == pytest.approx(19.6, rel=1e-12)
    # Without a policy shift only the model's part is left: 3.6·0.01/0.01.
    assert monotonic_gap(0.9, 2.0, 0.01, 0.0) == pytest.approx(3.6, rel=1e-12)


def test_the_branched_gap_meets_a_case_worked_by_hand() -> None:
    # gamma .5, r_max 3, k 2, eps_pi .1, eps_m' .2:
    #   0.5³·0.1/0.25 = 0.05;  0.5²·0.1/0.5 = 0.05;  2·0.2/0.5 = 0.8;  2·3·0.9 = 5.4
    assert branched_gap(2, 0.5, 3.0, 0.1, 0.2) == pytest.approx(5.4, rel=1e-12)


def test_gaps_are_in_units_of_return() -> None:
    assert branched_gap(3, 0.9, 14.0, 0.1, 0.2) == pytest.approx(7 * branched_gap(3, 0.9, 2.0, 0.1, 0.2))
    assert monotonic_gap(0.9, 14.0, 0.1, 0.2) == pytest.approx(7 * monotonic_gap(0.9, 2, 0.1, 0.2))


def test_the_pendulum_presets_hold_the_largest_reward_of_the_environment() -> None:
    env = gymnasium.make("Pendulum-v1").unwrapped
    worst = math.pi**2 + 0.1 * env.max_speed**2 + 0.001 * env.max_torque**2  # type: ignore[attr-defined]
    assert round(worst, 4) == 16.2736
    for name in ("pendulum", "pendulum-tutorial", "debug"):
        assert PRESETS[name].settings["r_max"] == 16.2736
    env.close()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: best_length(1.0, 0.5), "gamma"),
        (lambda: best_length(-0.1, 0.5), "gamma"),
        (lambda: best_length(math.nan, 0.5), "gamma"),
        (lambda: best_length(0.9, -0.1), "rho"),
        (lambda: best_length(0.9, math.nan), "rho"),
        (lambda: gap_ratio(-1, 0.9, 0.5), "k"),
        (lambda: gap_ratio(math.inf, 0.9, 0.5), "k"),
        (lambda: branched_gap(1, 0.9, -1.0, 0.1, 0.1), "r_max"),
        (lambda: branched_gap(1, 0.9, 1.0, 1.1, 0.1), "eps_pi"),
        (lambda: branched_gap(1, 0.9, 1.0, 0.1, 1.1), "eps_m_new"),
        (lambda: monotonic_gap(0.9, 1.0, 1.1, 0.1), "eps_m"),
        (lambda: monotonic_gap(0.9, 1.0, 0.1, math.nan), "eps_pi"),
        (lambda: largest_gap(0.9, math.inf), "r_max"),
        (lambda: is_vacuous(1.0, 1.0, 1.0), "gamma"),
    ],
)
def test_an_argument_outside_its_range_is_named(call: object, name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must lie in \["):
        call()  # type: ignore[operator]
