"""Open the pages about the run in focus, and about those compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.screen import Screen

from mbpo.settings.language import tr
from workbench.acting import changes_runs
from workbench.charts.view import View
from workbench.screens.selection import Selection
from workbench.screens.services import Services
from workbench.screens.steering import Steering

if TYPE_CHECKING:
    from workbench.screens.run_page import RunPage


class RunPages(Screen[None]):
    """Be the part of the workbench that puts pages above itself."""

    services: Services
    selection: Selection
    steering: Steering
    view: View
    above: RunPage | None = None  # what shows the run in focus otherwise

    def action_differences(self) -> None:
        """Show in full how the runs or groups compared differ."""
        from workbench.screens.differences import Differences

        grouped, comparison = self.selection.grouped, self.selection.comparison
        if grouped.groups:
            self.app.push_screen(Differences(grouped))
        elif len(comparison.runs) > 1:
            self.app.push_screen(Differences(comparison))
        elif self.selection.marks.letters:
            self.services.say(tr("One run is marked: move to another, and the two are compared."))
        else:
            self.services.say(tr("Nothing is compared yet: c marks the run in focus, C its family, * all listed."))

    def action_trust(self) -> None:
        """Show how far the model of the run in focus can be trusted."""
        from workbench.screens.trust_screen import TrustScreen

        self._put_above(lambda: TrustScreen(self.selection, self.steering, self.view, self.action_what_if))

    def action_metrics(self) -> None:
        """Show every metric of the run in focus."""
        from workbench.screens.metrics_screen import MetricsScreen

        self._put_above(lambda: MetricsScreen(self.selection, self.steering, self.view, self.services))

    def action_info(self) -> None:
        """Show every setting of the run in focus, and on what it runs."""
        from workbench.screens.info_screen import InfoScreen

        self._put_above(lambda: InfoScreen(self.selection, self.steering, self.view, self.services))

    @changes_runs
    def action_report(self) -> None:
        """Write what is on screen as a page for a browser."""
        if paths := self.selection.on_screen:
            self.services.report(paths)
        else:
            self.services.say(self.selection.nothing, "warning")

    @changes_runs
    def action_what_if(self) -> None:
        """Open the form for a what-if of the run in focus."""
        raise NotImplementedError

    def _put_above(self, made: Callable[[], RunPage]) -> None:
        if self.selection.row is None:
            self.services.say(self.selection.nothing, "warning")
        else:
            self.above = made()
            self.app.push_screen(self.above)
