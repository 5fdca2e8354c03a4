"""Turn what runs say into text that is safe and short enough to show."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

from rich.cells import cell_len
from textual.content import Content

from mbpo.settings.language import tr
from mbpo.settings.numbers import short

MUTED = "$ink-muted"  # for words that explain; Textual's own shade is lost in styled text
BARS = "▁▂▃▄▅▆▇█"
NAME = "\x00"  # what stands in a sentence for a name until it is styled
MAX_MARKS = 2  # combining marks kept on one character
_SPACES = frozenset("\t\n\r\v\f\u00a0\u2028\u2029")
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

GLYPHS = {
    "launching": "◌",
    "starting": "◌",
    "running": "●",
    "paused": "◐",
    "stopping": "◍",
    "stopped": "■",
    "finished": "✓",
    "failed": "✗",
    "diverged": "!",
    "lost": "?",
    "silent": "…",
    "unreadable": "×",
}


def has_words(text: str, asked: str) -> bool:
    """Return whether a text has every word that is asked for, in capitals or not; nothing asked for is in all."""
    return all(word in text.lower() for word in asked.lower().split())


def safe_text(value: object, limit: int = 400) -> str:
    """Return ``value`` as one line that a terminal shows as it stands.

    Control bytes (C0, C1, ESC), bidi overrides, zero-width and unassigned characters become ``�``,
    line ends and tabs a space, and text beyond ``limit`` characters an ellipsis. Markup is left as
    it is: hand the result to ``Content`` or ``rich.text.Text``, never to a markup parser.
    """
    text = value if isinstance(value, str) else str(value)
    cut = len(text) > limit
    shown: list[str] = []
    marks = 0
    for character in text[:limit]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MAX_MARKS:
            shown.append(_safe_character(character))
    if cut and shown:
        shown[-1] = "…"
    return "".join(shown)


def _safe_character(character: str) -> str:
    if " " <= character <= "~":
        return character
    if character in _SPACES:
        return " "
    category = unicodedata.category(character)
    return "�" if category in _UNSAFE or category == "Me" else character


def fitted(value: object, width: int) -> str:
    """Return ``value`` as safe text of at most ``width`` cells; a Chinese character takes two."""
    text = safe_text(value, max(width, 1) + 1)
    return text if cell_len(text) <= width else _head(text, width - 1) + "…"


def squeezed(value: object, width: int) -> str:
    """Return ``value`` as safe text of at most ``width`` cells, without its middle.

    Names of runs differ at their ends; where there is room for one end, it is the last.
    """
    text = safe_text(value)
    if cell_len(text) <= width:
        return text
    if width < 8:
        return ending(text, width)
    tail = (width - 1) // 2
    return f"{_head(text, width - 1 - tail)}…{_tail(text, tail)}"


def ending(value: object, width: int) -> str:
    """Return ``value`` as safe text of at most ``width`` cells, without its beginning."""
    text = safe_text(value)
    return text if cell_len(text) <= width else "…" + _tail(text, width - 1)


def around(text: str, name: str) -> Content:
    """Return a sentence with ``name``, in bold, where it has a ``NAME``."""
    before, _, after = text.partition(NAME)
    return Content.assemble(before, (name, "bold"), after)


def _head(text: str, width: int) -> str:
    """Return as many characters from the beginning as ``width`` cells hold."""
    text = text[: max(width, 0)]
    while text and cell_len(text) > width:
        text = text[:-1]
    return text


def _tail(text: str, width: int) -> str:
    """Return as many characters of the end as ``width`` cells hold."""
    text = text[-width:] if width > 0 else ""
    while text and cell_len(text) > width:
        text = text[1:]
    return text


def number(value: float | None, digits: int = 3) -> str:
    """Write a measured number in few characters; nothing to show is an en dash."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return short(value, digits).replace("-", "−")


def told_apart(value: float | None, threshold: float | None) -> str:
    """Write a measured number so that it never reads as a threshold which it misses."""
    near = value is not None and threshold is not None and value != threshold
    digits = next((d for d in range(3, 8) if number(value, d) != number(threshold, d)), 3) if near else 3
    return number(value, digits)


def whole(value: float) -> str:
    """Write a count with thousands separated."""
    return f"{value:,.0f}" if math.isfinite(value) else number(value)


def setting_value(value: object) -> str:
    """Write a setting as a person would type it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(setting_value(part) for part in value[:8])
    if isinstance(value, float):
        return f"{value:g}" if math.isfinite(value) else number(value)
    return safe_text(value, 40)


def duration(seconds: float) -> str:
    """Write a time span: ``48 s``, ``1:12``, ``3:05:09``."""
    if not math.isfinite(seconds) or seconds < 0:
        return "–"
    whole_s = round(seconds)
    if whole_s < 60:
        return f"{whole_s} s"
    minutes, rest = divmod(whole_s, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return tr("{n} days", n=hours // 24)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def short_age(seconds: float) -> str:
    """Write a time span in at most four characters: ``48s``, ``12m``, ``5h``, ``3d``, ``2y``."""
    for unit, size, most in (("s", 1, 100), ("m", 60, 100), ("h", 3600, 48), ("d", 86_400, 1000)):
        if seconds < size * most:
            return f"{int(seconds / size)}{unit}"
    years = seconds / (365.25 * 86_400)
    return f"{int(years)}y" if years < 1000 else "–"


def byte_size(count: float) -> str:
    """Write a number of bytes: ``980 B``, ``1.2 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            break
        count, unit = count / 1000, "TB"
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"


def sparkline(values: Iterable[float], width: int) -> str:
    """Draw the last ``width`` values as bars; what is not a finite number is a space."""
    last = list(values)[-width:] if width > 0 else []
    finite = [v for v in last if math.isfinite(v)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    if high - low < 1e-12 or not math.isfinite(high - low):
        return "".join(BARS[3] if math.isfinite(v) else " " for v in last)
    scale = (len(BARS) - 1) / (high - low)
    return "".join(BARS[round((v - low) * scale)] if math.isfinite(v) else " " for v in last)
