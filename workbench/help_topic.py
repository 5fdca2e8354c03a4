"""Find what the panel in focus is about."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen


def topic_of(screen: Screen[Any]) -> str:
    """Return the ``help_topic`` of the widget in focus or of what holds it, the screen's own at last."""
    focused = screen.focused
    for widget in focused.ancestors_with_self if focused is not None else (screen,):
        if topic := getattr(widget, "help_topic", ""):
            return str(topic)
    return ""
