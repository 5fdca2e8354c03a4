"""Write runs as one page that opens from disk: ``python -m mbpo.report RUN…``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mbpo.comparison.chosen import Wanted, usable_runs
from mbpo.comparison.picture_files import add_picture_flags, asked_pictures, check_ending, save_pictures, say_written
from mbpo.errors import MBPOError, refused, report
from mbpo.outside.progress import told
from mbpo.outside.report.chart import Chart
from mbpo.outside.report.group_charts import EVALUATION, METRICS
from mbpo.outside.report.group_page import group_page
from mbpo.outside.report.page import Page, check_bokeh, html
from mbpo.outside.report.picture import drawn, write_charts
from mbpo.outside.report.run_facts import read_run_facts
from mbpo.outside.report.run_page import run_page
from mbpo.runs.about import tags_in
from mbpo.runs.find import find_runs
from mbpo.settings.parser import OneLineParser
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.typed_path import typed_path

FILE = "report.html"
ENDINGS = (".html", ".htm")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report and print where it is; notes go to stderr."""
    try:
        with our_stdout(is_program=arguments is None):
            return _report(sys.argv[1:] if arguments is None else arguments)
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def _report(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    output = _output(given)
    check_bokeh()
    pictures = asked_pictures(given)
    found, notes = find_runs(given.runs)
    if len(found) == 1:
        page, beside = run_page(read_run_facts(found[0])), found[0].root
    else:
        found, away = Wanted(tags_in(",".join(given.tag)), given.archived).of(found)
        runs, more = usable_runs(told(found, "reading runs"), EVALUATION, METRICS)
        notes += [*away, *more]
        page, beside = group_page(runs, notes), Path()
    path = output or beside / FILE
    _write(path, page)
    say(path)
    if pictures:
        save_pictures(drawn(_first(page)), pictures)
        say_written(pictures)
    if given.charts:
        folder = typed_path(given.charts)
        files = write_charts(folder, page.charts)
        say(f"{folder}: {len(files)} pictures")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return 0


def _first(page: Page) -> Chart:
    """Return the chart of returns, which every page has and begins with."""
    return page.charts[0]


def _write(path: Path, page: Page) -> None:
    """Write the page, whole or not at all, for those to read whom the umask lets; a link there is replaced.

    Raises:
        StorageError: the file cannot be written.
    """
    content = html(page).encode()
    building = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        building.unlink(missing_ok=True)
        with building.open("xb") as file:
            file.write(content)
        building.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            building.unlink(missing_ok=True)
        raise refused(f"cannot write {path}; give -o a file in a folder that exists", error) from None


def _output(given: argparse.Namespace) -> Path | None:
    """Return the file that -o names, None where it is not given.

    Raises:
        ConfigError: its name does not say that it is a page.
    """
    if not given.output:
        return None
    path = typed_path(given.output)
    check_ending("-o", path, ENDINGS)
    return path


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.report",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Write a run as one HTML file that opens from disk, in any browser, and asks no server for\n"
        "anything: curves to hover, zoom and click, the model's error, how far to trust it, what was\n"
        "changed by hand, what-ifs, settings, family, versions, and the commands that repeat it.",
        epilog="example:\n"
        "  python -m mbpo.train --preset pendulum --run-id swing\n"
        "  python -m mbpo.report runs/swing                        # runs/swing/report.html\n"
        "  python -m mbpo.report runs/swing --charts figures       # and each chart as PNG and SVG\n"
        "  python -m mbpo.report runs -o all.html                  # all runs below runs, compared\n\n"
        "Several runs, a folder or a glob become a comparison: runs that differ by their seed only are a\n"
        "group, drawn as the interquartile mean of its seeds with a 95 % band.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run directory, folder or glob")
    parser.add_argument(
        "-o",
        dest="output",
        metavar="FILE",
        help=f"page, .html or .htm; default RUN/{FILE}, of several runs ./{FILE}; replaced if it is there",
    )
    parser.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="of several only runs with this tag; repeated: all"
    )
    parser.add_argument("--archived", action="store_true", help="of several also runs that were put away in the app")
    add_picture_flags(parser, "the returns too")
    parser.add_argument(
        "--charts", metavar="FOLDER", help="draw every chart into it, as PNG and as SVG; needs matplotlib"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
