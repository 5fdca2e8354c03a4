"""Take a run's metrics, transitions or policy to other libraries: ``python -m mbpo.export RUN… --csv FILE``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mbpo.errors import ConfigError, MBPOError, report
from mbpo.outside.datasets.tables import needs_parquet, write_csv, write_parquet
from mbpo.runs.dataframe import load_columns
from mbpo.settings.parser import OneLineParser
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.typed_path import typed_path

TABLES = ("csv", "parquet")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write each thing asked for, and say in a line what it holds."""
    try:
        with our_stdout(is_program=arguments is None):
            return _export(_parser().parse_args(sys.argv[1:] if arguments is None else arguments))
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def _export(given: argparse.Namespace) -> int:
    if not any(getattr(given, name) is not None for name in TABLES):
        raise ConfigError("expected what to export, got none of --csv and --parquet; see --help")
    _write_tables(given)
    return 0


def _write_tables(given: argparse.Namespace) -> None:
    if given.parquet is not None:
        needs_parquet()
    columns = load_columns(*given.runs)
    for name, write in (("csv", write_csv), ("parquet", write_parquet)):
        if (file := getattr(given, name)) is not None:
            write(typed_path(file), columns)
            say(f"{file}: {len(columns['seq']):,} rows of metrics in {len(columns)} columns")


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.export",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Take what a run found to other libraries. The run stays as it is, and may still be learning.",
        epilog="example: the metrics of all runs below runs/, for a spreadsheet and for pandas\n"
        "  python -m mbpo.export runs --csv rows.csv --parquet rows.parquet\n\n"
        "A row of the tables is a line of metrics.jsonl that counts: those that a resumed run wrote again\n"
        "are left out. Columns: run seed preset env_id algo interactive parent seq attempt env_steps\n"
        "time_s, then each metric that a run has, nan where a row has none.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run directory, folder or glob")
    tables = parser.add_argument_group("metrics of one or more runs")
    tables.add_argument("--csv", metavar="FILE", help="write every row of metrics as text")
    tables.add_argument("--parquet", metavar="FILE", help="write them with their dtypes and units; needs pyarrow")
    return parser


if __name__ == "__main__":
    sys.exit(main())
