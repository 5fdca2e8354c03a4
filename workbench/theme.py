"""Hold the colours of the app: themes of its own, and inks for words and charts that are legible in any theme."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from textual.color import Color
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
    variables={"ink-edge": "#30363d", "ink-raised": "#161b22"},
)
DAY = Theme(
    name="day",
    primary="#005293",
    secondary="#1b8d4c",
    accent="#a65300",
    warning="#a65300",
    error="#c3202f",
    success="#14733d",
    background="#ffffff",
    surface="#ffffff",
    panel="#eef1f4",
    foreground="#1f2328",
    dark=False,
)
CONTRAST = Theme(
    name="high-contrast",
    primary="#7fd0ff",
    secondary="#5affa0",
    accent="#ffd75f",
    warning="#ffd75f",
    error="#ff8a65",
    success="#5affa0",
    background="#000000",
    surface="#000000",
    panel="#000000",
    foreground="#ffffff",
    dark=True,
    variables={
        "ink-edge": "#ffffff",
        "ink-raised": "#000000",
        "ink-muted": "#e0e0e0",
        "ink-grey": "#d0d0d0",
        "text-muted": "#e0e0e0",
    },
)
OURS = (NIGHT, DAY, CONTRAST)

ON_DARK = MappingProxyType(
    {
        "sky": "#56B4E9",
        "orange": "#E69F00",
        "green": "#009E73",
        "yellow": "#F0E442",
        "vermillion": "#D55E00",
        "purple": "#CC79A7",
        "blue": "#4477ff",
        "lime": "#8ddf6a",
        "white": "#d6dde5",
        "grey": "#7d8590",
        "muted": "#8b949e",
    }
)
"""The colours of Okabe and Ito, and three more that people with any colour vision tell from them on a dark ground."""
ON_LIGHT = MappingProxyType(
    {
        "sky": "#005293",
        "orange": "#bb6200",
        "green": "#1b8d4c",
        "yellow": "#395502",
        "vermillion": "#db2b3b",
        "purple": "#da16cb",
        "blue": "#1b60ff",
        "lime": "#843d59",
        "white": "#1f2328",
        "grey": "#6a737d",
        "muted": "#59626b",
    }
)
"""As many on a light one, as near to those as the ground allows."""
WORDS = ("primary", "secondary", "accent", "warning", "error", "success")
RAISED, EDGE = 0.04, 0.2  # shares of black or white in the background
LEAST_CONTRAST = 3.0  # WCAG 2.2, 1.4.11: of what has to be seen to understand


def inks_of(theme: Theme) -> Mapping[str, str]:
    """Return the inks of a theme by their variables, without the dollar; each is legible on its background.

    ``ink-raised`` is the ground of what stands above it, as a dialog, and ``ink-edge`` the colour of borders. Colours
    of the theme itself that stand for words, too, are here as far as they have to be others.
    """
    generated = theme.to_color_system().generate()
    ground = Color.parse(_hex(generated["background"]) or ("#000000" if theme.dark else "#ffffff"))
    far = ground.get_contrast_text(1.0)
    raised = ground.blend(far, RAISED)
    wanted = {f"ink-{name}": color for name, color in (ON_DARK if theme.dark else ON_LIGHT).items()}
    wanted |= {name: color for name in WORDS if (color := _hex(generated[name]))}
    found = {name: legible(color, raised) for name, color in wanted.items()}
    found |= {"ink-edge": ground.blend(far, EDGE).hex6, "ink-raised": raised.hex6}
    return {**found, **{key: value for key, value in theme.variables.items() if key in found}}


def _hex(color: str) -> str:
    """Return ``color``, or nothing where a theme leaves it to the terminal."""
    return color if color.startswith("#") else ""


def legible(color: str, ground: Color) -> str:
    """Return ``color``, lighter or darker as far as it needs to stand out from ``ground``."""
    shade, far = Color.parse(color), ground.get_contrast_text(1.0)
    mixed = (shade.blend(far, step / 20) for step in range(21))
    return next((each.hex6 for each in mixed if contrast(each, ground) >= LEAST_CONTRAST), far.hex6)


def contrast(one: Color, other: Color) -> float:
    """Return the contrast of two colours, 1 to 21.

    Source: WCAG 2.2, contrast ratio and relative luminance.
    """
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Color) -> float:
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


NIGHT_INKS = inks_of(NIGHT)
