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
    signals = _Signals()
    try:
        with our_stdout(is_program=arguments is None):
            if arguments is None:
                signals.take()
                be_modest()
            return _follow(sys.argv[1:] if arguments is None else arguments, signals)
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 128 + (signals.got or signal.SIGINT)


def _follow(arguments: Sequence[str], signals: _Signals) -> int:
    given = _parser().parse_args(arguments)
    if given.to not in TRACKERS:
        raise ConfigError(f"unknown tracker {shown(given.to)}{nearest(given.to, TRACKERS)} (from --to)")
    into = typed_path(given.into or INTO[given.to])
    check_outside(into)
    question = Question(given.runs, TRACKERS[given.to], into, given.project, given.live)
    Following(question, lambda: bool(signals.got)).until_end()
    return 0


class _Signals:
    """Note the first signal that asks for an end, for when no batch is half written; the second ends at once."""

    def __init__(self) -> None:
        self.got = 0

    def take(self) -> None:
        """Take SIGINT and SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, _: object) -> None:
        if self.got:
            raise KeyboardInterrupt
        self.got = number


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
