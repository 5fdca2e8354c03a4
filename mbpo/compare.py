"""Compare groups of runs over their seeds: ``python -m mbpo.compare RUN…``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mbpo.comparison.chosen import Wanted, by_env, cautions_of, usable_runs
from mbpo.comparison.export import as_json, write_csv
from mbpo.comparison.figures import Axis, Question
from mbpo.comparison.groups import group_runs
from mbpo.comparison.measure import measure
from mbpo.comparison.picture_files import add_picture_flags, asked_pictures, say_written
from mbpo.comparison.plot import draw_comparison
from mbpo.comparison.table import print_figures
from mbpo.errors import ConfigError, MBPOError, report
from mbpo.runs.about import tags_in
from mbpo.runs.find import find_runs
from mbpo.runs.metrics import METRICS
from mbpo.settings.parser import OneLineParser
from mbpo.settings.setting import Setting, nearest, shown
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.typed_path import typed_path

THRESHOLD = Setting("--threshold", float, 0.0, "", "compare")
RESAMPLES = Setting("--resamples", int, 2000, "", "compare", low=100, high=1_000_000)
AT = Setting("--at", int, 0, "", "compare", low=0, high=10**9)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how groups of runs do against each other; notes go to stderr."""
    try:
        with our_stdout(is_program=arguments is None):
            return _compare(sys.argv[1:] if arguments is None else arguments)
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def _compare(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    question = _question(given)
    pictures = asked_pictures(given)
    wanted = Wanted(tags_in(",".join(given.tag)), given.archived)
    found, notes = find_runs(given.runs)
    found, away = wanted.of(found)
    runs, more = usable_runs(found, question.metric)
    groups, left_out = group_runs(runs)
    all_figures = [measure(alike, question) for alike in by_env(groups)]
    notes += [*away, *more, *left_out, *cautions_of(all_figures)]
    if given.csv:
        write_csv(typed_path(given.csv), all_figures)
    if pictures:
        draw_comparison(pictures, all_figures, question)
    if given.json:
        say(as_json(all_figures, question, notes))
    else:
        for figures in all_figures:
            print_figures(figures, question)
        say_written(pictures)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return 0


def _question(given: argparse.Namespace) -> Question:
    if given.metric not in METRICS:
        raise ConfigError(f"unknown metric {shown(given.metric)}{nearest(given.metric, METRICS)} (from --metric)")
    axes: tuple[Axis, ...] = ("env_steps", "time_s") if given.by == "time" else ("env_steps",)
    threshold = None if given.threshold is None else float(_number(THRESHOLD, given.threshold))
    at = given.at.split(",") if given.at is not None else []
    return Question(
        metric=given.metric,
        at=tuple(float(_number(AT, part)) for part in at),
        axes=axes,
        threshold=threshold,
        resamples=int(_number(RESAMPLES, given.resamples)),
    )


def _number(setting: Setting, text: str) -> float:
    number = setting.parse(text)
    assert isinstance(number, (int, float))
    return number


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.compare",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Group runs that differ in their seed only, and say how the groups do against "
        "each other:\nmean, interquartile mean (IQM), probability of improvement, steps to a "
        "threshold.",
        epilog="example: three seeds of MBPO against SAC on real rows only\n"
        "  python -m mbpo.train --preset pendulum --seeds 0:3 --runs-root duel\n"
        "  python -m mbpo.train --preset pendulum --seeds 0:3 --runs-root duel --algo sac\n"
        "  python -m mbpo.compare duel --at 500 --threshold -200 --png duel.png\n\n"
        "Runs of a group share every setting but seed, log_every and profile; device and threads\n"
        "count as the run resolved them, and a hand-changed run stands alone. A value holds until\n"
        "the next evaluation and never past the end of its run.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run directory, folder or glob")
    parser.add_argument("--metric", default=Question.metric, metavar="KEY", help="default eval/return_mean")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="only runs with this tag; repeated: with all of them"
    )
    parser.add_argument("--archived", action="store_true", help="count runs that were put away in the app too")
    parser.add_argument("--at", metavar="N,N", help="env steps, besides the last that all runs have")
    parser.add_argument("--by", choices=("steps", "time"), default="steps", help="time: also at equal wall time")
    parser.add_argument("--threshold", metavar="X", help="say when runs first reach X, and when they stay there")
    parser.add_argument("--resamples", default="2000", metavar="N", help="of each bootstrap, default 2000")
    parser.add_argument("--csv", metavar="FILE", help="write the figures, one a line")
    add_picture_flags(parser, "the curves")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
