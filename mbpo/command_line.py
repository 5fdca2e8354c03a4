"""Turn a command line and a TOML file into a config; every flag comes from a setting."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import tomli_w

from mbpo.config import SETTINGS, Config, resolve
from mbpo.errors import ConfigError
from mbpo.presets import PRESETS
from mbpo.runs.layout import check_run_id
from mbpo.settings import Setting, nearest, shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_CONFIG_BYTES = 1 << 20


@dataclass(frozen=True)
class Launch:
    """Hold all that a command line asks for."""

    config: Config
    runs_root: Path
    run_id: str | None

    @property
    def toml(self) -> str:
        """Return the resolved configuration as TOML."""
        return tomli_w.dumps(self.config.to_dict())


class OneLineParser(argparse.ArgumentParser):
    """Raise a one-line :class:`ConfigError` where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        """Raise ``message`` with the nearest valid flag."""
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            flag = message.removeprefix(prefix).split()[0].split("=")[0]
            flags = [f for f in self._option_string_actions if f.startswith("--")]
            hint = nearest(flag, flags) if flag.startswith("-") else "; see --help"
            raise ConfigError(f"unknown argument {shown(flag)}{hint}")
        raise ConfigError(f"{message[:150]}; see --help")


def build_parser() -> OneLineParser:
    """Return the parser of ``python -m mbpo.train``."""
    parser = OneLineParser(
        prog="python -m mbpo.train",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Learn a model of an environment and a policy from both. Prints the run "
        "directory first.\nA flag beats the file given by --config, which beats the preset.",
        epilog="presets:\n" + "\n".join(f"  {p.name:<18} {p.doc}" for p in PRESETS.values())
        + "\n\nexit codes: 0 finished or stopped on request, 2 configuration, 3 environment, "
        "4 diverged,\n5 storage, 6 checkpoint, 7 run directory in use, 8 out of memory, "
        "130 SIGINT, 143 SIGTERM",
    )  # fmt: skip
    launch = parser.add_argument_group("launch")
    launch.add_argument("--config", metavar="FILE", help="TOML file of settings.")
    launch.add_argument("--runs-root", metavar="DIR", default="runs", help="Default: ./runs.")
    launch.add_argument("--run-id", metavar="NAME", help="Default: preset, seed and time.")
    groups: dict[str, Any] = {}
    for setting in SETTINGS.values():
        if setting.group not in groups:
            groups[setting.group] = parser.add_argument_group(setting.group)
        alone = {"nargs": "?", "const": "true"} if setting.kind is bool else {}
        groups[setting.group].add_argument(
            setting.flag, metavar=_metavar(setting), help=_help(setting), **alone
        )
    return parser


def parse_launch(arguments: Sequence[str]) -> Launch:
    """Return what ``arguments`` ask for.

    Raises:
        ConfigError: a flag, file, setting or value cannot be used.
        SystemExit: after ``--help``.
    """
    given = vars(build_parser().parse_args(arguments))
    file = read_config(Path(given["config"])) if given["config"] is not None else {}
    flags = {name: text for name, text in given.items() if name in SETTINGS and text is not None}
    values: dict[str, object] = {**file}
    for name, text in flags.items():
        setting = SETTINGS[name]
        try:
            values[name] = setting.parse(text)
        except ConfigError as error:
            raise ConfigError(f"{error} (from {setting.flag})") from None
    preset = values.pop("preset", "pendulum")
    if not isinstance(preset, str):
        raise ConfigError(f"preset must be text, got {shown(preset)}")
    run_id = given["run_id"]
    return Launch(
        config=resolve(values, preset),
        runs_root=Path(given["runs_root"]).absolute(),
        run_id=None if run_id is None else check_run_id(run_id),
    )


def read_config(path: Path) -> dict[str, object]:
    """Return the settings of a TOML file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes")
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {str(error)[:100]}") from None


def _metavar(setting: Setting) -> str:
    return {bool: "true|false", int: "N", float: "X", str: "NAME", tuple: "E0,E1,K0,K1"}[
        setting.kind
    ]


def _help(setting: Setting) -> str:
    unit = f" [{setting.unit}]" if setting.unit else ""
    numeric = setting.kind in (int, float, tuple)
    within = f" in {setting.range_text}" if numeric else ""
    live = ", live" if setting.live else ""
    default = setting.default
    if isinstance(default, tuple):
        default = ",".join(f"{v:g}" for v in default)
    text = f"{setting.doc}{unit}{within} (default {default}{live})"
    return text.replace("%", "%%")
