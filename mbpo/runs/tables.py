"""Write the tables that spreadsheets read; both follow from the rows of ``metrics.jsonl``."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from mbpo.runs.append import AppendFile
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import METRICS
from mbpo.runs.records.row import kind_of
from mbpo.runs.rows import whole

COLUMNS = ("env_steps", "time_s", *METRICS)


class Tables:
    """Write ``progress.csv``, a line per evaluation, and the tutorial's returns, per episode."""

    def __init__(self, paths: RunPaths, env_id: str) -> None:
        """Begin both tables; those of an earlier attempt are written anew from its rows."""
        returns = paths.returns_csv(env_id)
        paths.progress.unlink(missing_ok=True)
        returns.unlink(missing_ok=True)
        self._progress = AppendFile(paths.progress)
        self._returns = AppendFile(returns)
        self._latest: dict[str, Any] = {}
        self._progress.append(_csv_line(COLUMNS))
        self._returns.append(b"Episodes,Returns")

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in a row of metrics.

        Raises:
            StorageError: the file system refuses.
        """
        self._latest.update(row)
        kind = kind_of(row)
        if kind == "episode" and (index := whole(row.get("episode/index"))) is not None:
            line = f"{index - 1},{row.get('episode/return')!r}"
            self._returns.append(line.encode())
        elif kind == "evaluation":
            self._progress.append(_csv_line([self._latest.get(key, "") for key in COLUMNS]))

    @property
    def files(self) -> tuple[AppendFile, AppendFile]:
        """Return both files."""
        return self._progress, self._returns


def _csv_line(cells: tuple[str, ...] | list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue().encode()
