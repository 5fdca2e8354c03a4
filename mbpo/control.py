"""Steer a running learner: ``python -m mbpo.control RUN_DIR set rollout_length=3``."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from typing import Any

from mbpo.errors import ConfigError, MBPOError, RecordError, StorageError, report
from mbpo.runs.command import ACTIONS, send, wait_for_answer
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.json_text import decode, encode
from mbpo.runs.status import ENDED, read_status
from mbpo.settings.config import LIVE_SETTINGS
from mbpo.settings.parser import OneLineParser
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.typed_path import typed_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Send one command, wait for its answer, print it; return 0 applied, 1 rejected."""
    try:
        with our_stdout(is_program=arguments is None):
            return _control(sys.argv[1:] if arguments is None else arguments)
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def _control(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    if not given.timeout >= 0:
        raise ConfigError(f"--timeout must be seconds from 0, got {given.timeout}")
    paths = RunPaths(typed_path(given.run_dir))
    if given.action == "set":
        command: dict[str, Any] = {"settings": _assignments(given.assignment)}
    elif given.assignment:
        raise ConfigError(f"{given.action} takes no value, got {given.assignment[0][:40]!a}")
    else:
        command = {"action": given.action}
    status = read_status(paths)
    if status is None:
        raise StorageError(f"{paths.root} is not a run directory: it has no readable status.json")
    state = status.derived_state()
    if state in ENDED or state == "lost":
        say(f"rejected: the run is {state}")
        return 1
    by = f"{_user()[:100]} (command line)"
    command_id = send(paths, **command, by=by, expect_revision=given.expect_revision)
    answer = wait_for_answer(paths, command_id, given.timeout)
    if answer is None:
        say(f"no answer within {given.timeout:g} s; the run is {state}")
        return 1
    say(encode(answer))
    return 0 if answer.get("status") == "applied" else 1


def _parser() -> OneLineParser:
    live = "\n".join(f"  {s.name:<16} {s.doc} Must {s.expected}." for s in LIVE_SETTINGS.values())
    parser = OneLineParser(
        prog="python -m mbpo.control",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Steer a running learner and wait for its answer.",
        epilog=f"settings that a running learner accepts:\n{live}",
    )
    parser.add_argument("run_dir", metavar="RUN_DIR")
    parser.add_argument("action", choices=["set", *ACTIONS])
    parser.add_argument("assignment", nargs="*", metavar="NAME=VALUE", help="for set")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="S", help="seconds to wait")
    parser.add_argument("--expect-revision", type=int, metavar="N", help="reject unless nothing changed since N")
    return parser


def _assignments(texts: Sequence[str]) -> dict[str, Any]:
    """Return the values to send; the learner, not this command, judges them."""
    if not texts:
        raise ConfigError("set needs NAME=VALUE, for example: set rollout_length=3 real_ratio=0.2")
    values: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise ConfigError(f"expected NAME=VALUE, got {text[:40]!a}")
        if name in LIVE_SETTINGS and LIVE_SETTINGS[name].length:
            value = f"[{value.strip('[]')}]"
        try:
            values[name] = decode(value.encode("utf-8", "surrogateescape"))
            encode(values[name])
        except RecordError:
            values[name] = value
    return values


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id without a name, as in a container
        return "unknown user"


if __name__ == "__main__":
    sys.exit(main())
