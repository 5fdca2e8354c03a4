"""The axes of a chart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from workbench.charts.picture import Line, Picture
from workbench.widgets.painter import paint


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.9995, 0.9999), (0.0, 1.0), (-1400.0, -120.0), (1_234_567.0, 1_234_571.0), (1e-7, 3e-7), (99_998.0, 100_002.0)],
)
def test_the_ticks_of_an_axis_can_be_told_apart(low: float, high: float) -> None:
    line = Line("a", "e", "", "#ffffff", np.array([0.0, 1.0]), np.array([low, high]))
    shown = [strip.text for strip in paint(Picture("y", lines=(line,)), 60, 16, "#000000")]
    labels = [text.split("┤")[0].strip() for text in shown if "┤" in text]
    assert len(labels) >= 2
    assert len(set(labels)) == len(labels), labels


def test_a_remark_has_lines_of_its_own_and_no_word_of_it_is_cut() -> None:
    line = Line("a", "e", "1", "#ffffff", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    picture = Picture("y", lines=(line,), remark="one two three four five six seven eight nine ten.")
    shown = [strip.text.strip() for strip in paint(picture, 30, 10, "#000000")]
    assert len(shown) == 10
    assert shown[1:3] == ["one two three four five six", "seven eight nine ten."]
    without = [strip.text for strip in paint(replace(picture, remark=""), 30, 10, "#000000")]
    assert sum("│" in text or "┤" in text for text in shown) == sum("│" in text or "┤" in text for text in without) - 2


def test_every_rule_is_drawn() -> None:
    line = Line("a", "e", "1", "#ffffff", np.array([0.0, 1.0]), np.array([0.0, 0.0]))
    picture = Picture("y", lines=(line,), y_range=(0.0, 1.0), rules=(0.5, 0.9, 7.0))
    shown = [strip.text for strip in paint(picture, 30, 14, "#000000")]
    assert sum("╌╌╌" in text for text in shown) == 2


@pytest.mark.parametrize("end", [1000.0, 1200.0, 1240.0, 40_000.0])
def test_a_narrow_axis_has_more_than_one_label(end: float) -> None:
    line = Line("a", "e", "1", "#ffffff", np.array([0.0, end]), np.array([-1500.0, 0.0]))
    axis = paint(Picture("y", lines=(line,)), 35, 8, "#000000")[-1].text
    labels = axis.removesuffix("env steps").split()
    assert len(labels) > 1 and axis.endswith(" env steps"), axis


def test_a_plot_beside_another_keeps_its_name_where_words_find_no_room() -> None:
    x = np.array([0.0, 1.0])
    asked, measured = (Line(word[0], word, "25", "#ffffff", x, x) for word in ("configured", "measured"))
    picture = Picture("k (steps)", lines=(asked, measured))
    assert paint(picture, 35, 8, "#000000")[0].text.split() == ["c", "configured", "25", "m", "measured", "25"]
    legend = paint(replace(picture, beside=True), 35, 8, "#000000")[0].text
    assert legend.split() == ["k", "(steps)", "c", "25", "m", "25"]
