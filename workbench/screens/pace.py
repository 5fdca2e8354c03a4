"""Say when to draw: at once what a person does, news of a run that goes on once a second."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

NEWS_S = 1.0  # a terminal far away pays for each drawing


class Pace:
    """Remember what was drawn, and have the news that came too soon drawn later."""

    def __init__(self, after: Callable[[float, Callable[[], None]], object], redraw: Callable[[], None]) -> None:
        """Call ``after(seconds, redraw)`` where news has to wait."""
        self._after = after
        self._redraw = redraw
        self._drawn: tuple[object, object] = (None, None)
        self._drawn_at = -math.inf
        self._awaited = False

    def is_due(self, shown: object, news: object) -> bool:
        """Return whether to draw now: ``shown`` is what a person chose to see, ``news`` how far it has come."""
        if (shown, news) == self._drawn:
            return False
        wait = NEWS_S - (monotonic() - self._drawn_at) if shown == self._drawn[0] else 0.0
        if wait > 0:
            if not self._awaited:
                self._awaited = True
                self._after(wait, self._tell)
            return False
        self._drawn, self._drawn_at = (shown, news), monotonic()
        return True

    def forget(self) -> None:
        """Draw again whatever comes next."""
        self._drawn = (None, None)

    def _tell(self) -> None:
        self._awaited = False
        self._redraw()
