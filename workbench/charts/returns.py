"""Chart the returns of training episodes and of evaluations."""

from __future__ import annotations

from mbpo.settings.language import tr
from workbench.charts.any_metric import DEGREES
from workbench.charts.grouped import returns_of_groups
from workbench.charts.overlay import Overlay, color_of, mark_of
from workbench.charts.picture import ORANGE, SKY, Line, Picture
from workbench.charts.plain_comparison import returns_compared
from workbench.charts.plain_groups import said_of_groups
from workbench.charts.plain_words import said_of_returns
from workbench.charts.scene import Scene, smoothed
from workbench.charts.spec import ChartSpec, Plot, Toggle
from workbench.format import number
from workbench.messages import Points
from workbench.series import Floats
from workbench.side_by_side import Compared

GAP = 4  # cells at least between two evaluations of one run
ESSAY = tr("""\
e is the return of every training episode, the sum of its rewards: a moving average with a band of one standard
deviation, or raw. Such an episode explores, so it returns less than the policy can. E, the dots, are evaluations:
the policy plays eval_episodes whole episodes without exploring; the band is the standard deviation over them. Judge a
run by these. It counts as solved from the first evaluation on from which all reach the task's threshold.""")
EMPTY = tr("waiting for the first episode to end")


def return_picture(scene: Scene, weight: float | None) -> Picture:
    """Show returns of training episodes and of evaluations."""
    lines = []
    detail = scene.detail
    episodes = detail.series.get("episode/return")
    if episodes is not None:
        lines.append(smoothed("e", tr("episodes"), SKY, episodes, weight))
    mean, std = detail.series.get("eval/return_mean"), detail.series.get("eval/return_std")
    if mean is not None:
        low, high = _band(mean, std)
        value = number(mean.last) + (f" ± {number(std.last, 2)}" if std is not None else "")
        lines.append(
            Line("E", tr("evaluation"), value, ORANGE, mean.x, mean.y, low, high, glyph="●", nearest=True, band="±")
        )
    return Picture(
        tr("return"), lines=tuple(lines), markers=scene.markers, x_range=scene.span, goes_on=True, empty=EMPTY
    )


def _band(mean: Points, std: Points | None) -> tuple[Floats | None, Floats | None]:
    if std is None or len(std.y) != len(mean.y):
        return None, None
    return mean.y - std.y, mean.y + std.y


def returns_together(overlay: Overlay, weight: float | None) -> Picture:
    """Show every run's training returns, and its evaluations as letters."""
    lines = []
    for run in overlay.comparison.by_letter:
        lines += [overlay.line(run, "episode/return", weight), _evaluations(overlay, run)]
    return overlay.picture(tr("return"), lines, EMPTY)


def _evaluations(overlay: Overlay, run: Compared) -> Line:
    key = "eval/return_mean"
    points = overlay.points(run, key)
    line = Line(
        "",
        "",
        number(points.last),
        color_of(run),
        points.x,
        points.y,
        glyph=mark_of(run),
        gap=GAP,
        joined=False,
        bold=run.focused,
        lead=run.focused,
        at_cursor=True,
        nearest=True,
    )
    return line.since(overlay.comparison.first_own(run, key))


def _words(scene: Scene, weight: float | None, several: bool) -> str:
    views: tuple[float | None, ...] = (None, *DEGREES)
    following = views[(views.index(weight) + 1) % len(views)]
    return f"m: {_degree(following)}" if weight is None else f"{_degree(weight)} · m: {_degree(following)}"


def _degree(weight: float | None) -> str:
    if weight is None:
        return tr("smoothed")
    return tr("smoothed {weight:g}", weight=weight) if weight else tr("raw")


RETURN = ChartSpec(
    name="return",
    title=tr("return"),
    help=tr("chart of returns alone; again for all"),
    plots=(Plot("return", return_picture, returns_together, returns_of_groups),),
    compared=("episode/return",),
    explained=("eval/return_mean",),
    essay=(tr("Returns"), ESSAY),
    toggle=Toggle("smooth", "m", tr("smoothing: off, by degree, or by a twentieth of the points"), (None, *DEGREES)),
    words=_words,
    said=lambda scene, smooth: said_of_returns(scene),
    said_together=lambda overlay, smooth: returns_compared(overlay),
    said_of_groups=said_of_groups,
)
