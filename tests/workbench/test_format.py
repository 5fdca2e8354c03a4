from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from workbench.format import duration, ending, fitted, number, safe_text, setting_value, sparkline, squeezed, whole
from workbench.widgets.quiet import parts_that_fit

FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
HOSTILE = [
    "[@click=app.quit]x[/]",
    "[/x]",
    "\x1b]52;c;aGk=\x07",
    "a\u202eb",
    "a\u200bb",
    "\x9b31m",
    "\x00",
    "\ud800",
    "\u2028",
    "e" + "\u0301" * 500,
    "x" * 100_000,
    "\U000e0041",
    "\r\n\t",
]


@given(st.text(st.characters(codec=None), max_size=300) | st.sampled_from(HOSTILE))
@settings(max_examples=400, deadline=None)
def test_nothing_a_terminal_obeys_comes_out(text: str) -> None:
    shown = safe_text(text)
    assert len(shown) <= 400
    assert not {unicodedata.category(c) for c in shown} & FORBIDDEN
    assert "\n" not in shown


def test_what_is_plain_stays_as_it_is() -> None:
    assert safe_text("ε_m′ → k* [0, 1] 走") == "ε_m′ → k* [0, 1] 走"
    assert safe_text("[/x]") == "[/x]"
    assert safe_text("a\x1b[31mb") == "a�[31mb"
    assert safe_text("e" + "\u0301" * 50) == "e" + "\u0301" * 2
    assert safe_text("x" * 500, 5) == "xxxx…"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-142.4, "−142"),
        (1203.0, "1,203"),
        (0.00312, "0.00312"),
        (12_345_678.0, "1.2e7"),
        (0.0, "0"),
        (3.0, "3"),
        (1e-7, "1.0e−7"),
    ],
)
def test_numbers_are_short(value: float | None, shown: str) -> None:
    assert number(value) == shown


@given(st.floats(-999_999, 999_999, allow_nan=False), st.integers(1, 6))
def test_no_number_below_a_million_has_an_exponent(value: float, digits: int) -> None:
    shown = number(value, digits)
    assert ("e" in shown) == (0 < abs(value) < 1e-4)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(99.96, "100"), (999.6, "1,000"), (-999.7, "−1,000"), (9_999.5, "10,000"), (0.00099996, "0.001")],
)
def test_a_number_that_rounds_up_to_a_power_of_ten_reads_as_it(value: float, shown: str) -> None:
    assert number(value) == shown


def test_durations() -> None:
    assert [duration(s) for s in (48, 72, 11_109, 1e6, math.nan)] == ["48 s", "1:12", "3:05:09", "11 days", "–"]


def test_a_long_name_keeps_both_ends() -> None:
    assert squeezed("pendulum-s0-1123-004224", 13) == "pendul…004224"
    assert squeezed("pendulum-3", 13) == "pendulum-3"


def test_settings_and_counts() -> None:
    assert setting_value((20.0, 150.0, 1.0, 15.0)) == "20,150,1,15"
    assert setting_value(True) == "true" and setting_value("auto") == "auto"
    assert whole(1240) == "1,240"


@given(st.lists(st.floats(), max_size=40), st.integers(-2, 30))
@settings(max_examples=100, deadline=None)
def test_a_sparkline_never_fails_and_fits(values: list[float], width: int) -> None:
    assert len(sparkline(values, width)) <= max(width, 0)


@pytest.mark.parametrize("cut", [fitted, squeezed, ending])
@pytest.mark.parametrize("text", ["plain-name-of-a-run", "学习率学习率学习率-倒立摆", "a学b习c率d学e习f率"])
def test_what_is_cut_fits_into_its_cells(cut: Callable[[object, int], str], text: str) -> None:
    for width in range(-3, 30):
        assert cell_len(cut(text, width)) <= max(width, 1)
        assert cut(text, 40) == text


def test_parts_between_dots_fit_in_whole_the_first_whatever_the_room() -> None:
    text = "k* = 20 · vacuous: 16× the gap · C(3)/C(0) = 0.995"
    assert parts_that_fit(text, 60) == text
    assert parts_that_fit(text, 40) == "k* = 20 · vacuous: 16× the gap"
    assert parts_that_fit(text, 3) == "k* = 20" and parts_that_fit("", 9) == ""
