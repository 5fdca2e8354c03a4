"""Show where the tour stands, above the line of keys."""

from __future__ import annotations

from textual.content import Content

from mbpo.settings.language import tr
from workbench.format import MUTED
from workbench.tour import STEPS, Stop
from workbench.widgets.quiet import Words


class TourLine(Words):
    """Say what to do next."""

    def show(self, stop: Stop) -> None:
        """Show a stop of the tour."""
        head = tr("tour done") if stop.over else tr("tour {step} of {of}", step=stop.step, of=STEPS)
        leave = "" if stop.over else tr("T leaves the tour")
        self.say(Content.assemble((head, "bold $accent"), f"  {stop.text}  ", (leave, MUTED)), layout=True)
