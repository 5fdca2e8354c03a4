"""The axes of a chart."""

from __future__ import annotations

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
