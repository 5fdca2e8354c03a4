"""Chart k and real_ratio: as configured, and as measured from what was sampled."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mbpo.settings.language import tr
from workbench.charts.bound import K_STEPS
from workbench.charts.grouped import banded
from workbench.charts.overlay import Overlay
from workbench.charts.picture import SKY, YELLOW, Line, Picture
from workbench.charts.plain_comparison import least_and_most
from workbench.charts.plain_words import said_of_mix
from workbench.charts.scene import Scene, from_zero
from workbench.charts.spec import ChartSpec, Plot
from workbench.format import number, whole
from workbench.groups_side_by_side import GroupComparison
from workbench.messages import Points
from workbench.series import Floats

ESSAY = tr("""\
What SAC learns from. Above: k, for how many steps the model imagines from each real state; configured is what was asked
for, measured what the rollouts were, which end early where the model says that an episode ends or a rule stops them.
Below: the share of real rows in SAC's batches. A longer k gives more and more varied rows, and more wrong ones.""")
EMPTY = tr("waiting for the first rollouts")
MOST_DRAWN = 1e300  # a whole number beyond is no float


def length_picture(scene: Scene, on: bool) -> Picture:
    """Show k as configured and as measured."""
    rows = scene.detail.last("rollout/rows")
    note = tr("{n} rows a refit", n=whole(rows)) if math.isfinite(rows) else ""
    return replace(_mix(scene, K_STEPS, "rollout/length", "rollout_length"), note=note)


def ratio_picture(scene: Scene, on: bool) -> Picture:
    """Show real_ratio as configured and as measured from the batches."""
    return _mix(scene, "real_ratio", "mix/real_ratio", "real_ratio")


def _mix(scene: Scene, label: str, key: str, setting: str) -> Picture:
    lines = []
    if (points := scene.detail.series.get(key)) is not None:
        x, y = _in_force(points, scene, setting)
        lines.append(Line("c", tr("configured"), number(float(y[-1])), SKY, x, y))
    if (points := scene.detail.series.get(f"{key}_measured")) is not None:
        last = number(points.last)
        lines.append(Line("m", tr("measured"), last, YELLOW, points.x, points.y, glyph="•", joined=False))
    unlabelled = tuple(replace(m, label="") for m in scene.markers)
    return Picture(
        label,
        lines=tuple(lines),
        markers=unlabelled,
        x_range=scene.span,
        goes_on=True,
        y_range=from_zero(lines),
        beside=True,
        empty=EMPTY,
    )


def _in_force(points: Points, scene: Scene, setting: str) -> tuple[Floats, Floats]:
    """Return the value in force as steps: logged values, and changes from the step they hold."""
    changed = [
        (change.at, float(value))
        for change in scene.changes
        if change.status == "applied"
        and isinstance(value := change.new.get(setting), (int, float))
        and abs(value) < MOST_DRAWN
    ]
    x = np.concatenate([points.x, [at for at, _ in changed]])
    y = np.concatenate([points.y, [value for _, value in changed]])
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    return np.append(np.repeat(x, 2)[1:], scene.span[1]), np.repeat(y, 2)


def lengths_together(overlay: Overlay, on: bool) -> Picture:
    """Show every run's measured k."""
    return _measured(overlay, K_STEPS, "rollout/length_measured")


def ratios_together(overlay: Overlay, on: bool) -> Picture:
    """Show every run's measured real_ratio."""
    return _measured(overlay, "real_ratio", "mix/real_ratio_measured")


def _measured(overlay: Overlay, label: str, key: str) -> Picture:
    picture = overlay.lines(label, key, EMPTY)
    unlabelled = tuple(replace(marker, label="") for marker in picture.markers)
    return replace(picture, markers=unlabelled, y_range=from_zero(list(picture.lines)), beside=True)


def lengths_of_groups(comparison: GroupComparison, on: bool) -> Picture:
    """Show every group's measured k."""
    return _grouped(comparison, K_STEPS, "rollout/length_measured")


def ratios_of_groups(comparison: GroupComparison, on: bool) -> Picture:
    """Show every group's measured real_ratio."""
    return _grouped(comparison, "real_ratio", "mix/real_ratio_measured")


def _grouped(comparison: GroupComparison, label: str, key: str) -> Picture:
    picture = banded(comparison, label, key, EMPTY)
    return replace(picture, y_range=from_zero(list(picture.lines)), beside=True)


MIX = ChartSpec(
    name="mix",
    title=tr("mix and rollouts"),
    help=tr("chart of k and real_ratio"),
    plots=(
        Plot("length", length_picture, lengths_together, lengths_of_groups),
        Plot("ratio", ratio_picture, ratios_together, ratios_of_groups),
    ),
    compared=("rollout/length_measured", "mix/real_ratio_measured"),
    explained=("rollout/length_measured", "mix/real_ratio_measured"),
    essay=(tr("What SAC learns from"), ESSAY),
    words=lambda scene, on, several: tr("as measured") if several else "",
    said=lambda scene, on: said_of_mix(scene),
    said_together=lambda overlay, on: least_and_most(
        overlay, "rollout/length_measured", tr("{low} imagines the fewest steps, {high} the most.")
    ),
)
