"""Read what the app shows from the lines of its screen."""

from __future__ import annotations

import re

from benchmarks.terminal_session import Lines


def focused(lines: Lines) -> str:
    """Return the name of the run in focus."""
    return lines[0].split(" · ")[0].strip()


def steps(lines: Lines) -> int:
    """Return the env steps in the first line."""
    found = re.search(r"([\d,]+) / [\d,]+ steps", lines[0])
    return int(found[1].replace(",", "")) if found else 0


def names(lines: Lines) -> set[str]:
    """Return the runs in the table."""
    return set(re.findall(r"hopper-\d{3}", "\n".join(lines[1:])))


def letters(lines: Lines) -> set[str]:
    """Return the letters of the runs compared, from the table of what differs between them."""
    return {found for line in lines for found in re.findall(r"\b([A-H]) +hopper-\d{3}", line)}
