"""Draw charts with bokeh, to be hovered, zoomed and clicked. Nothing is drawn here: a browser does it from data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mbpo.outside.report.chart import (
    EDGE,
    GREY,
    GROUND,
    ON_DARK,
    WORDS,
    Array,
    Chart,
    Line,
    Mark,
    letters_apart,
    x_limits,
    y_limits,
)
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
    ranges = {chart.axis: _x_range([other for other in charts if other.axis == chart.axis]) for chart in charts}
    figures = [_figure(chart, keys, ranges[chart.axis]) for chart in charts]
    document = Document()
    with document.models.freeze():  # else each chart has all before it looked through again
        for figure in figures:
            document.add_root(figure)
    roots = {figure.id: f"chart-{chart.slug}" for figure, chart in zip(figures, charts, strict=True)}
    docs = {"report": document.to_json(deferred=False)}
    content = {"docs": docs, "roots": roots, "keys": keys, "on_dark": ON_DARK}
    return str(serialize_json(content))


def _x_range(charts: Sequence[Chart]) -> Any:
    from bokeh.models import Range1d

    return Range1d(*x_limits(charts))


def _y_range(chart: Chart) -> Any:
    """Return the range of what is drawn, with those ends that the chart wants."""
    from bokeh.models import DataRange1d

    ends = zip(("start", "end"), y_limits(chart), strict=True)
    return DataRange1d(**{name: place for name, place in ends if place is not None})


def _figure(chart: Chart, keys: dict[str, list[str]], x_range: Any) -> Any:
    from bokeh.models import HoverTool, NumeralTickFormatter
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
        x_range=x_range,
        y_range=_y_range(chart),
    )
    drawn.toolbar.logo = None  # it is a link
    if chart.whole:
        drawn.yaxis.ticker.min_interval, drawn.yaxis.ticker.num_minor_ticks = 1, 0
    drawn.xaxis.formatter = NumeralTickFormatter(format="0,0")
    _in_our_colours(drawn)
    hovered = []
    for line, up in zip(chart.lines, letters_apart(chart), strict=True):
        made = _band(drawn, line) + _line(drawn, line, up)
        keys.setdefault(line.key, []).extend(renderer.id for renderer in made)
        hovered += [renderer for renderer in made if renderer.name]
    told = [("", "$name"), (chart.x_label, X), (chart.y_label or "value", Y)]
    drawn.add_tools(HoverTool(renderers=hovered, tooltips=told, formatters={"@y": "printf"}, visible=False))
    _levels(drawn, chart)
    if chart.marks:
        _marks(drawn, chart.marks)
    return drawn


def _band(drawn: Any, line: Line) -> list[Any]:
    from bokeh.models import Segment, VArea

    if line.low is None or line.high is None:
        return []
    there = np.isfinite(line.low) & np.isfinite(line.high)
    band = {"x": line.x[there], "low": line.low[there], "high": line.high[there]}
    if line.x.size == 1:
        look = {"line_color": line.ink, "line_alpha": 0.3, "line_width": 6}
        return [_put(drawn, Segment(x0="x", x1="x", y0="low", y1="high", **look), band)]
    return [_put(drawn, VArea(x="x", y1="low", y2="high", fill_color=line.ink, fill_alpha=0.18), band)]


def _line(drawn: Any, line: Line, up: float) -> list[Any]:
    made = [_put(drawn, _glyph(line), {"x": line.x, "y": line.y}, "" if line.faint else line.name)]
    return [*made, _letter(drawn, line, up)] if line.letter else made


def _glyph(line: Line) -> Any:
    """Return what draws the points of a line: a line of one point would not be seen."""
    from bokeh.models import Line as Joined
    from bokeh.models import Scatter, Step

    if line.dots or line.x.size == 1:
        look: dict[str, Any] = {"line_alpha": 0.55, "fill_alpha": 0.55} if line.dots or line.faint else {}
        look |= {"line_color": line.ink, "fill_color": line.ink, "size": 4 if line.dots else 7}
        return Scatter(x="x", y="y", **look)
    look = {"line_color": line.ink, "line_dash": line.dash}
    look |= {"line_alpha": 0.35, "line_width": 1} if line.faint else {"line_width": 2}
    return Step(x="x", y="y", mode="after", **look) if line.held else Joined(x="x", y="y", **look)


def _letter(drawn: Any, line: Line, up: float) -> Any:
    from bokeh.models import Text

    look = {"text_color": line.ink, "text_font_style": "bold", "text_font_size": "13px", "text_baseline": "middle"}
    beside = 4 if line.x.size > 1 else 7  # pixels; a single point is wider than a line
    glyph = Text(x="x", y="y", text={"value": line.letter}, x_offset=beside, y_offset=-up, **look)
    return _put(drawn, glyph, {"x": line.x[-1:], "y": line.y[-1:]})


def _put(drawn: Any, glyph: Any, columns: Mapping[str, Array], name: str = "") -> Any:
    """Draw a glyph; a name makes it answer the mouse. The figure's own methods make three more glyphs for each."""
    from bokeh.models import ColumnDataSource

    source = ColumnDataSource({column: _short(values) for column, values in columns.items()})
    return drawn.add_glyph(source, glyph, **({"name": str(readable(name))} if name else {}))


def _levels(drawn: Any, chart: Chart) -> None:
    from bokeh.models import Line as Joined
    from bokeh.models import Text

    x = np.array([drawn.x_range.start, drawn.x_range.end])
    highest = max((float(np.nanmax(line.y)) for line in chart.lines), default=np.inf)
    for name, value in chart.levels.items():
        y = np.array([value, value])
        _put(drawn, Joined(x="x", y="y", line_color=GREY[0], line_dash="dashed"), {"x": x, "y": y})
        below = value > highest  # above it there is no room
        look = {"text_color": GREY[0], "text_font_size": "11px", "x_offset": 4, "y_offset": 3 if below else -3}
        glyph = Text(
            x="x", y="y", text={"value": str(readable(name))}, text_baseline="top" if below else "bottom", **look
        )
        _put(drawn, glyph, {"x": x[:1], "y": y[:1]})


def _marks(drawn: Any, marks: Sequence[Mark]) -> None:
    from bokeh.models import ColumnDataSource, HoverTool, Label, VSpan

    x = _short(np.array([float(mark.x) for mark in marks]))
    source = ColumnDataSource({"x": x, "text": [str(readable(mark.text)) for mark in marks]})
    look = {"line_color": GREY[0], "line_dash": [12, 8], "line_width": 2, "line_alpha": 0.7}
    spans = drawn.add_glyph(source, VSpan(x="x", **look))
    told = [("env step", X), ("change", "@text")]
    drawn.add_tools(HoverTool(renderers=[spans], tooltips=told, visible=False))
    for mark in marks[:MOST_NUMBERED]:
        if mark.number:
            small = {"text_color": GREY[0], "text_font_size": "11px", "y_units": "screen", "x_offset": 3}
            drawn.add_layout(Label(x=mark.x, y=2, text=str(mark.number), **small))


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
