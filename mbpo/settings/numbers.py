"""Write measured numbers in few characters."""

from __future__ import annotations


def short(value: float, digits: int = 3) -> str:
    """Return ``value`` to so many digits, or to whole numbers where those are more; powers of ten from 1e6 on.

    >>> short(0.12345), short(999.7), short(-99_999.6), short(2.5e7)
    ('0.123', '1,000', '-100,000', '2.5e7')
    """
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-4:
        return f"{value:.1e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    text = f"{value:.{digits}g}"
    return f"{value:,.0f}" if "e" in text else text  # as of 999.7, which rounds up to a power of ten


def duration(seconds: float) -> str:
    """Return minutes and seconds, and hours where there are any."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, seconds_left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds_left:02}" if hours else f"{minutes}:{seconds_left:02}"
