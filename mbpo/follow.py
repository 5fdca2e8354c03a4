"""Follow runs into a tracker: ``python -m mbpo.follow RUN… --to tensorboard --live``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from mbpo.errors import ConfigError, MBPOError, report
from mbpo.outside.trackers import INTO, TRACKERS
from mbpo.outside.trackers.find import check_outside
from mbpo.outside.trackers.follow import Following, Question, be_modest
from mbpo.settings.parser import OneLineParser
from mbpo.settings.setting import nearest, shown
from mbpo.settings.stdout import our_stdout
from mbpo.settings.typed_path import typed_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring rows and events of runs into a tracker; a second call goes on where the first was killed."""
    try:
        with our_stdout(is_program=arguments is None):
            if arguments is None:
                signal.signal(signal.SIGTERM, _end)
                be_modest()
            return _follow(sys.argv[1:] if arguments is None else arguments)
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def _follow(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    if given.to not in TRACKERS:
        raise ConfigError(f"unknown tracker {shown(given.to)}{nearest(given.to, TRACKERS)} (from --to)")
    into = typed_path(given.into or INTO[given.to])
    check_outside(into)
    following = Following(Question(given.runs, TRACKERS[given.to], into, given.project, given.live))
    following.until_end()
    return 0


def _end(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.follow",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Bring every row of runs that counts into a tracker, once: what it has already is read back "
        "there,\nso a follower may be killed and started again at any time. The learner is not asked and not slowed.",
        epilog="example: three seeds, followed while they learn\n"
        "  python -m mbpo.train --preset pendulum --seeds 0:3 --runs-root runs &\n"
        "  python -m mbpo.follow runs --to tensorboard --into tb --live &\n"
        "  tensorboard --logdir tb\n\n"
        "Nothing is sent over a network. docs/outside.md says what each tracker shows.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run directory, folder or glob")
    parser.add_argument("--to", required=True, metavar="TRACKER", help=" or ".join(TRACKERS))
    parser.add_argument("--live", action="store_true", help="go on until the runs end; with a folder, until Ctrl-C")
    folders = ", ".join(f"{folder} for {name}" for name, folder in INTO.items())
    parser.add_argument("--into", metavar="FOLDER", help=f"where the tracker's files are; default {folders}")
    parser.add_argument(
        "--project", default="", metavar="NAME", help="the tracker's name for runs that belong together"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
