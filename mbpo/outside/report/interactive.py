"""Draw charts with bokeh, to be hovered, zoomed and clicked. Nothing is drawn here: a browser does it from data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mbpo.outside.report.chart import DASHES, EDGE, GREY, GROUND, ON_DARK, WORDS, Array, Chart, Line, Mark
from mbpo.outside.report.safe import readable

HEIGHT = 320  # pixels
MOST_NUMBERED = 40  # marks whose numbers stand in a chart
X, Y = "@x{0,0.[00]}", "@y{%.5g}"


def bokeh_script() -> str:
    """Return BokehJS: the part without widgets, tables and formulas."""
    from bokeh.resources import Resources

    found: list[str] = Resources(mode="inline", components=["bokeh"], minified=True).js_raw
    return found[0]


def embedded(charts: Sequence[Chart]) -> str:
    """Return as JSON what BokehJS draws, where, and which parts of it the legends switch."""
    from bokeh.core.json_encoder import serialize_json
    from bokeh.document import Document

    keys: dict[str, list[str]] = {}
    figures: list[Any] = []
    for chart in charts:
        shared = next((f.x_range for f, c in zip(figures, charts, strict=False) if c.x_label == chart.x_label), None)
        figures.append(_figure(chart, keys, shared))
    document = Document()
    for figure in figures:
        document.add_root(figure)
    roots = {figure.id: f"chart-{chart.slug}" for figure, chart in zip(figures, charts, strict=True)}
    docs = {"report": document.to_json(deferred=False)}
    content = {"docs": docs, "roots": roots, "keys": keys, "on_dark": ON_DARK}
    return str(serialize_json(content))


def _figure(chart: Chart, keys: dict[str, list[str]], x_range: Any) -> Any:
    from bokeh.models import NumeralTickFormatter
    from bokeh.plotting import figure

    drawn = figure(
        height=HEIGHT,
        sizing_mode="stretch_width",
        tools="pan,box_zoom,xwheel_zoom,reset,save",
        active_drag="box_zoom",
        active_scroll=None,
        y_axis_type="log" if chart.log else "linear",
        x_axis_label=chart.x_label,
        y_axis_label=chart.y_label,
        toolbar_location="above",
        **({"x_range": x_range} if x_range is not None else {}),
    )
    drawn.toolbar.logo = None  # it is a link
    drawn.xaxis.formatter = NumeralTickFormatter(format="0,0")
    _in_our_colours(drawn)
    for line in chart.lines:
        keys.setdefault(line.key, []).extend(renderer.id for renderer in _line(drawn, line))
    _levels(drawn, chart)
    if chart.marks:
        _marks(drawn, chart.marks)
    return drawn


def _line(drawn: Any, line: Line) -> list[Any]:
    from bokeh.models import HoverTool

    x, y = _short(line.x), _short(line.y)
    made = []
    if line.low is not None and line.high is not None:
        there = np.isfinite(line.low) & np.isfinite(line.high)
        band = {"x": _short(line.x[there]), "low": _short(line.low[there]), "high": _short(line.high[there])}
        made.append(drawn.varea("x", "low", "high", source=band, fill_color=line.ink, fill_alpha=0.18))
    source = {"x": x, "y": y}
    name = str(readable(line.name))
    if line.dots:
        made.append(drawn.scatter("x", "y", source=source, size=4, color=line.ink, alpha=0.55, name=name))
    else:
        look = {"color": line.ink, "alpha": 0.35 if line.faint else 1.0, "width": 1 if line.faint else 2}
        look = {f"line_{what}": value for what, value in look.items()} | {"line_dash": line.dash, "name": name}
        steps = {"mode": "after"} if line.held else {}
        made.append((drawn.step if line.held else drawn.line)("x", "y", source=source, **look, **steps))
    if not line.faint:
        told = [("", "$name"), (str(drawn.xaxis.axis_label), X), (str(drawn.yaxis.axis_label) or "value", Y)]
        drawn.add_tools(HoverTool(renderers=[made[-1]], tooltips=told, formatters={"@y": "printf"}, visible=False))
    if line.letter:
        end = {"x": x[-1:], "y": y[-1:], "text": [line.letter]}
        look = {"text_color": line.ink, "text_font_style": "bold", "x_offset": 4, "text_baseline": "middle"}
        made.append(drawn.text("x", "y", "text", source=end, **look))
    return made


def _levels(drawn: Any, chart: Chart) -> None:
    xs = [line.x[[0, -1]] for line in chart.lines]
    if not xs:
        return
    ends = _short(np.array([min(x[0] for x in xs), max(x[1] for x in xs)]))
    for name, value in chart.levels.items():
        look = {"line_color": GREY[0], "line_dash": "dashed", "name": str(readable(name))}
        drawn.line(ends, [value, value], **look)
        text = {"text_color": GREY[0], "text_font_size": "11px", "y_offset": -3, "x_offset": 4}
        drawn.text(ends[:1], [value], [str(readable(name))], **text)


def _marks(drawn: Any, marks: Sequence[Mark]) -> None:
    from bokeh.models import HoverTool, Label

    source = {"x": _short(np.array([mark.x for mark in marks])), "text": [str(readable(mark.text)) for mark in marks]}
    spans = drawn.vspan("x", source=source, line_color=GREY[0], line_dash=DASHES[1], line_width=2, line_alpha=0.7)
    told = [("env step", X), ("change", "@text")]
    drawn.add_tools(HoverTool(renderers=[spans], tooltips=told, visible=False))
    for mark in marks[:MOST_NUMBERED]:
        if mark.number:
            look = {"text_color": GREY[0], "text_font_size": "11px", "y_units": "screen", "x_offset": 3}
            drawn.add_layout(Label(x=mark.x, y=2, text=str(mark.number), **look))


def _in_our_colours(drawn: Any) -> None:
    drawn.background_fill_color = drawn.border_fill_color = GROUND[0]
    drawn.outline_line_color = EDGE[0]
    drawn.grid.grid_line_color = EDGE[0]
    for axis in (*drawn.xaxis, *drawn.yaxis):
        axis.axis_label_text_color = axis.major_label_text_color = WORDS[0]
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = GREY[0]
        axis.axis_label_text_font_style = "normal"


def _short(values: Array) -> Any:
    """Return numbers in 4 bytes each: whole ones as they are, others to seven digits."""
    whole = np.isfinite(values).all() and (values == np.rint(values)).all() and (np.abs(values) < 2**31).all()
    return values.astype(np.int32 if whole else np.float32)
