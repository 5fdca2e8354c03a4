"""Be an app that looks, and takes keys, as a person chose."""

from __future__ import annotations

import os
from typing import Generic, Literal, TypeVar, cast

from textual.command import CommandPalette
from textual.theme import Theme, ThemeProvider

from mbpo.errors import ConfigError
from mbpo.settings.language import tr
from workbench.format import safe_text
from workbench.held_keys import HeldKeys
from workbench.preferences import chosen_theme, keep_theme, near_to
from workbench.screens.keymap import Keymap
from workbench.screens.keys import PALETTE
from workbench.theme import OURS, inks_of

MOST_WRONG = 4  # faults of the files of settings that are shown
Result = TypeVar("Result")


class PersonalApp(HeldKeys[Result], Generic[Result]):
    """Follow ``keys.toml`` and ``settings.toml``, say what is wrong there, and keep the theme that is chosen."""

    def __init__(self, theme: str, keymap: Keymap) -> None:
        """Take a theme's name, or nothing for the one that was kept.

        Raises:
            ConfigError: there is no such theme.
        """
        if not os.environ.get("NO_COLOR"):  # Textual takes an empty one for a wish, too, which it is not: no-color.org
            os.environ.pop("NO_COLOR", None)
        self.COMMAND_PALETTE_BINDING = keymap.keys.get(PALETTE.id or "", PALETTE.key)  # type: ignore[misc]
        super().__init__()
        for own in OURS:
            self.register_theme(own)
        if theme and theme not in self.available_themes:
            near = near_to(theme, self.available_themes)
            there = f"{near} is close" if near else f"there are {', '.join(sorted(self.available_themes))}"
            raise ConfigError(f"no theme is called {safe_text(theme, 40)}; {there}")
        kept, wrong = chosen_theme(self.available_themes)
        self.theme = theme or kept or "night"  # before the style sheets are read, which costs 50 ms each time
        self._moved = keymap.keys
        self.wrong = [*wrong, *keymap.wrong]  # with the files

    def get_css_variables(self) -> dict[str, str]:
        """Return the colours of the theme in force, and the inks of words and charts for it."""
        self.theme_variables = {**super().get_css_variables(), **inks_of(self.current_theme)}
        return self.theme_variables

    def action_command_palette(self) -> None:
        """Show every command, by name."""
        if self.use_command_palette and not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder=tr("Search for commands…"), id="--command-palette"))

    def search_themes(self) -> None:
        """Show every theme, by name."""
        self.push_screen(CommandPalette(providers=[ThemeProvider], placeholder=tr("Search for themes…")))

    def on_mount(self) -> None:
        """Move the keys, and say what cannot be followed."""
        self.set_keymap(self._moved)
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        for text in self.wrong[:MOST_WRONG]:
            self.say(text, "warning")
        if more := self.wrong[MOST_WRONG:]:
            self.say(tr("{n} more: mbpo-workbench --keys says all", n=len(more)), "warning")

    def say(self, text: str, severity: str = "information") -> None:
        """Show a short notice; nothing in it is markup."""
        level = cast(Literal["information", "warning", "error"], severity)
        shown = safe_text(text, 300)
        if not any(notice.message == shown and not notice.has_expired for notice in self._notifications):
            self.notify(shown, severity=level, markup=False)

    def _keep_theme(self, theme: Theme) -> None:
        if fault := keep_theme(theme.name):
            self.say(fault, "warning")
