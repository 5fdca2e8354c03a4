"""Draw any declared metric of a run: raw or smoothed by degree, on a log axis where asked. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mbpo.runs.metrics import METRICS
from mbpo.settings.language import tr
from workbench.charts.picture import SKY, Picture
from workbench.charts.scene import Scene, smoothed
from workbench.format import has_words

DEGREES = (0.0, 0.8, 0.95, 0.99)  # weights of the moving average


def matching(text: str, known: Iterable[str]) -> list[str]:
    """Return the declared metrics, in the order of their declaration, that a run has and whose key has every word."""
    there = set(known)
    return [key for key in METRICS if key in there and has_words(key, text)]


def metric_picture(scene: Scene, key: str, weight: float, log_y: bool) -> Picture:
    """Show one metric over the run; smoothed, with a band of one standard deviation."""
    metric, points = METRICS[key], scene.detail.series[key]
    line = smoothed("", "", SKY, points, weight)
    unlabelled = tuple(replace(marker, label="") for marker in scene.markers)
    unit = tr(metric.unit) or "–"
    return Picture(
        unit, lines=(line,), markers=unlabelled, x_range=scene.span, goes_on=True, log_y=log_y, empty=tr("no value yet")
    )
