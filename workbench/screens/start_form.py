"""Be what the forms that start a run have in common."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual import on
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button

from mbpo.settings.cautions import cautions
from mbpo.settings.config import Config
from workbench.format import MUTED, safe_text

Asked = TypeVar("Asked")


class StartForm(ModalScreen[Asked | None], Generic[Asked]):
    """Hand back what is asked for once all of it can be used, or None where nothing is to start.

    Its buttons are ``start`` and another.
    """

    AUTO_FOCUS = ""  # each says itself where keys go first

    def __init__(self) -> None:
        super().__init__()
        self.building = True  # as long as keys have nowhere to go: they wait

    def on_descendant_focus(self) -> None:
        """Take keys from now on."""
        self.building = False

    def order(self) -> Asked | None:
        """Return what was asked for, or None after showing what is wrong with it."""
        raise NotImplementedError

    def action_start(self) -> None:
        """Start, if everything can be used."""
        order = self.order()
        if order is not None:
            self.dismiss(order)

    def action_cancel(self) -> None:
        """Start nothing."""
        self.dismiss(None)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "start":
            self.action_start()
        else:
            self.action_cancel()


def shown_order(command: str, config: Config) -> Content:
    """Return the command that a form stands for, or what its learner would warn of."""
    caution = next(cautions(config), "")
    return Content.styled(safe_text(caution), "$warning") if caution else Content.styled(safe_text(command), MUTED)
