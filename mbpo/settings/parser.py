"""Parse command lines, and say in one line what is wrong with one."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from mbpo.errors import ConfigError
from mbpo.settings.setting import nearest, shown
from mbpo.settings.stdout import say

NEGATIVE_NUMBER = re.compile(r"-(?:\.?[0-9]|(?:inf|infinity|nan)$)", re.IGNORECASE)


class OneLineParser(argparse.ArgumentParser):
    """Raise a one-line :class:`ConfigError` where argparse would print its usage and exit.

    What begins like a negative number is a value: argparse before Python 3.14 takes -1e0 and -20,5 for flags.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._negative_number_matcher = NEGATIVE_NUMBER  # argparse's own knows no exponent

    def print_help(self, file: Any = None) -> None:
        """Write the help where our words go."""
        say(self.format_help().rstrip("\n")) if file is None else super().print_help(file)

    def error(self, message: str) -> NoReturn:
        """Raise ``message`` with the nearest valid flag."""
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            flag = message.removeprefix(prefix).split()[0].split("=")[0]
            flags = [f for f in self._option_string_actions if f.startswith("--")]
            hint = nearest(flag, flags) if flag.startswith("-") else "; see --help"
            raise ConfigError(f"unknown argument {shown(flag)}{hint}")
        raise ConfigError(f"{message[:150]}; see --help")
