"""Hold the colours of the app, those of the charts among them."""

from __future__ import annotations

from textual.theme import Theme

NIGHT = Theme(
    name="night",
    primary="#56B4E9",
    secondary="#009E73",
    accent="#E69F00",
    warning="#E69F00",
    error="#D55E00",
    success="#009E73",
    background="#0d1117",
    surface="#0d1117",
    panel="#161b22",
    foreground="#d6dde5",
    dark=True,
)
