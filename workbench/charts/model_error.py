"""Chart the model's error: in total variation, as the bound takes it, or mean squared."""

from __future__ import annotations

from dataclasses import replace

from mbpo.settings.language import tr
from workbench.charts.bound import WITHOUT_BOUND
from workbench.charts.grouped import errors_of_groups
from workbench.charts.overlay import Overlay
from workbench.charts.picture import GREEN, LOG, ORANGE, SKY, VERMILLION, Line, Picture
from workbench.charts.plain_comparison import least_and_most
from workbench.charts.plain_words import Sentences, said_of_errors
from workbench.charts.scene import Scene
from workbench.charts.spec import ChartSpec, Plot, Toggle
from workbench.format import number

ESSAY = tr("""\
How wrong the model is, one step ahead. Held out are rows that its refit did not train on, though of the same time;
new are rows that came after it, where the policy goes now: that error counts, and the bound uses it. While new lies
far above held out, the policy visits states that the model does not know: shorter rollouts, or refits more often, help.
In total variation 0 is no error and 1 the largest there is; ε_π is how far the policy has moved since its data. v shows
the mean squared error of normalised targets instead.""")
WITHOUT_MODEL = ("sac",)
VARIATION = (
    ("m", "ε_m", SKY, "bound/eps_m"),
    ("n", tr("ε_m′ new"), ORANGE, "bound/eps_m_new"),
    ("p", "ε_π", GREEN, "bound/eps_pi"),
)
SQUARED = (("h", tr("holdout"), SKY, "model/holdout_mse"), ("n", tr("new data"), VERMILLION, "model/new_data_mse"))


def error_picture(scene: Scene, squared: bool) -> Picture:
    """Show the model's error: total variation, or mean squared on a log axis."""
    known = [
        Line(letter, name, number(points.last), color, points.x, points.y, glyph="•")
        for letter, name, color, key in (SQUARED if squared else VARIATION)
        if (points := scene.detail.series.get(key)) is not None
    ]
    return Picture(
        f"MSE{LOG}" if squared else tr("total variation"),
        lines=tuple(known),
        markers=scene.markers,
        x_range=scene.span,
        goes_on=True,
        log_y=squared,
        empty=scene.awaited(tr("waiting for the first refit"), WITHOUT_MODEL if squared else WITHOUT_BOUND),
    )


def errors_together(overlay: Overlay, squared: bool) -> Picture:
    """Show every run's model error on new data, the one that the bound asks for."""
    key = "model/new_data_mse" if squared else "bound/eps_m_new"
    picture = overlay.lines(f"MSE{LOG}" if squared else "ε_m′", key, tr("waiting for new data"))
    return replace(picture, log_y=squared)


def _said(scene: Scene, squared: bool) -> Sentences:
    held, new = (scene.detail.series.get(lines[3]) for lines in (SQUARED if squared else VARIATION)[:2])
    return said_of_errors(held, new)


def _said_together(overlay: Overlay, squared: bool) -> Sentences:
    key = "model/new_data_mse" if squared else "bound/eps_m_new"
    return least_and_most(overlay, key, tr("{low} errs least on new states, {high} most."))


def _words(scene: Scene, squared: bool, several: bool) -> str:
    unit = tr("v: total variation") if squared else "v: MSE"
    return f"{tr('on new data')} · {unit}" if several else unit


ERROR = ChartSpec(
    name="error",
    title=tr("model error"),
    help=tr("chart of the model's error"),
    plots=(Plot("error", error_picture, errors_together, errors_of_groups),),
    compared=("bound/eps_m_new", "model/new_data_mse"),
    explained=("model/holdout_mse", "model/new_data_mse"),
    essay=(tr("The model's error"), ESSAY),
    toggle=Toggle("view", "v", tr("model error as MSE, or total variation")),
    words=_words,
    said=_said,
    said_together=_said_together,
)
