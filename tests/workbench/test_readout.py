"""The values at a cursor are those of the data, and what is in view has its own y range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.strip import Strip

from workbench.charts.picture import LOG, Line, Picture
from workbench.charts.readout import index_at, place_words, value_at
from workbench.widgets.axes import clock, x_labels
from workbench.widgets.crossing import crossed, differing
from workbench.widgets.painter import in_view, painted, to_edges

X = np.array([0.0, 10.0, 20.0, 20.0, 30.0])
Y = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
LINE = Line("a", "line", "9", "#ffffff", X, Y)
MANY = np.arange(10_000.0)


@pytest.mark.parametrize(
    ("x", "last", "nearest"),
    [
        *((-1.0, "–", "1"), (0.0, "1", "1"), (9.9, "1", "2"), (14.0, "2", "2"), (16.0, "2", "4"), (20.0, "4", "4")),
        *((26.0, "4", "–"), (99.0, "–", "–")),
    ],
)
def test_a_value_is_that_of_the_last_point_or_of_the_nearest(x: float, last: str, nearest: str) -> None:
    assert value_at(LINE, x) == last
    assert value_at(replace(LINE, nearest=True), x) == nearest


def test_no_value_where_there_is_no_point() -> None:
    empty = replace(LINE, x=np.zeros(0), y=np.zeros(0))
    assert value_at(empty, 3.0) == value_at(replace(empty, nearest=True), 3.0) == "–"


def test_a_band_is_told_where_the_line_says_how() -> None:
    banded = replace(LINE, low=Y - 0.5, high=Y + 0.5)
    assert value_at(banded, 10.0) == "2"
    assert value_at(replace(banded, band="±"), 10.0) == "2 ± 0.5"
    assert value_at(replace(banded, band="–"), 10.0) == "2 (1.5–2.5)"


def test_values_are_of_the_data_where_many_points_share_a_cell() -> None:
    y = np.sin(MANY)
    line = Line("a", "", "0", "#ffffff", MANY, y)
    for x in (0.0, 1234.4, 9_999.0):
        assert index_at(line, x) == int(x)
        assert value_at(line, x) == value_at(replace(line, x=line.x[: int(x) + 1], y=y[: int(x) + 1]), 1e9)


def test_the_y_range_is_that_of_what_is_in_view() -> None:
    y = np.where(MANY < 5000, 1e6, MANY)
    picture = Picture("y", lines=(Line("a", "", "0", "#ffffff", MANY, y),), x_range=(0.0, 10_000.0))
    low, high = in_view(picture, (6000.0, 7000.0)).y_range or (0, 0)
    assert (low, high) == (5900, 7100)  # round
    fixed = in_view(replace(picture, y_range=(0.0, 6500.0)), (6000.0, 7000.0))
    assert fixed.y_range is not None and fixed.y_range[1] == 6500.0


def test_a_line_goes_on_to_the_edges_and_a_glyph_stands_at_points_only() -> None:
    x, y = np.array([0.0, 100.0]), np.array([0.0, 10.0])
    line = Line("", "", "0", "#ffffff", x, y, glyph="●")
    part = to_edges(line, (40.0, 60.0))
    assert part.x.tolist() == [40.0, 60.0] and part.y.tolist() == [4.0, 6.0] and part.cut == (1, 1)
    picture = Picture("y", lines=(line,), x_range=(0.0, 100.0))
    text = "".join(strip.text for strip in painted(picture, 60, 12, "#000000", (40.0, 60.0)).strips)
    assert "●" not in text and any("⠀" < character <= "⣿" for character in text)
    assert not len(to_edges(replace(line, joined=False), (40.0, 60.0)).x)
    assert not len(to_edges(line, (200.0, 300.0)).x)


def test_the_part_in_view_is_thinned_by_itself() -> None:
    y = np.zeros(10_000)
    y[5005] = 5.0
    picture = Picture("y", lines=(Line("", "", "0", "#ffffff", MANY, y),), x_range=(0.0, 10_000.0))
    frame = painted(picture, 60, 12, "#000000", (5000.0, 5010.0)).frame
    assert frame is not None and frame.x == (5000.0, 5010.0)
    assert frame.column(frame.x_at(7)) == 7 and frame.x_at(frame.width - 1) == pytest.approx(5010.0)


def test_a_log_axis_is_for_values_above_0_and_turned_back_is_as_before() -> None:
    above, below = Picture("y", lines=(replace(LINE, y=Y),)), Picture("y", lines=(replace(LINE, y=Y - 1),))
    assert above.turned().log_y and above.turned().y_label == "y" + LOG
    assert above.turned().turned().same_as(above)
    assert below.turned() is below


def cursor_at(x: float | None, width: int = 60) -> list[Strip]:
    line = Line("a", "line", "9", "#ffffff", MANY, np.sin(MANY / 500))
    picture = Picture("y", lines=(line,), x_range=(0.0, 9_999.0))
    painting = painted(picture, width, 14, "#000000")
    return painting.strips if x is None else crossed(painting, width, x)


def test_a_cursor_changes_its_column_its_label_and_the_legend_only() -> None:
    none, one, other = cursor_at(None), cursor_at(4000.0), cursor_at(4300.0)
    assert "line 0.989" in one[0].text and "4,000" in one[-1].text
    assert all(strip.cell_length == 60 for strip in one)
    rows = [region for region in differing(none, one) if 0 < region.y < 13]
    assert len(rows) == 12 and all(region.width == 1 for region in rows)
    assert len({region.x for region in rows}) == 1
    moved = [region for region in differing(one, other) if 0 < region.y < 13]
    assert all(region.width <= 3 for region in moved)
    assert differing(one, cursor_at(4000.0)) == []
    assert [strip.text for strip in cursor_at(20_000.0)] == [strip.text for strip in none]


@pytest.mark.parametrize("x", [0.0, 9_000.0, 9_999.0])
def test_the_place_of_the_cursor_stands_below_it_and_spares_the_name_of_the_axis(x: float) -> None:
    text = cursor_at(x)[-1].text
    assert text.endswith("env steps") and f" {x:,.0f} " in text


def test_times_are_written_as_a_clock_shows_them() -> None:
    assert [clock(seconds, 5 * 3600.0) for seconds in (0, 65, 3900)] == ["0:00:00", "0:01:05", "1:05:00"]
    assert [clock(seconds, 600.0) for seconds in (0, 65)] == ["0:00", "1:05"]
    assert clock(100_000, 9e5) == "1d 3:46"
    assert place_words(3900.0, True, 60.0) == "1:05:00"
    assert place_words(12.34, True, 0.05) == "12.34 s"


@pytest.mark.parametrize("end", [0.004, 3.0, 59.0, 700.0, 4e3, 9e4, 3e6])
@pytest.mark.parametrize("begin", [0.0, 0.4, 0.9999])
def test_the_labels_of_a_time_axis_can_be_told_apart(end: float, begin: float) -> None:
    picture = Picture("y", seconds=True)
    labels = [text for _, text in x_labels(picture, (begin * end, end), 6)]
    assert len(labels) >= 1 and len(set(labels)) == len(labels), labels


PLACES = st.one_of(st.floats(-1e299, 1e299, allow_subnormal=False), st.integers(0, 10**9).map(float))
NUMBERS = st.one_of(st.floats(-1e299, 1e299), st.just(float("nan")))


@given(
    x=st.lists(PLACES, min_size=1, max_size=30).map(sorted),
    data=st.data(),
    ends=st.tuples(PLACES, PLACES).map(sorted),
    at=PLACES,
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_in_view_it_is_painted_and_crossed(
    x: list[float], data: st.DataObject, ends: list[float], at: float, flags: tuple[bool, bool, bool]
) -> None:
    log_y, joined, seconds = flags
    y = np.array(data.draw(st.lists(NUMBERS, min_size=len(x), max_size=len(x))))
    line = Line("a", "line", "9", "#ffffff", np.array(x), y, y, y, glyph="•", joined=joined, nearest=joined)
    picture = Picture("y", lines=(line,), log_y=log_y, seconds=seconds)
    shown = (ends[0], ends[1]) if ends[0] < ends[1] else None
    painting = painted(picture, 50, 12, "#000000", shown)
    crossed_strips = crossed(painting, 50, at)
    assert [strip.cell_length for strip in crossed_strips] == [50] * 12
    value_at(line, at)
