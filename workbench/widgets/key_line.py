"""Show the keys in the last line, as many as fit in whole words."""

from __future__ import annotations

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.events import Resize
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from mbpo.settings.language import tr

FIRST = "app.help"  # the action that stays whatever the width: it tells of all others
PALETTE = "-command-palette"


class KeyLine(Footer):
    """Leave out the keys for which a narrow terminal has no room, from the last on."""

    def compose(self) -> ComposeResult:
        """Lay out the keys that fit beside that of the palette."""
        keys = [key for key in super().compose() if isinstance(key, FooterKey)]
        docked = [key for key in keys if key.has_class(PALETTE)]
        for key in docked:  # Textual's words
            key.description, key.tooltip = tr(key.description), tr(str(key.tooltip))
        room = self.app.size.width - sum(1 + _width(key) for key in docked)  # a line stands before it
        kept = []
        for key in sorted((key for key in keys if key not in docked), key=lambda key: key.action != FIRST):
            room -= _width(key)
            if room < -1:  # the last needs no blank after it
                break
            kept.append(key)
        yield from (key for key in keys if key in docked or key in kept)

    def on_resize(self, event: Resize) -> None:
        """Fit what is shown to the new width."""
        if event.size.width:
            self.call_after_refresh(self.recompose)


def _width(key: FooterKey) -> int:
    """Return the cells of a key, its words and the blanks between and after."""
    return cell_len(key.key_display) + 1 + cell_len(key.description) + 1
