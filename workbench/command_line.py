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
from mbpo.settings.typed_path import typed_path

LOCALE = Path(__file__).parent / "locale"
STREAMS = ("stdin", "stdout", "stderr")
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
        if options.readonly and options.start:
            raise ConfigError(f"--start {options.start} starts a run, and --read-only starts none: give one of them")
        if not options.keys:
            check_terminal(options.start or "pendulum")
    except MBPOError as error:
        raise SystemExit(report(error)) from None
    return options


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
        "exit codes: 0 quit, 2 no terminal, an unknown flag or theme",
    )
    parser.add_argument("--runs-root", default="runs", metavar="DIR", help="default: ./runs")
    parser.add_argument(
        "--read-only", "--readonly", dest="readonly", action="store_true", help="watch only: start, turn, stop nothing"
    )
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
