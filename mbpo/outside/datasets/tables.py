"""Write the rows of metrics that count as CSV or Parquet, each column with one dtype."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from mbpo.errors import ConfigError, printable
from mbpo.outside.whole_file import whole_file
from mbpo.runs.metrics import METRICS
from mbpo.settings.packages import install_command

FORMULA = ("=", "+", "-", "@", "'")  # how what a spreadsheet calculates begins, and the mark that keeps it from it

Columns = Mapping[str, NDArray[Any]]


def write_csv(path: Path, columns: Columns) -> None:
    """Write a line per row; a number that a row lacks is ``nan``, and every float reads back to the bit.

    In texts, what a terminal could obey is an escape; before what a spreadsheet would calculate stands an apostrophe.

    Raises:
        ConfigError, StorageError: the file cannot be written.
    """
    with whole_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(_cells(column) for column in columns.values()), strict=True))
        text.detach()


def needs_parquet() -> None:
    """Check that Parquet can be written.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    _pyarrow()


def write_parquet(path: Path, columns: Columns) -> None:
    """Write a column per name; a metric's field carries its unit and meaning, and NaN stays NaN.

    Raises:
        ConfigError: pyarrow is not installed.
        ConfigError, StorageError: the file cannot be written.
    """
    arrow, parquet = _pyarrow(), importlib.import_module("pyarrow.parquet")
    arrays = [_arrow_array(arrow, column) for column in columns.values()]
    named = zip(columns, arrays, strict=True)
    fields = [arrow.field(name, array.type, metadata=_about(name)) for name, array in named]
    with whole_file(path) as file:
        parquet.write_table(arrow.Table.from_arrays(arrays, schema=arrow.schema(fields)), file)


def _arrow_array(arrow: ModuleType, column: NDArray[Any]) -> Any:
    if column.dtype != object:
        return arrow.array(column)
    return arrow.array([_text(value) for value in column], arrow.string())


def _about(name: str) -> dict[str, str] | None:
    metric = METRICS.get(name)
    return {"unit": metric.unit, "meaning": metric.meaning} if metric else None


def _cells(column: NDArray[Any]) -> list[Any]:
    if column.dtype != object:
        return list(column.tolist())
    texts = map(printable, column)
    return ["'" + text if text.startswith(FORMULA) else text for text in texts]


def _text(value: str) -> str:
    """Return a text that UTF-8 can hold: of a file's name that is no text, each byte becomes an escape."""
    return value.encode("utf-8", "backslashreplace").decode()


def _pyarrow() -> ModuleType:
    try:
        return importlib.import_module("pyarrow")
    except ImportError:
        raise ConfigError(f"--parquet needs pyarrow: {install_command('pyarrow')}") from None
