"""Say what runs where, and why: ``python -m mbpo.doctor``; with a run, what is wrong with it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mbpo.checks.diagnostic import as_text, counted
from mbpo.checks.run import check_run
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.left_behind import leave
from mbpo.errors import MBPOError, printable, report
from mbpo.lifecycle.manifest import machine, versions
from mbpo.ops import build_info
from mbpo.runs.find import runs_below
from mbpo.settings.parser import OneLineParser
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.typed_path import typed_path

ENVIRONMENTS = ("Pendulum-v1", "InvertedPendulum-v5")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what runs where, or the findings about each run; return the exit code."""
    try:
        with our_stdout(is_program=arguments is None):
            named = _parser().parse_args(arguments).runs
            return _check([run for name in named for run in _runs(typed_path(name))]) if named else _describe()
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def _check(runs: Sequence[Path]) -> int:
    """Print a line per finding and return 1 where one is a problem, else 0."""
    wrong = False
    for run, findings in [(run, check_run(run)) for run in runs]:
        say(printable(str(run)))
        found = []
        for each in findings:
            say(as_text(each))
            found.append(each)
        say(f"{counted(found)}.")
        wrong |= any(each.level == "problem" for each in found)
    return int(wrong)


def _runs(folder: Path) -> list[Path]:
    """Return ``folder``, or else the runs below it; notes on what is passed over go to stderr."""
    found = runs_below(folder)
    for note in found.notes if found.runs else ():
        print(f"note: {note}", file=sys.stderr)
    return found.runs or [folder]  # which is none, and said to be


def _describe() -> int:
    """Print versions, machine, the op's backend and which environments can be made."""
    _print("versions", versions())
    _print("machine", machine())
    ops = {name: str(info) for name, info in build_info().items()}
    on_gpu = str(build_info("cuda")["ensemble_mlp"])
    _print("op", {**ops, "all of them on cuda": on_gpu})
    _print("environments", {env_id: _environment(env_id) for env_id in ENVIRONMENTS})
    return 0


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.doctor",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Say what runs where, and why; or check run directories: files, hashes, rows,\n"
        "answers, checkpoints and where a resume would start. Nothing in them is changed or run.",
        epilog="levels:\n  ok       as it should be\n"
        "  note     readers and a resume cope; know it\n"
        "  problem  something is lost, damaged or went wrong\n\n"
        "exit codes: 0 no problem, 1 a problem, 2 a folder that is no run and holds none, or an unknown flag",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN_DIR", help="a run to check, or a folder of runs")
    return parser


def _environment(env_id: str) -> str:
    try:
        env = BoxEnv(env_id)
    except MBPOError as error:
        return str(error)
    env.close()
    return f"ok: obs [{env.obs_dim}], action [{env.action_dim}]"


def _print(title: str, facts: dict[str, object] | dict[str, str]) -> None:
    say(title)
    for name, value in facts.items():
        say(f"  {name:<20} {value}")


if __name__ == "__main__":
    leave(main())
