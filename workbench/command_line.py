"""Read the app's command line, and see before Textual is there whether it has a terminal to draw in."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mbpo.errors import ConfigError, MBPOError, report
from mbpo.settings.language import ENGLISH, choose, languages
from mbpo.settings.parser import OneLineParser
from mbpo.settings.presets import PRESETS
from mbpo.settings.setting import Setting
from mbpo.settings.typed_path import typed_path
from workbench.terminal import is_served

LOCALE = Path(__file__).parent / "locale"
STREAMS = ("stdin", "stdout", "stderr")
PORT = Setting("--port", int, 8000, "", "app", low=0, high=65535)
CANNOT_DRAW = ("dumb", "unknown")  # values of TERM


def options_or_exit(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's choices.

    Raises:
        SystemExit: after ``--help``, or after a line that says what is wrong, be it that there is no terminal.
    """
    try:
        options = _parser().parse_args(arguments)
        options.runs_root = typed_path(options.runs_root)
        choose(LOCALE, ENGLISH if options.keys else options.language)
        check_together(options)
        if not (options.keys or options.serve or is_served()):
            check_terminal(options.start or "pendulum")
    except MBPOError as error:
        raise SystemExit(report(error)) from None
    return options


def check_together(options: argparse.Namespace) -> None:
    """Look for choices that contradict each other.

    Raises:
        ConfigError: there are some, or a port is none.
    """
    if options.readonly and options.start:
        raise ConfigError(f"--start {options.start} starts a run, and --read-only starts none: give one of them")
    if options.serve and options.start:
        raise ConfigError(f"--serve starts no run: python -m mbpo.train --preset {options.start} starts one beside it")
    if options.readonly and options.allow_control:
        raise ConfigError("--allow-control lets a browser steer, and --read-only does not: give one of them")
    for name in ("port", "allow_control"):
        if getattr(options, name) and not options.serve:
            raise ConfigError(f"--{name.replace('_', '-')} is for a browser: give --serve too")
    options.port = PORT.parse(options.port or str(PORT.default))


def check_terminal(preset: str) -> None:
    """Look for a terminal that the app can draw in and be typed to.

    Raises:
        ConfigError: there is none.
    """
    train = f"python -m mbpo.train --preset {preset}"
    if lacking := [name for number, name in enumerate(STREAMS) if not os.isatty(number)]:
        raise ConfigError(
            f"the app needs a terminal, but {lacking[0]} is none; train headless: {train}, or give ssh a -t"
        )
    if (term := os.environ.get("TERM", "")) in CANNOT_DRAW:
        raise ConfigError(
            f"the app needs a terminal that draws, but TERM is {term}; "
            f"give TERM=xterm-256color, or train headless: {train}"
        )


def _parser() -> OneLineParser:
    startable = [preset.name for preset in PRESETS.values() if preset.env_id]
    parser = OneLineParser(
        prog="mbpo-workbench",
        allow_abbrev=False,
        description="Launch, watch and steer runs. Quitting stops none.",
        epilog="keys.toml and settings.toml (theme) are looked for in ~/.config/mbpo-workbench; "
        "exit codes: 0 quit, 2 no terminal, a port that is taken, an unknown flag or theme. From another "
        "machine: ssh -t -L 8000:127.0.0.1:8000 host mbpo-workbench --serve, and open what it prints; "
        "or ssh host -t mbpo-workbench",
    )
    parser.add_argument("--runs-root", default="runs", metavar="DIR", help="default: ./runs")
    parser.add_argument(
        "--read-only", "--readonly", dest="readonly", action="store_true", help="watch only: start, turn, stop nothing"
    )
    parser.add_argument(
        "--serve", action="store_true", help="show the app in a browser on this machine, read-only; prints the address"
    )
    parser.add_argument("--port", metavar="N", default="", help=f"of --serve; default: {PORT.default}, 0: any free one")
    parser.add_argument("--allow-control", action="store_true", help="of --serve: the browser may start, turn, stop")
    parser.add_argument("--quiet", action="store_true", help="ring no bell where a run ends or diverges")
    parser.add_argument("--theme", metavar="NAME", default="", help="colours: night, day, high-contrast, nord …")
    parser.add_argument("--keys", action="store_true", help="print every key as a keys.toml to save and change")
    parser.add_argument(
        "--start",
        metavar="PRESET",
        default="",
        choices=["", *startable],
        help="start a run at once: " + ", ".join(startable),
    )
    parser.add_argument(
        "--language",
        metavar="LANGUAGE",
        default="",
        help=f"of the app's text: {', '.join(languages(LOCALE))}; default: that of the locale, as LANG says",
    )
    return parser
