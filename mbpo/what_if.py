"""Measure which setting would have been best from an env step on: ``python -m mbpo.what_if RUN_DIR --set …``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence

from msgspec import to_builtins

from mbpo.comparison.answer import Answer, answer
from mbpo.comparison.answer_json import answer_record
from mbpo.comparison.answer_plot import write_answer_png
from mbpo.comparison.answer_table import print_answer
from mbpo.comparison.fork_scores import METRIC, ForkScore, read_fork
from mbpo.errors import ConfigError, MBPOError, refused, report
from mbpo.runs.layout import write_json
from mbpo.runs.origin import folders
from mbpo.runs.what_ifs import ANSWERED, FOLDER
from mbpo.seeds.fork_pool import run_forks
from mbpo.seeds.forks import Fork, Forks
from mbpo.seeds.question import Question, ask
from mbpo.settings.arms import REPEATS, STEPS
from mbpo.settings.parser import OneLineParser
from mbpo.settings.setting import Setting, shown
from mbpo.settings.stdout import our_stdout, say, stdout

EVAL_EVERY = Setting("--eval-every", int, 500, "", "what if", low=1, high=10**9)
JOBS = Setting("--jobs", int, 1, "", "what if", low=1, high=1000)
THREADS = Setting("--threads", int, 1, "", "what if", low=1, high=256)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run forks of one history, each with another setting, and print how they did; notes go to stderr."""
    try:
        with our_stdout(of_learner=True, is_program=arguments is None):
            return _what_if(sys.argv[1:] if arguments is None else arguments)
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def _what_if(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    question, notes = ask(
        given.run,
        given.set,
        steps=_number(STEPS, given.steps),
        eval_every=None if given.eval_every is None else _number(EVAL_EVERY, given.eval_every),
        repeats=_number(REPEATS, given.repeats),
        threads=None if given.threads is None else _number(THREADS, given.threads),
        module_path=folders(given.module_path),
        command=["python", "-m", "mbpo.what_if", *arguments],
    )
    jobs = None if given.jobs is None else _number(JOBS, given.jobs)
    forks = Forks(question)
    received = run_forks(question, forks, jobs, sys.stderr if given.json else stdout().file)
    finished = sum(fork.run.finished for fork in forks.all)
    if received and finished < len(forks.all):
        _note(f"{finished} of {len(forks.all)} forks are finished, in {forks.folder}; the same command goes on")
        return 128 + received[0]
    _answer(question, forks, notes, as_json=given.json)
    return next((f.run.exit_code for f in forks.all if f.run.exit_code and f.run.state != "diverged"), 0)


def _answer(question: Question, forks: Forks, notes: Sequence[str], *, as_json: bool) -> None:
    """Print and write what the forks came to."""
    scores = [_score(question, fork) for fork in forks.all]
    found = answer([arm.name for arm in question.arms], scores, question.repeats)
    where = f"{shown(question.run.run_id)}@{question.step}, {question.config.env_id}"
    title = f"{where}: {METRIC} of forks of {question.steps:,} env steps"
    changes = {arm.name: arm.changes for arm in question.arms}
    record = to_builtins(answer_record(question.facts, changes, scores, found))
    try:
        write_json(forks.folder / ANSWERED, record)
    except OSError as error:
        raise refused(f"cannot write in {forks.folder}", error) from None
    forks.withdraw()
    undrawn = list(_drawn(forks, found, title, question))
    if as_json:
        say(json.dumps(record, allow_nan=False))
    else:
        print_answer(found, title, question.end, len(question.evaluated_at))
        say(f"what_if.json, what_if.png and the forks: {forks.folder}")
    for note in (*notes, *found.notes, *undrawn):
        _note(note)


def _score(question: Question, fork: Fork) -> ForkScore:
    seed = question.config.seed if fork.seed is None else fork.seed
    if fork.run.status is None:  # it never began
        return ForkScore(fork.arm.name, fork.repeat, seed, fork.run.state, fork.run.reason)
    return read_fork(fork.run.paths, fork.arm.name, fork.repeat, seed, question.step, question.evaluated_at)


def _drawn(forks: Forks, found: Answer, title: str, question: Question) -> Iterator[str]:
    """Draw the answer; yield why that was not possible: the table is worth more than its picture."""
    try:
        write_answer_png(forks.folder / "what_if.png", found, title, question.end)
    except ConfigError as error:
        yield str(error)


def _number(setting: Setting, text: str) -> int:
    number = setting.parse(text)
    assert isinstance(number, int)
    return number


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.what_if",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure which setting would have been best from an env step of a run on: exact forks of its\n"
        "history, each with another setting, learn on and are compared in pairs.",
        epilog="example: would another k have been better from env step 600 on, or fewer real rows?\n"
        "  python -m mbpo.train --preset pendulum --run-id swing\n"
        "  python -m mbpo.what_if runs/swing@600 --set rollout_length=1,15 --set real_ratio=0.1 --steps 400\n\n"
        'That makes four arms: each value is one, and the settings in force are one more, "as it is". Each arm\n'
        "is tried --repeats times. A repeat has the same random streams in every arm: the first those of the run\n"
        'itself, so that "as it is" there is the run\'s own future; every other a seed of its own. The table\n'
        'has each arm\'s score at the end, what it is over "as it is" with a 95 % interval of the paired\n'
        "differences (Student's t), and P(best), how often it leads when the repeats are drawn again.\n\n"
        f"The forks are runs in {FOLDER}/RUN_ID@STEP beside the run, with what_if.json and what_if.png. What looks\n"
        "for runs passes over that folder; name it to see them. The same command again goes on after a stop\n"
        "or a kill, and one with other arms, more --repeats or both keeps the forks that they share. Remove the\n"
        "folder when the question is answered.\n\n"
        "An arm of k_policy or rollout_schedule takes rollout_length=auto along: a number would overrule both.",
    )
    parser.add_argument(
        "run", metavar="RUN_DIR[@STEP]", help="where the arms part; without STEP at the newest checkpoint"
    )
    parser.add_argument(
        "--set",
        metavar="NAME=V,V",
        action="append",
        default=[],
        help="an arm for each value, as on the command line of mbpo.train; repeated. rollout_schedule, "
        "wrappers and env_kwargs take one whole value: --set rollout_schedule=20,150,1,15",
    )
    parser.add_argument("--steps", metavar="N", default="2000", help="env steps of each fork, default 2000")
    parser.add_argument(
        "--repeats", metavar="N", default="4", help="forks of each arm, default 4; one gives no interval"
    )
    parser.add_argument("--eval-every", metavar="N", help="env steps between evaluations, default a quarter of --steps")
    parser.add_argument("--jobs", metavar="N", help="forks at once, default as many as the cores carry")
    parser.add_argument(
        "--threads",
        metavar="N",
        help="of each fork, default those of the run: another number rounds differently, and the first "
        'repeat of "as it is" is then no longer the run\'s own future to the bit',
    )
    parser.add_argument("--module-path", metavar="DIR", action="append", help="where the run's own modules lie")
    parser.add_argument("--json", action="store_true", help="print what_if.json; progress goes to stderr")
    return parser


if __name__ == "__main__":
    sys.exit(main())
