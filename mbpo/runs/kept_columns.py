"""Hold numbers of the rows of metrics that count, in 8 bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from mbpo.runs.rows import Rewrites


def cut(seqs: array[int], seq: int, *columns: array[Any]) -> array[Any]:
    """Drop from ``columns``, and from ``seqs`` that belong to them, all from ``seq`` on.

    Returns what is gone from the first column.
    """
    at = bisect_left(seqs, seq)
    dropped = columns[0][at:]
    del seqs[at:]
    for column in columns:
        del column[at:]
    return dropped


class KeptColumns:
    """Hold a few numbers of each row that counts, in order."""

    def __init__(self, types: str) -> None:
        """Begin with an empty column for each character of ``types``: q for whole numbers, d for others."""
        self.columns: tuple[array[Any], ...] = tuple(array(kind) for kind in types)
        self._seqs = array("q")
        self._rewrites = Rewrites()

    def __len__(self) -> int:
        return len(self._seqs)

    @property
    def newest(self) -> int:
        """Return the seq of the row taken in last, -1 before the first."""
        return self._rewrites.newest

    def take_in(self, row: Mapping[str, Any]) -> array[Any]:
        """Return the first number of each row that ``row`` supersedes; those rows are dropped."""
        seq = self._rewrites.superseded_by(row)
        return cut(self._seqs, seq, *self.columns) if seq is not None else self.columns[0][:0]

    def append(self, *numbers: float) -> None:
        """Add the numbers of the row taken in last."""
        self._seqs.append(self.newest)
        for column, number in zip(self.columns, numbers, strict=True):
            column.append(number)
