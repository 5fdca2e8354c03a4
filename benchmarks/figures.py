"""Set figures of several tries side by side: medians, spreads, aims, a file of them."""

from __future__ import annotations

import csv
import datetime
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """Hold what was found of one thing by the contestants, a value per try.

    Attributes:
        what: the situation.
        measure: what was measured, with its unit.
        found: by contestant, its values; the last contestant's are ours.
        aim: the most that ours may be; None where none was set.
    """

    what: str
    measure: str
    found: dict[str, list[float]]
    aim: float | None = None

    @property
    def met(self) -> str:
        """Return whether our median is within the aim, in a word."""
        if self.aim is None:
            return ""
        return "met" if statistics.median([*self.found.values()][-1]) <= self.aim else "missed"


def machine() -> str:
    """Return the machine in words."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = names[0] if names else platform.processor() or platform.machine()
    return f"{cores} cores {model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def at(values: Sequence[float], share: float) -> float:
    """Return a quantile, one of the values: the worst of up to a hundred at 0.99."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def write(figures: Sequence[Figure]) -> None:
    """Print a table that Markdown reads: median (least–most) of each contestant, the aim, and whether it is met."""
    names = list(figures[0].found)
    rows = [["", "", "aim", *names, ""]]
    for figure in figures:
        aim = "" if figure.aim is None else f"≤ {figure.aim:.3g}"
        rows.append([figure.what, figure.measure, aim, *(_spread(figure.found[name]) for name in names), figure.met])
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        print("| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) + " |")


def save(file: Path, figures: Sequence[Figure], versions: dict[str, str]) -> None:
    """Write a row per figure and contestant."""
    today, here = datetime.date.today().isoformat(), machine()
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(
            ["what", "measure", "aim", "of", "version", "median", "least", "most", "tries", "date", "machine"]
        )
        for figure in figures:
            for name, values in figure.found.items():
                numbers = (f"{v:.4g}" for v in (statistics.median(values), min(values), max(values)))
                aim = "" if figure.aim is None else f"{figure.aim:.4g}"
                row = [figure.what, figure.measure, aim, name, versions[name], *numbers, len(values), today, here]
                writer.writerow(row)


def _spread(values: Sequence[float]) -> str:
    low, middle, high = (f"{v:.3g}" for v in (min(values), statistics.median(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low}–{high})"
