"""Compare groups of runs over their seeds: ``python -m mbpo.compare RUN…``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from mbpo.comparison.export import as_json, write_csv
from mbpo.comparison.figures import Axis, Figures, Question
from mbpo.comparison.groups import Group, group_runs
from mbpo.comparison.measure import measure
from mbpo.comparison.picture_files import add_picture_flags, asked_pictures
from mbpo.comparison.plot import draw_comparison
from mbpo.comparison.runs import Run, read_run
from mbpo.comparison.table import print_figures
from mbpo.errors import ConfigError, MBPOError, report
from mbpo.runs.about import read_about, tags_in
from mbpo.runs.find import find_runs
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import METRICS
from mbpo.settings.parser import OneLineParser
from mbpo.settings.setting import Setting, nearest, shown
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.typed_path import typed_path

THRESHOLD = Setting("--threshold", float, 0.0, "", "compare")
RESAMPLES = Setting("--resamples", int, 2000, "", "compare", low=100, high=1_000_000)
AT = Setting("--at", int, 0, "", "compare", low=0, high=10**9)
FEW_SEEDS = 5


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
    wanted = _Wanted(tags_in(",".join(given.tag)), given.archived)
    runs, notes = _usable_runs(given.runs, question.metric, wanted)
    groups, left_out = group_runs(runs)
    all_figures = [measure(alike, question) for alike in _by_env(groups)]
    notes += left_out + _cautions(all_figures)
    if given.csv:
        write_csv(typed_path(given.csv), all_figures)
    if pictures:
        draw_comparison(pictures, all_figures, question)
    if given.json:
        say(as_json(all_figures, question, notes))
    else:
        for figures in all_figures:
            print_figures(figures, question)
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


@dataclass(frozen=True)
class _Wanted:
    """Say which of the runs found count, by what people said of them."""

    tags: tuple[str, ...] = ()  # a run has all of these
    archived: bool = False  # whether those put away count too

    def of(self, found: Sequence[RunPaths]) -> tuple[list[RunPaths], list[str]]:
        """Return the runs that count, and notes on those that do not.

        Raises:
            ConfigError: none does.
        """
        said = {paths: read_about(paths) for paths in found}
        away = [paths for paths, about in said.items() if about.archived and not self.archived]
        kept = [paths for paths, about in said.items() if paths not in away and {*self.tags} <= {*about.tags}]
        if not kept:
            have = f"has the tag {' and '.join(self.tags)}" if self.tags else "is not archived; give --archived"
            raise ConfigError(f"expected at least one run, but of {_counted(len(found), 'run')} found none {have}")
        notes = [f"{_counted(len(away), 'archived run')} left out; --archived counts them"] if away else []
        return kept, notes


def _usable_runs(patterns: Sequence[str], metric: str, wanted: _Wanted) -> tuple[list[Run], list[str]]:
    """Return the runs that have the metric, and notes on what is left out and what has not finished."""
    found, notes = find_runs(patterns)
    found, away = wanted.of(found)
    notes += away
    runs = [read_run(paths, metric) for paths in found]
    usable = [run for run in runs if run.curve.values.size]
    if not usable:
        raise ConfigError(
            f"expected at least one evaluation, but no row of metrics.jsonl has {metric} in "
            f"{_counted(len(runs), 'run')} yet; wait for eval_every env steps, or give --metric"
        )
    return usable, notes + [note for run in runs for note in _run_notes(run, metric)]


def _run_notes(run: Run, metric: str) -> list[str]:
    state, curve = run.status.derived_state(), run.curve
    where = f"at {curve.end_env_steps:,.0f} of {run.settings['total_steps']:,} env steps"
    if not curve.values.size:
        return [f"{run.name} is left out: {state} {where} without {metric}"]
    notes = []
    if state != "finished":
        notes.append(f"{run.name} is {state} {where}")
    if curve.without_value:
        rows = _counted(curve.without_value, "row")
        notes.append(f"{run.name}: {rows} of {metric} without a finite value left out")
    return notes


def _by_env(groups: Sequence[Group]) -> list[list[Group]]:
    gathered: dict[str, list[Group]] = {}
    for group in groups:
        gathered.setdefault(group.env_id, []).append(group)
    return list(gathered.values())


def _cautions(all_figures: Sequence[Figures]) -> list[str]:
    fewest = min(score.seeds for figures in all_figures for score in figures.scores)
    if fewest >= FEW_SEEDS:
        return []
    return [
        f"some figures stand on {_counted(fewest, 'seed')}; of fewer than {FEW_SEEDS} seeds the intervals of IQM and P "
        "are too narrow (IQM's of 3 seeds holds the true value in 75 % of experiments), and one seed has none"
    ]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


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
