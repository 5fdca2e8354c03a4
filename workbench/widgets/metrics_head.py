"""Say in one line which metrics a page shows, and how."""

from __future__ import annotations

from textual.content import Content

from mbpo.settings.language import tr
from workbench.charts.metric_layout import MetricLayout
from workbench.charts.x_axis import XAxis
from workbench.format import MUTED, fitted, squeezed
from workbench.messages import RunRow
from workbench.widgets.quiet import Words
from workbench.widgets.ranked import ranked


class MetricsHead(Words):
    """Tell of the page, then of the keys, as far as there is room; the wheel turns the page."""

    def tell(self, row: RunRow | None, layout: MetricLayout, axis: XAxis, count: int, page: int, pages: int) -> None:
        """Say what is shown of ``count`` metrics, on which of the ``pages``."""
        width = self.content_size.width or 80
        name = squeezed(row.run_id, min(max(width // 4, 12), 32)) if row is not None else tr("no run")
        metrics = tr("{n} metrics pinned", n=count) if layout.only_pinned else tr("{n} metrics", n=count)
        facts = [
            (2, metrics),
            (1, tr("page {page} of {of}", page=page + 1, of=max(pages, 1))),
            (5, layout.grid),
            (4 if layout.degree else 8, layout.smoothing),
            (3, tr("log y") if layout.log_y else ""),
            (1 if layout.asked else 7, f"/ {fitted(layout.asked, 24)}" if layout.asked else tr("/ filters")),
            (9, tr("c r columns, rows")),
            (10, tr("m smooths")),
            (10, tr("y log")),
            (8, f"X {axis.label}"),
            (8, tr("p pins")),
            (9, tr("S saves")),
            (9, tr("L layouts")),
            (6, tr("? help")),
        ]
        parts = [(1, Content.styled(name, "bold")), *((rank, Content.styled(text, MUTED)) for rank, text in facts)]
        self.say(ranked(parts, width))

    def on_mouse_scroll_down(self) -> None:
        """Show the next page."""
        self.call_later(self.screen.run_action, "turn(1)")

    def on_mouse_scroll_up(self) -> None:
        """Show the page before."""
        self.call_later(self.screen.run_action, "turn(-1)")
