"""What part of an axis is in view, and where the cursor is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workbench.charts.view import Range, View, Window, inside, zoomed

WHOLE = (0.0, 1000.0)


@dataclass(eq=False)
class Seen:
    """Be a chart of 101 dots: ten env steps from one to the next."""

    whole: Range = WHOLE
    axis: str = "env steps"
    dots: int = 101
    in_sight: bool = True
    place: object = None
    looks: list[Range] = field(default_factory=list)
    view: View = field(default_factory=View)

    @property
    def with_room(self) -> Range:
        return self.whole

    def look(self) -> None:
        self.looks.append(self.view.shown(self))


def a_view(*charts: Seen) -> View:
    view = View()
    for chart in charts:
        chart.view = view
        view.add(chart)
    return view


@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(1e-3, 1e6),
    parts=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    at=st.floats(0, 1),
    factor=st.sampled_from([0.5, 0.8, 1.25, 2.0, 1e-9, 1e9]),
)
def test_zooming_stays_inside_and_keeps_the_place_under_the_cursor(
    low: float, width: float, parts: Range, at: float, factor: float
) -> None:
    whole = (low, low + width)
    first, last = sorted(low + part * width for part in parts)
    assume(last - first > 1e-4 * width)
    place = first + at * (last - first)
    new = zoomed((first, last), whole, place, factor)
    assert whole[0] <= new[0] < new[1] <= whole[1]
    if factor < 1:
        assert new[0] - 1e-9 * width <= place <= new[1] + 1e-9 * width
        assert new[1] - new[0] <= last - first
        share = (place - new[0]) / (new[1] - new[0])
        assert share == pytest.approx(at, abs=1e-2)
    else:
        assert new[1] - new[0] >= (last - first) * (1 - 1e-9)


@given(st.floats(-3e3, 3e3), st.floats(1, 3e3))
def test_a_range_moved_inside_keeps_its_width(low: float, width: float) -> None:
    new = inside((low, low + width), WHOLE)
    assert WHOLE[0] <= new[0] <= new[1] <= WHOLE[1]
    assert math.isclose(new[1] - new[0], min(width, 1000.0), rel_tol=1e-9)


def test_a_window_at_the_end_follows_and_one_elsewhere_stays() -> None:
    chart = Seen()
    view = a_view(chart)
    view.zoom(chart, 0.5)
    assert view.shown(chart) == (500.0, 1000.0)
    chart.whole = (0.0, 1200.0)
    assert view.shown(chart) == (700.0, 1200.0)
    view.pan(chart, -0.5)
    assert view.shown(chart) == (450.0, 950.0)
    chart.whole = (0.0, 2000.0)
    assert view.shown(chart) == (450.0, 950.0)
    view.reset()
    assert view.shown(chart) == chart.whole


def test_a_window_that_lies_beside_another_run_shows_all_of_it() -> None:
    assert Window(5000.0, 6000.0).on(WHOLE) == WHOLE
    assert Window(900.0, 6000.0).on(WHOLE) == (900.0, 1000.0)


def test_keys_move_the_cursor_by_dots_and_take_the_window_along() -> None:
    chart = Seen()
    view = a_view(chart)
    view.step(chart, -1)
    assert view.cursor("env steps") == 1000.0  # first it stands at the end
    view.step(chart, -10)
    assert view.cursor("env steps") == 900.0
    view.zoom(chart, 0.5)
    assert view.shown(chart) == pytest.approx((450.0, 950.0))
    view.step(chart, 20)
    assert view.cursor("env steps") == pytest.approx(1000.0)
    assert view.shown(chart) == pytest.approx((500.0, 1000.0))
    assert view.off() and view.cursor("env steps") is None
    assert not view.off()


def test_charts_with_the_same_axis_share_cursor_and_window_and_others_do_not() -> None:
    one, same, other, hidden = Seen(), Seen(), Seen(axis="k (steps)"), Seen(in_sight=False)
    view = a_view(one, same, other, hidden)
    view.zoom(one, 0.5)
    view.point(one, 700.0)
    assert len(one.looks) == len(same.looks) == 2
    assert not other.looks and not hidden.looks
    assert view.shown(same) == (500.0, 1000.0) and view.shown(other) == WHOLE
    assert view.cursor("k (steps)") is None
    view.point(one, None)
    assert view.cursor("env steps") is None


def test_the_mouse_hides_the_cursor_of_the_keys_while_it_points() -> None:
    chart = Seen()
    view = a_view(chart)
    view.keep(chart, 100.0)
    view.point(chart, 700.0)
    assert view.cursor("env steps") == 700.0
    view.point(chart, None)
    assert view.cursor("env steps") == 100.0
    view.turn(chart, 104.0)  # a click near by takes it off
    assert view.cursor("env steps") is None
    view.turn(chart, 104.0)
    assert view.cursor("env steps") == 104.0


def test_an_axis_is_as_long_as_the_longest_chart_on_the_same_screen() -> None:
    page = object()
    short, long, elsewhere = Seen(place=page), Seen((0.0, 3000.0), place=page), Seen((0.0, 9000.0), place=object())
    view = a_view(short, long, elsewhere)
    assert view.whole(short) == (0.0, 3000.0)
    view.pan_to(short, 2500.0)
    assert np.allclose(view.shown(short), (2000.0, 3000.0))
