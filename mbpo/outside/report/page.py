"""Lay out a page: sections of sentences, charts and tables, all of it text until the template escapes it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mbpo import __version__
from mbpo.errors import ConfigError
from mbpo.outside.report.chart import Chart, Line
from mbpo.outside.report.safe import digest, in_script, readable
from mbpo.outside.report.typeset import typeset
from mbpo.settings.packages import install_command

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Table:
    """Hold rows of text under their heads; the columns in ``numbers`` stand to the right."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    left_out: int = 0  # rows that were too many


@dataclass(frozen=True)
class Lines:
    """Hold lines that stand as they are, each for itself: commands, or the end of a log."""

    lines: Sequence[str]


Block = Chart | Table | Lines


@dataclass(frozen=True)
class Section:
    """Hold what is said and shown of one thing."""

    title: str
    says: Sequence[str] = ()
    blocks: Sequence[Block] = ()
    folded: bool = False  # whether a click shows it


@dataclass(frozen=True)
class Page:
    """Hold all of a report."""

    title: str
    facts: Sequence[tuple[str, str]]  # at the top: what it is, and its value
    sections: Sequence[Section]
    notes: Sequence[str] = ()

    @property
    def charts(self) -> list[Chart]:
        """Return every chart, in order."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Chart)]

    @property
    def thinned(self) -> bool:
        """Return whether a curve had more points than are drawn."""
        return any(line.thin for chart in self.charts for line in chart.lines)


def check_bokeh() -> None:
    """Find out before the work whether there is what draws the charts.

    Raises:
        ConfigError: bokeh is not installed.
    """
    try:
        import bokeh.plotting  # noqa: F401
    except ImportError:
        raise ConfigError(f"a report needs bokeh: {install_command('bokeh>=3.7')}") from None


def html(page: Page) -> str:
    """Return the page as one file."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from mbpo.outside.report.interactive import bokeh_script, embedded

    env = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    env.finalize = readable
    env.filters["typeset"] = typeset
    env.tests |= {"chart": _is(Chart), "table": _is(Table)}
    scripts = [Markup(text) for text in (bokeh_script(), (HERE / "page.js").read_text(encoding="utf-8"))]
    return env.get_template("page.html").render(
        page=page,
        made=f"Written by MBPO Workbench {__version__} on {time.strftime('%Y-%m-%d at %H:%M')}.",
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        scripts=scripts,
        digests=[digest(text) for text in scripts],
        data=Markup(in_script(embedded(page.charts))),
        named=_named,
    )


def _named(chart: Chart) -> list[Line]:
    """Return the lines that the legend names, each key once."""
    return list({line.key: line for line in chart.lines if not line.faint}.values())


def _is(kind: type) -> Any:
    return lambda value: isinstance(value, kind)
