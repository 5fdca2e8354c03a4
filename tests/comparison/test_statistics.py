"""Summaries of few seeds: against values worked out by hand, and by their properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbpo.comparison.statistics import (
    Array,
    carried_forward,
    first_reached,
    improvement_interval,
    iqm,
    iqm_interval,
    paired_t,
    probability_of_improvement,
    solved_from,
    sooner,
)

finite = st.floats(-1e6, 1e6, allow_subnormal=False)
scores = st.lists(finite, min_size=1, max_size=12).map(np.array)
several = st.lists(finite, min_size=2, max_size=8).map(np.array)
few_levels = st.lists(st.integers(0, 3).map(float), min_size=1, max_size=8).map(np.array)


def array(*values: float) -> Array:
    return np.array(values, dtype=np.float64)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# The interquartile mean


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((7,), 7),
        ((1, 3), 2),
        ((0, 10, 50), (0.25 * 0 + 10 + 0.25 * 50) / 1.5),
        ((4, 1, 2, 100), 3),  # the middle two
        ((1, 2, 3, 4, 1000), (0.75 * 2 + 3 + 0.75 * 4) / 2.5),
        ((1, 2, 3, 4, 5, 99), (0.5 * 2 + 3 + 4 + 0.5 * 5) / 3),
        ((0, 0, 1, 2, 3, 4, 9, 9), 2.5),
    ],
)
def test_the_iqm_of_known_scores(values: tuple[float, ...], expected: float) -> None:
    assert iqm(array(*values)) == pytest.approx(expected)


@given(scores, finite, st.floats(0.01, 100))
def test_the_iqm_follows_shifts_and_scales_and_ignores_order(values: Array, shift: float, scale: float) -> None:
    expected = scale * float(iqm(values)) + shift
    assert iqm((scale * values + shift)[::-1]) == pytest.approx(expected, rel=1e-9, abs=1e-4)


@given(scores)
def test_the_iqm_lies_among_the_scores(values: Array) -> None:
    slack = 1e-9 * (1 + np.abs(values).max())
    assert values.min() - slack <= iqm(values) <= values.max() + slack


def test_an_outlier_does_not_move_the_iqm() -> None:
    assert iqm(array(1, 2, 3, 4)) == iqm(array(-1e9, 2, 3, 1e9))


@given(st.integers(1, 5).map(lambda quarter: 4 * quarter), st.integers(0, 1000))
def test_the_iqm_is_a_trimmed_mean_where_four_divides_n(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=n)
    assert iqm(values) == pytest.approx(np.sort(values)[n // 4 : n - n // 4].mean())


def test_the_iqm_takes_each_row_for_itself() -> None:
    rows = np.stack([array(1, 2, 3, 4), array(8, 6, 7, 5)])
    assert iqm(rows).tolist() == [2.5, 6.5]


# Bootstrap intervals


@pytest.mark.parametrize(("n", "low", "high"), [(3, 0.68, 0.81), (10, 0.88, 0.97), (20, 0.90, 0.98)])
def test_the_interval_covers_the_true_value_as_often_as_its_docstring_says(n: int, low: float, high: float) -> None:
    draw = np.random.default_rng(1)
    intervals = [iqm_interval([draw.normal(size=n)], draw, 400) for _ in range(600)]
    assert low <= np.mean([i.low <= 0 <= i.high for i in intervals]) <= high


@given(several)
def test_an_interval_repeats_and_stays_among_the_scores(values: Array) -> None:
    interval = iqm_interval([values], rng(), 200)
    assert interval == iqm_interval([values], rng(), 200)
    slack = 1e-9 * (1 + np.abs(values).max())
    assert values.min() - slack <= interval.low <= interval.high <= values.max() + slack


def test_equal_scores_leave_no_doubt() -> None:
    assert iqm_interval([array(5, 5, 5)], rng(), 100) == (5, 5)


def test_one_seed_gives_no_interval() -> None:
    one, two = array(1), array(1, 2)
    difference, interval = paired_t(one, array(3))
    assert difference == -2
    for none in (
        interval,
        iqm_interval([one], rng(), 100),
        iqm_interval([one, array(9)], rng(), 100),
        improvement_interval([one], [two], rng(), 100),
    ):
        assert math.isnan(none.low)
        assert math.isnan(none.high)


def test_seeds_are_drawn_within_their_task() -> None:
    """Two tasks, one far above the other: drawn together, the IQM would scatter between them."""
    easy, hard = array(100, 100, 100), array(0, 0, 0)
    assert iqm_interval([easy, hard], rng(), 500) == (50, 50)
    together = iqm_interval([np.concatenate([easy, hard])], rng(), 500)
    assert together.high - together.low > 50


# The probability of improvement


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ((2, 3), (0, 1), 1),
        ((0, 1), (2, 3), 0),
        ((1, 1, 1), (1, 1), 0.5),
        ((1, 2), (1, 0, 3), 3.5 / 6),  # 1: tie, win, loss; 2: win, win, loss
        ((5,), (4, 5, 6), 0.5),
    ],
)
def test_the_probability_of_improvement_counts_a_tie_half(
    x: tuple[float, ...], y: tuple[float, ...], expected: float
) -> None:
    assert probability_of_improvement([array(*x)], [array(*y)]) == pytest.approx(expected)


@given(few_levels, few_levels)
def test_what_x_gains_y_loses(x: Array, y: Array) -> None:
    one_way = probability_of_improvement([x], [y])
    assert one_way + probability_of_improvement([y], [x]) == pytest.approx(1)
    pairs = [(a > b) + 0.5 * (a == b) for a in x for b in y]
    assert one_way == pytest.approx(np.mean(pairs))


def test_the_probability_of_improvement_is_the_mean_over_tasks() -> None:
    x, y = [array(1, 1), array(0)], [array(0), array(0, 1, 1, 1)]
    assert probability_of_improvement(x, y) == pytest.approx((1 + 0.125) / 2)


def test_the_interval_of_an_improvement_holds_what_it_should() -> None:
    x, y = array(1, 2, 3, 4, 5), array(2.5, 3.5, 0)
    interval = improvement_interval([x], [y], rng(), 2000)
    assert 0 <= interval.low < probability_of_improvement([x], [y]) < interval.high <= 1
    assert improvement_interval([x + 10], [y], rng(), 500) == (1, 1)
    assert improvement_interval([x], [y], rng(), 2000) == interval


def test_drawing_by_counts_is_drawing_seeds() -> None:
    """Against a bootstrap that draws indices and compares every pair."""
    x, y = array(1, 2, 3, 4), array(2, 2, 5)
    draw = rng()
    direct = [probability_of_improvement([draw.choice(x, 4)], [draw.choice(y, 3)]) for _ in range(4000)]
    interval = improvement_interval([x], [y], rng(), 4000)
    assert interval == pytest.approx(np.quantile(direct, [0.025, 0.975]), abs=0.05)


# Differences by seed


def test_a_difference_by_seed_leaves_out_what_the_seeds_share() -> None:
    seeds = array(-500, 0, 800)
    difference, interval = paired_t(seeds + array(9, 10, 11), seeds)
    assert difference == pytest.approx(10)
    assert interval == pytest.approx((10 - 4.302653 / 3**0.5, 10 + 4.302653 / 3**0.5))  # t of 2 degrees of freedom


# Sooner or later


def test_who_is_sooner_is_told_as_far_as_both_were_followed() -> None:
    never = math.inf
    x, x_end = array(400, never), array(1000, 300)
    y, y_end = array(500, never, never, 200, 400), array(1000, 900, 399, 1000, 400)
    wins, lead = sooner(x, x_end, y, y_end)
    assert wins.tolist() == [[1, 1, 0.5, 0, 0.5], [0.5, 0.5, 0.5, 0, 0.5]]
    assert lead.tolist() == [[100, 500, 0, -200, 0], [0, 0, 0, -100, 0]]
    assert sooner(array(400), array(400), array(never), array(400))[0] == 1


# Alignment


def test_a_value_holds_until_the_next_and_never_past_the_end() -> None:
    found = carried_forward(array(10, 20, 30), array(1, 2, 3), 35, array(5, 10, 19, 20, 34, 35, 36))
    assert found.tolist()[1:6] == [1, 1, 2, 3, 3]
    assert np.isnan(found[[0, 6]]).all()


def test_a_run_without_values_aligns_to_nothing_in_an_empty_grid() -> None:
    assert carried_forward(array(1), array(2), 5, array()).size == 0


@given(st.lists(st.integers(0, 50), min_size=1, unique=True).map(sorted), st.integers(0, 60))
def test_alignment_agrees_with_a_walk_along_the_run(at: list[int], point: int) -> None:
    values = np.arange(len(at), dtype=np.float64)
    end = at[-1] + 3
    found = carried_forward(np.array(at, dtype=np.float64), values, end, array(point))[0]
    before = [value for step, value in zip(at, values, strict=True) if step <= point]
    if before and point <= end:
        assert found == before[-1]
    else:
        assert math.isnan(found)


# Thresholds


@pytest.mark.parametrize(
    ("values", "first", "solved"),
    [
        ((1, 2, 3), 1, 1),
        ((3, 1, 2, 2), 0, 2),
        ((2, 2), 0, 0),
        ((3, 3, 1), 0, None),  # it was there, and left
        ((0, 1, 1), None, None),
        ((), None, None),
    ],
)
def test_the_way_to_a_threshold(values: tuple[float, ...], first: int | None, solved: int | None) -> None:
    assert first_reached(array(*values), 2) == first
    assert solved_from(array(*values), 2) == solved


@given(few_levels)
def test_solved_comes_never_before_first(values: Array) -> None:
    first, solved = first_reached(values, 2), solved_from(values, 2)
    if solved is not None:
        assert first is not None
        assert first <= solved
        assert (values[solved:] >= 2).all()
        assert solved == 0 or values[solved - 1] < 2
