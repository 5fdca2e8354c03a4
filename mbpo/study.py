"""Run a study, settings × seeds, here or on a cluster: ``python -m mbpo.study study.toml --on local|ray|slurm``."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence

from mbpo import compare
from mbpo.errors import ConfigError, MBPOError, report
from mbpo.outside.report.at_end import leave_comparison
from mbpo.settings.parser import OneLineParser
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.typed_path import typed_path
from mbpo.studies.drive import Follower, failures, plan
from mbpo.studies.engine import Engine, Place
from mbpo.studies.folder import driven, keep
from mbpo.studies.local import LocalQueue
from mbpo.studies.ray_core import RayCore
from mbpo.studies.ray_search import search
from mbpo.studies.slurm import Slurm
from mbpo.studies.standing import AT_WORK, DONE, FINISHED, Standing
from mbpo.studies.study_file import read_study

ENGINES: Mapping[str, Callable[[Place], Engine]] = {"local": LocalQueue, "ray": RayCore, "slurm": Slurm}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing of a study and compare; return 0 where every run has finished."""
    try:
        with our_stdout(is_program=arguments is None):
            return _study(_parser().parse_args(sys.argv[1:] if arguments is None else arguments))
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def _study(given: argparse.Namespace) -> int:
    file = typed_path(given.file)
    study = read_study(file)
    if study.search and given.only:
        raise ConfigError("--only: a search goes on as a whole")
    place = Place(typed_path(given.runs_root).absolute(), study.only(given.only) if given.only else study)
    if place.study.search and given.on != "ray" and not given.plan:
        raise ConfigError("a [search] needs --on ray: only Ray Tune gives samples up while they run")
    if given.detach and given.on == "ray":
        raise ConfigError("--detach: on Ray this command keeps the learners; ray job submit runs it, docs/cluster.md")
    found = plan(place)
    if given.plan:
        return 0
    keep(file, place.folder, given.on)
    with contextlib.ExitStack() as alone:
        alone.enter_context(driven(place.folder))
        if place.study.search:
            return search(place)
        engine = ENGINES[given.on](place)
        left = [one.run for one in found if one.state not in (*DONE, AT_WORK)]
        with contextlib.closing(engine):
            if left:
                say(f"  {engine.submit(left)}")
            if given.detach:
                return 0
            if engine.outlives:
                alone.close()  # others may submit more of it meanwhile
            ended = _follow(place, engine)
    _compare(place, ended)
    return failures(ended, place.folder, given.on)


def _follow(place: Place, engine: Engine) -> Sequence[Standing]:
    """Return how the runs stand when all that were submitted have ended."""
    try:
        return Follower(place, engine).follow()
    except KeyboardInterrupt:
        if engine.outlives:
            say("the runs go on without this command; the same command again follows them")
        else:
            say("the runs save and end; the same command again goes on with them")
        raise


def _compare(place: Place, found: Sequence[Standing]) -> None:
    """Print the table of the runs that have finished, and leave the report beside them."""
    done = [one.paths for one in found if one.state == FINISHED]
    if not done:
        return
    compare.main([str(paths.root) for paths in done])
    for line in leave_comparison(done, place.folder / "report.html"):
        say(line)


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.study",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Run every run of a study: what is missing is begun, what was cut off goes on, what has finished\n"
        "is left alone. At the end the runs are compared. Kill it whenever you like, and start it again.",
        epilog="example: study.toml\n"
        '  name = "hopper-k"                  # the runs lie in runs/hopper-k\n'
        '  seeds = "0:8"\n'
        "  threshold = 2000                   # return from which on the task counts as solved\n"
        "  [base]                             # settings of all runs, as in config.toml\n"
        '  preset = "hopper"\n'
        "  total_steps = 50_000\n"
        "  [axes]                             # every value goes with every other, and with each seed\n"
        "  rollout_length = [1, 5, 15]\n"
        '  rule = [{name = "fixed", real_ratio = 0.05}, {name = "half", real_ratio = 0.5}]\n\n'
        "  python -m mbpo.study study.toml --plan\n"
        "  python -m mbpo.study study.toml\n\n"
        "A run is called by its values and seed, k5-fixed-s3. Values and seeds may be added later: only their\n"
        "runs are missing then. Each learner has one thread unless [base] has threads.",
    )
    parser.add_argument("file", metavar="FILE", help="the study, a TOML file")
    parser.add_argument("--on", choices=tuple(ENGINES), default="local", help="what runs them; default local")
    parser.add_argument("--runs-root", default="runs", metavar="DIR", help="default ./runs")
    parser.add_argument("--only", action="append", metavar="RUN", help="begin or go on with this run only; repeated")
    parser.add_argument("--detach", action="store_true", help="have runs begun and do not follow them; not on ray")
    parser.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
