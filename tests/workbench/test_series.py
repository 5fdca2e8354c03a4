from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.charts.picture import Picture
from workbench.charts.scene import smoothed
from workbench.messages import Points
from workbench.raster import polyline, round_step, ticks, up_to_round
from workbench.series import at_steps, ema, in_order, smoothing_weight, spread, thin
from workbench.widgets.painter import painted


def slow_ema(values: np.ndarray, weight: float) -> np.ndarray:
    result, top, bottom = [], 0.0, 0.0
    for value in values:
        known = np.isfinite(value)
        top = weight * top + (value if known else 0.0)
        bottom = weight * bottom + known
        result.append(top / bottom if known else np.nan)
    return np.array(result)


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.9, 0.998])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 1000])
def test_ema_is_the_debiased_mean_and_keeps_gaps(weight: float, count: int) -> None:
    values = np.random.default_rng(0).normal(size=count)
    values[3:5] = np.nan
    np.testing.assert_allclose(ema(values, weight), slow_ema(values, weight), atol=1e-9)


def test_spread_of_a_constant_is_nothing() -> None:
    assert spread(np.full(50, 3.0), 0.9).max() == pytest.approx(0.0, abs=1e-9)
    assert 0 <= smoothing_weight(1) < smoothing_weight(10_000) < 1


def test_thinning_keeps_extremes_order_and_gaps() -> None:
    x = np.arange(10_000.0)
    y = np.sin(x / 500)
    y[1234], y[4321] = 9.0, -9.0
    y[6000:7000] = np.nan
    thin_x, thin_y = thin(x, y, 100)
    assert len(thin_x) <= 400
    assert np.nanmax(thin_y) == 9.0 and np.nanmin(thin_y) == -9.0
    assert (np.diff(thin_x) >= 0).all()
    assert np.isnan(thin_y[(thin_x > 6100) & (thin_x < 6900)]).all()


@given(st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_line_can_be_drawn(values: list[float]) -> None:
    y = np.array(values)
    bits = polyline(np.arange(len(y), dtype=float), y, 20, 5)
    assert bits.shape == (5, 20)


def test_lines_join_neighbours_but_not_over_a_gap() -> None:
    x = np.array([0.0, 9.0, 10.0, 19.0])
    whole = polyline(x, np.zeros(4), 10, 1)
    gap = polyline(x, np.array([0.0, np.nan, np.nan, 0.0]), 10, 1)
    dots = polyline(x, np.zeros(4), 10, 1, joined=False)
    assert (whole > 0).all()
    assert (gap > 0).sum() == 2
    assert (dots > 0).sum() == 4


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_ticks_are_few_and_inside(low: float, extent: float, most: int) -> None:
    found = ticks(low, low + extent, most)
    assert len(found) <= most + 1
    slack = extent * 1e-6 + abs(low) * 1e-9
    assert all(low - slack <= t <= low + extent + slack for t in found)


def test_points_written_again_after_a_resume_are_sorted() -> None:
    x, y = in_order(np.array([0.0, 2.0, 1.0]), np.array([0.0, 2.0, 1.0]))
    assert x.tolist() == y.tolist() == [0.0, 1.0, 2.0]


def test_values_at_steps_are_those_logged_there() -> None:
    x, y = np.array([1.0, 2.0, 2.0, 5.0]), np.array([10.0, 20.0, 21.0, 50.0])
    found = at_steps(x, y, np.array([0.0, 1.0, 2.0, 3.0, 5.0, 6.0]))
    np.testing.assert_array_equal(found, [np.nan, 10.0, 21.0, np.nan, 50.0, np.nan])
    assert np.isnan(at_steps(x[:0], y[:0], x)).all()


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.floats(0, 1))
def test_an_end_moved_up_is_round_and_near_and_stays_while_there_is_room(
    low: float, extent: float, part: float
) -> None:
    high = low + extent
    end = up_to_round(low, high)
    assert high * (1 - 1e-9 * np.sign(high)) <= end + 1e-6 * extent and end - high <= extent / 6 + 1e-6 * extent
    step = round_step(extent / 16)
    assert abs(end / step - round(end / step)) < 1e-6 or extent < 1e-6 * abs(high)


def test_ranges_that_have_no_round_end_stay_as_they_are() -> None:
    for low, high in ((0.0, 0.0), (0.0, 5e-324), (-1.7e308, 1.7e308), (float("nan"), 1.0)):
        assert up_to_round(low, high) == high


def test_a_new_point_moves_no_other() -> None:
    """Only what was not there before is drawn, but where the room at the axis' end is used up: bytes for ssh."""
    y = np.cumsum(np.sin(np.arange(1001.0))) + np.arange(1001.0) / 50

    def cells(points: int) -> list[str]:
        x = np.arange(float(points))
        line = smoothed("a", "", "#ffffff", Points(x, y[:points]))
        picture = Picture("y", lines=(line,), x_range=(0.0, float(points - 1)), goes_on=True)
        return ["".join(part) for part in (strip.text for strip in painted(picture, 80, 24, "#000000").strips[1:])]

    different = [
        sum(a != b for a, b in zip("".join(cells(n)), "".join(cells(n + 1)), strict=True)) for n in range(900, 1000)
    ]
    assert sorted(different)[len(different) * 9 // 10] <= 12  # of 1,840
