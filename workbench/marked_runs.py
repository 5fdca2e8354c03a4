"""Keep which runs are marked for comparison, each with a letter of its own."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterable
from pathlib import Path

LETTERS = string.ascii_uppercase + string.ascii_lowercase


class MarkedRuns:
    """Hold the marked runs. A letter stays with its run until the mark is taken off."""

    def __init__(self) -> None:
        self._letters: dict[Path, str] = {}

    @property
    def letters(self) -> dict[Path, str]:
        """Return the letter of every marked run, in the order of the letters."""
        return dict(sorted(self._letters.items(), key=lambda item: item[1]))

    def add(self, paths: Iterable[Path]) -> int:
        """Mark the runs at ``paths`` in this order; return how many found no letter."""
        new = [path for path in dict.fromkeys(paths) if path not in self._letters]
        free = [letter for letter in LETTERS if letter not in self._letters.values()]
        self._letters |= zip(new, free, strict=False)
        return max(len(new) - len(free), 0)

    def remove(self, path: Path) -> None:
        """Take the mark off one run."""
        self._letters.pop(path, None)

    def clear(self) -> None:
        """Take off every mark."""
        self._letters.clear()

    def keep(self, paths: Collection[Path]) -> None:
        """Take the marks off all runs but those at ``paths``."""
        self._letters = {path: at for path, at in self._letters.items() if path in paths}
