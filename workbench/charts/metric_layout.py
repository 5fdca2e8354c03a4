"""Say which metrics stand on a page of all, in which order and how they are drawn: what can be saved under a name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mbpo.runs.metrics import METRICS
from mbpo.settings.language import tr, tr_n
from workbench.charts.any_metric import DEGREES, matching
from workbench.charts.x_axis import AXES, STEPS, XAxis
from workbench.format import safe_text

MOST_TEXT = 200
MOST_NAME = 40
MOST_LAYOUTS = 50
MOST_BESIDE = 99  # columns, or rows, of charts that can be chosen


@dataclass(frozen=True)
class MetricLayout:
    """Hold what a person chose to see of the metrics."""

    pinned: tuple[str, ...] = ()  # these stand first
    only_pinned: bool = False
    asked: str = ""  # words of a key
    degree: int = 0  # of DEGREES
    log_y: bool = False
    columns: int = 0  # of charts; 0: as many as fit
    rows: int = 0

    def shown(self, known: Collection[str]) -> list[str]:
        """Return the metrics to show of those that a run has."""
        found = matching(self.asked, known)
        first = [key for key in self.pinned if key in found]
        return first if self.only_pinned else first + [key for key in found if key not in first]

    def with_pin(self, key: str) -> MetricLayout:
        """Return the layout with a metric pinned behind those that are, or with its pin taken out."""
        if key in self.pinned:
            rest = tuple(other for other in self.pinned if other != key)
            return replace(self, pinned=rest, only_pinned=self.only_pinned and bool(rest))
        return replace(self, pinned=(*self.pinned, key))

    @property
    def words(self) -> str:
        """Return the layout in a few words."""
        pinned = (
            tr("{n} pinned alone", n=len(self.pinned)) if self.only_pinned else tr("{n} pinned", n=len(self.pinned))
        )
        pinned = pinned if self.pinned else tr("none pinned")
        log_y = tr("log y") if self.log_y else ""
        parts = (pinned, f"/ {self.asked}" if self.asked else "", self.smoothing, log_y, self.grid)
        return " · ".join(part for part in parts if part)

    @property
    def grid(self) -> str:
        """Return how many columns and rows of charts were chosen; nothing where as many are shown as fit."""
        columns = tr_n("{n} column", "{n} columns", self.columns) if self.columns else ""
        rows = tr_n("{n} row", "{n} rows", self.rows) if self.rows else ""
        return f"{self.columns} × {self.rows}" if columns and rows else columns or rows

    def with_grid(self, kept: Any) -> MetricLayout:
        """Return the layout with the columns and rows that a file holds; as many as fit where it tells none."""
        told = kept if isinstance(kept, Mapping) else {}
        columns, rows = (told.get(name) for name in ("columns", "rows"))
        return replace(self, columns=_number_in(columns), rows=_number_in(rows))

    @property
    def smoothing(self) -> str:
        """Return how much is smoothed."""
        return tr("smoothed {weight:g}", weight=DEGREES[self.degree]) if self.degree else tr("raw")

    def kept(self, axis: XAxis) -> dict[str, Any]:
        """Return the layout and its x axis as JSON takes it."""
        return {
            "pinned": list(self.pinned),
            "only_pinned": self.only_pinned,
            "filter": self.asked,
            "smoothing": DEGREES[self.degree],
            "log_y": self.log_y,
            "x": axis.name,
            "columns": self.columns,
            "rows": self.rows,
        }


def pinned_in(kept: Any) -> tuple[str, ...]:
    """Return the metrics that a file names as pinned; what is none is passed over."""
    keys = kept if isinstance(kept, list) else []
    return tuple(dict.fromkeys(key for key in keys if isinstance(key, str) and key in METRICS))


def layout_in(kept: Mapping[str, Any]) -> tuple[MetricLayout, XAxis]:
    """Return the layout and the x axis that a file holds; what it does not tell is as at first."""
    degree, asked, x = kept.get("smoothing"), kept.get("filter"), kept.get("x")
    layout = MetricLayout(
        pinned=pinned_in(kept.get("pinned")),
        only_pinned=kept.get("only_pinned") is True,
        asked=safe_text(asked, MOST_TEXT).strip() if isinstance(asked, str) else "",
        degree=DEGREES.index(degree) if isinstance(degree, (int, float)) and degree in DEGREES else 0,
        log_y=kept.get("log_y") is True,
    ).with_grid(kept)
    if not layout.pinned:
        layout = replace(layout, only_pinned=False)
    return layout, next((axis for axis in AXES if axis.name == x), STEPS)


def _number_in(kept: Any) -> int:
    return kept if type(kept) is int and 0 <= kept <= MOST_BESIDE else 0


def layouts_in(kept: Any) -> dict[str, Mapping[str, Any]]:
    """Return the layouts that a file holds, by their names."""
    found = kept.items() if isinstance(kept, dict) else []
    named = ((name_of(name), layout) for name, layout in found if isinstance(layout, dict))
    return dict([(name, layout) for name, layout in named if name][:MOST_LAYOUTS])


def name_of(text: str) -> str:
    """Return a text as the name of a layout; nothing where it is none."""
    return safe_text(text.strip(), MOST_NAME)
