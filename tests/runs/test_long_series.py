"""Hold a curve in bounded memory: all of a short one, evenly spread points of a long one, the newest always."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbpo.runs import series as module
from mbpo.runs.series import Series


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_POINTS", 8)


def filled(count: int, series: Series | None = None) -> Series:
    """Return points numbered up to ``count``; each value is the number."""
    series = series or Series()
    for number in range(series.count, count):
        series.append(number, 10.0 * number, float(number))
    return series


@pytest.mark.parametrize("count", range(9))
def test_few_points_are_all_held(count: int) -> None:
    assert list(filled(count).values) == [*map(float, range(count))]


@given(st.integers(0, 300))
def test_many_points_are_held_evenly_and_the_newest_always(count: int) -> None:
    series = filled(count)
    every = series.every
    expected = [*range(0, count, every)]
    expected += [count - 1] if count and (count - 1) % every else []
    assert list(series.values) == [*map(float, expected)]
    assert list(series.env_steps) == [10.0 * number for number in expected]
    assert list(series.seqs) == expected
    assert len(expected) <= 9 and (count < 9 or len(expected) > 4)
    assert (series.count, series.last) == (count, count - 1) or count == 0


@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 200))
def test_what_is_cut_leaves_what_was_held_before_it(count: int, seq: int, more: int) -> None:
    series = filled(count)
    before = [value for value in series.values if value < seq]
    series.cut(seq)
    assert list(series.values) == before
    assert series.count == min(count, int(before[-1]) + 1 if before else 0)
    for number in range(seq, seq + more):
        series.append(number, 10.0 * number, float(number))
    assert list(series.seqs) == sorted(set(series.seqs)) == [*map(int, series.values)]
    assert len(series.values) <= 9 and (not more or series.last == seq + more - 1)
