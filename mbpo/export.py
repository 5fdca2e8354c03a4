"""Take a run's metrics, transitions or policy to other libraries: ``python -m mbpo.export RUN… --csv FILE``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mbpo.errors import ConfigError, MBPOError, printable, report
from mbpo.lifecycle.saved_policy import at_home
from mbpo.outside.datasets.minari_dataset import Made, write_minari
from mbpo.outside.datasets.minari_folder import datasets_root, folder_of, needs_minari
from mbpo.outside.datasets.tables import needs_parquet, write_csv, write_parquet
from mbpo.outside.policy import portable
from mbpo.outside.policy_files import needs_onnx, write_onnx, write_torch
from mbpo.outside.progress import told
from mbpo.runs.dataframe import columns_of
from mbpo.runs.find import find_runs
from mbpo.runs.layout import RunPaths
from mbpo.runs.origin import folders
from mbpo.settings.parser import OneLineParser
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.typed_path import typed_path

TABLES, OF_ONE_RUN = ("csv", "parquet"), ("minari", "onnx", "torch")


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
    wanted = [name for name in (*TABLES, *OF_ONE_RUN) if getattr(given, name) is not None]
    if not wanted:
        raise ConfigError("expected what to export, one or more of --csv --parquet --minari --onnx --torch; see --help")
    alone = [name for name in wanted if name in OF_ONE_RUN]
    run = _only_run(given.runs, alone[0]) if alone else None
    _check_first(given)
    if {*wanted} & {*TABLES}:
        _write_tables(given)
    if run is not None:
        _export_run(given, run)
    return 0


def _check_first(given: argparse.Namespace) -> None:
    """Refuse what cannot be written before a part of it is."""
    if given.parquet is not None:
        needs_parquet()
    if given.onnx is not None:
        needs_onnx()
    if given.minari is not None:
        needs_minari()
        folder_of(datasets_root(), given.minari, given.force)


def _only_run(patterns: Sequence[str], what: str) -> RunPaths:
    found, _ = find_runs(patterns)
    if len(found) > 1:
        raise ConfigError(f"--{what} is of one run, got {len(found)}; name one of them")
    return found[0]


def _export_run(given: argparse.Namespace, run: RunPaths) -> None:
    asked = (given.onnx, write_onnx), (given.torch, write_torch)
    files = [(file, typed_path(file).absolute(), write) for file, write in asked if file is not None]
    root = datasets_root()
    with at_home(run, folders(given.module_path)) as config:  # in another folder, maybe
        policy = portable(run, given.checkpoint) if files else None
        for file, path, write in files:
            assert policy is not None
            say(f"{file}: {write(path, policy)}")
        if given.minari is not None:
            _say_minari(given.minari, write_minari(run, config, root, given.minari, given.force))


def _say_minari(name: str, made: Made) -> None:
    say(f"{name}: {made.episodes:,} episodes of {made.steps:,} transitions in {printable(made.folder)}")
    for note in made.notes:
        print(f"note: {printable(note)}", file=sys.stderr)


def _write_tables(given: argparse.Namespace) -> None:
    found, _ = find_runs(given.runs)
    columns = columns_of(told(found, "reading runs"))
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
        "time_s, then each metric that a run has, nan where a row has none.\n\n"
        "example: what it lived through, for other learners; Minari keeps its datasets in\n"
        "~/.minari/datasets, or where MINARI_DATASETS_PATH says\n"
        "  python -m mbpo.export runs/hopper-s0 --minari hopper/mbpo-v0\n"
        "  python -c 'import minari; print(minari.load_dataset(\"hopper/mbpo-v0\").total_steps)'\n\n"
        "example: its best policy, for a robot or a page without torch\n"
        "  python -m mbpo.export runs/hopper-s0 --onnx policy.onnx\n"
        "  python -c 'import onnxruntime; print(onnxruntime.InferenceSession(\"policy.onnx\").get_inputs()[0].shape)'\n"
        "A policy takes raw flat observations [N, O] and returns actions in the environment's units; it is\n"
        "written only if it acts as the learner does on 1,000 observations.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run directory, folder or glob")
    tables = parser.add_argument_group("metrics of one or more runs")
    tables.add_argument("--csv", metavar="FILE", help="write every row of metrics as text")
    tables.add_argument("--parquet", metavar="FILE", help="write them with their dtypes and units; needs pyarrow")
    one = parser.add_argument_group("of one run")
    one.add_argument("--minari", metavar="NAME", help="make its real transitions a Minari dataset, GROUP/NAME-vN")
    one.add_argument("--force", action="store_true", help="replace the dataset of that name")
    one.add_argument("--onnx", metavar="FILE", help="write its policy, tanh(mean), as ONNX; needs onnx and onnxscript")
    one.add_argument("--torch", metavar="FILE", help="write its policy as a program of torch.export, .pt2")
    one.add_argument(
        "--checkpoint",
        default="best",
        metavar="WHICH",
        help="of the policy: best (default), final, last or an env step",
    )
    one.add_argument("--module-path", metavar="DIR", action="append", help="where the run's own modules lie")
    return parser


if __name__ == "__main__":
    sys.exit(main())
