"""Put the metrics of many runs into one table for pandas, which is optional."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mbpo.errors import ConfigError
from mbpo.runs.config_file import read_settings
from mbpo.runs.find import find_runs
from mbpo.runs.kept_rows import KeptRows, read_kept
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import METRICS
from mbpo.runs.rows import plain_number, whole
from mbpo.runs.status import RunStatus, read_status
from mbpo.settings.packages import install_command

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("run", "seed", "preset", "env_id", "algo", "interactive", "parent")
COUNTS = ("seq", "attempt", "env_steps")

Columns = Mapping[str, NDArray[Any]]


def load_runs(*patterns: str | Path) -> pd.DataFrame:
    """Return every row of metrics of the runs that ``patterns`` name, run after run, in order.

    ``patterns`` are run directories, folders of them and globs: ``load_runs("runs/**")``. A column
    for each of ``run seed preset env_id algo interactive parent`` (RUN@STEP that it is a fork of,
    or an empty text), ``seq attempt env_steps time_s``, and each metric that a run has, NaN where a
    row has none. Rows that a resumed run wrote again are left out.

    Raises:
        ConfigError: pandas is not installed, a pattern names no run, or a config.toml cannot be
            used.
    """
    try:
        import pandas as pd
    except ImportError:
        raise ConfigError(f"load_runs needs pandas: {install_command('pandas')}") from None
    return pd.DataFrame(load_columns(*patterns))


def load_columns(*patterns: str | Path) -> dict[str, NDArray[Any]]:
    """Return the columns of :func:`load_runs` by name, without pandas.

    Raises:
        ConfigError: a pattern names no run, or a config.toml cannot be used.
    """
    runs, _ = find_runs([p if isinstance(p, str) else str(p.absolute()) for p in patterns])
    return columns_of(runs)


def columns_of(runs: Iterable[RunPaths]) -> dict[str, NDArray[Any]]:
    """Return the columns of :func:`load_runs` for runs that were found.

    Raises:
        ConfigError: a config.toml cannot be used.
    """
    tables = [_columns(paths) for paths in runs]
    names = [*LABELS, *COUNTS, "time_s", *(key for key in METRICS if any(key in t for t in tables))]
    return {name: _joined(tables, name) for name in names}


def _columns(paths: RunPaths) -> Columns:
    settings, status = read_settings(paths), read_status(paths) or RunStatus()
    rows, _ = read_kept(paths.metrics)
    labels = {
        **{name: settings[name] for name in ("seed", "preset", "env_id", "algo")},
        "run": paths.run_id,
        "interactive": status.interactive,
        "parent": status.parent,
    }
    return {**{name: _repeated(value, len(rows)) for name, value in labels.items()}, **_numbers(rows)}


def _repeated(value: object, times: int) -> NDArray[Any]:
    kind = object if isinstance(value, str) else np.int64 if type(value) is int else None
    return np.full(times, value, dtype=kind)


def _numbers(rows: KeptRows) -> Columns:
    """Return the numbers of rows that are read one after another: none stays."""
    counts = {name: np.zeros(len(rows), np.int64) for name in COUNTS}
    there = [key for key in ("time_s", *METRICS) if key in rows.facts.keys]
    values = {key: np.full(len(rows), np.nan) for key in there}
    for index, row in enumerate(rows):
        for name, count in counts.items():
            count[index] = whole(row.get(name)) or 0
        for key in row.keys() & values.keys():
            if plain_number(row[key]):
                values[key][index] = row[key]
    return {**counts, **values}


def _joined(tables: list[Columns], name: str) -> NDArray[Any]:
    return np.concatenate([t.get(name, np.full(len(t["seq"]), np.nan)) for t in tables])
