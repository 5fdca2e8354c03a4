"""What a report draws can be read: axes of plain numbers, letters beside each other, single points, legends."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from learners import Outcome
from other_ends import needs
from page_parts import Parts, parts_of
from test_report_several import made

from mbpo.outside.report.chart import DASHES, LETTER, ROOM, Chart, Line, letters_apart, x_limits, y_limits
from mbpo.outside.report.picture import drawn
from mbpo.report import main

CSS = Path(__file__).parent.parent.parent / "mbpo/outside/report/page.css"


def chart(*lines: Line, from_zero: bool = False, whole: bool = False, log: bool = False, **levels: float) -> Chart:
    return Chart("c", "title", "says", "y", lines, levels=levels, log=log, from_zero=from_zero, whole=whole)


def line(*y: float, end: float = 100, letter: str = "") -> Line:
    return Line("k", "name", np.linspace(0, end, len(y)), np.array(y, float), letter=letter)


def test_what_is_never_below_zero_has_no_axis_below_zero() -> None:
    begin, end = y_limits(chart(line(1, 1), from_zero=True))  # k = 1 all along
    assert begin is not None and -0.05 < begin <= 0 and end == 1.5
    begin, end = y_limits(chart(line(0, 0), from_zero=True))
    assert begin is not None and -0.05 < begin <= 0 and end == 1.0
    begin, end = y_limits(chart(line(0.01, 0.9)))
    assert begin is not None and -0.05 < begin <= 0 and end is None
    assert y_limits(chart(line(0.9, 1.1))) == (None, None)
    assert y_limits(chart(line(-3, 8), from_zero=True)) == (None, None)
    assert y_limits(chart(line(-200, -200))) == (-300, -100)
    assert y_limits(chart(line(0.001, 0.001), log=True)) == (None, None)
    assert y_limits(chart(line(5, 5), solved=9)) == (None, None)


def test_ticks_of_steps_are_whole_and_a_single_point_is_seen(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (ax,) = drawn(chart(line(1, 1), from_zero=True, whole=True)).axes
    assert all(float(tick).is_integer() for tick in ax.get_yticks())
    (ax,) = drawn(chart(Line("k", "n", np.array([5.0]), np.array([1.0])))).axes
    assert ax.lines[0].get_marker() == "o"


def test_letters_at_ends_leave_each_other_room() -> None:
    ends = [0, 99.0, 100, 99.5, 40, 100]
    lines = [line(0, end, letter="ABCDEF"[number]) for number, end in enumerate(ends)]
    up = np.array(letters_apart(chart(*lines)))
    heights = np.sort(np.array(ends) / 100 * ROOM + up)
    assert (np.diff(heights) > LETTER - 1e-6).all() and heights.max() <= ROOM
    assert up[0] == 0 and up[4] == 0  # far from the others
    apart = chart(line(0, 50, letter="A"), line(0, 50, letter="B", end=50), line(0, 100))
    assert letters_apart(apart) == [0, 0, 0]  # ends elsewhere
    many = letters_apart(chart(*[line(0, 7, letter="A") for _ in range(60)]))
    assert max(many) - min(many) <= ROOM


def test_letters_have_room_beyond_the_last_point() -> None:
    assert x_limits([chart(line(1, 2)), chart(line(1, 2, end=200))]) == (-5, 210)
    assert x_limits([chart(line(1, 2, letter="A"))]) == (-2.5, 110)
    assert x_limits([chart()]) == (-0.025, 1.05)


def test_a_legend_draws_each_dash_in_a_way_of_its_own() -> None:
    drawn = dict(re.findall(r"\.swatch\.(\w+) \{ ([^}]*)", CSS.read_text()))
    assert {*drawn} == {*DASHES[1:], "dots"} and len({*drawn.values()}) == 4


@pytest.fixture
def compared(tmp_path: Path, call: Callable[..., Outcome]) -> Callable[..., Parts]:
    """Return what makes a page of two runs that have so many rows."""
    needs("bokeh")

    def compare(rows: int) -> Parts:
        for seed in range(2):
            made(tmp_path / f"{rows}", f"a-{seed}", rows=rows, seed=seed)
        assert call(main, tmp_path / f"{rows}", "-o", tmp_path / "x.html").code == 0
        return parts_of(tmp_path / "x.html")

    return compare


def test_that_a_curve_is_thinned_is_said_where_one_is(compared: Callable[..., Parts]) -> None:
    assert "metrics.jsonl of each run has all" not in compared(40).text
    assert "A curve of more than 150 points" in compared(900).text


def test_a_curve_of_one_point_is_drawn(compared: Callable[..., Parts]) -> None:
    found = compared(5)  # of which the last is an evaluation
    marks = str(found.charts["docs"]).count("'name': 'Scatter'")
    assert marks >= 3  # the group, and each of its runs
