"""Turn a command line and a TOML file into a config; every flag comes from a setting."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from mbpo.errors import ConfigError
from mbpo.lifecycle.train_help import USAGE, defaults_beside, description, epilog, help_of, metavar
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RunPaths, check_run_id
from mbpo.runs.origin import folders
from mbpo.settings.arms import NOT_OF_A_FORK
from mbpo.settings.config import SETTINGS, Config, resolve, resolve_run
from mbpo.settings.grid import MOST_RUNS, Grid, parse_grid, parse_seeds
from mbpo.settings.parser import OneLineParser
from mbpo.settings.presets import how_chosen
from mbpo.settings.setting import Setting, shown
from mbpo.settings.typed_path import path_at_step, typed_path

OF_A_RESUME = ("resume", "runs_root", "module_path")  # runs_root always has a value
OF_A_REPLAY = ("replay", "runs_root", "run_id", "module_path")
OF_KIND: Mapping[type, Mapping[str, Any]] = {
    bool: {"nargs": "?", "const": "true"},
    list: {"action": "append"},
    dict: {"nargs": "+", "action": "extend"},
}
JOBS = Setting("--jobs", int, 1, "", "launch", low=1, high=MOST_RUNS)


@dataclass(frozen=True)
class Fork:
    """Say from where a run branches off, and with which settings of its own."""

    parent: Path
    at: int | None  # env step; None: the newest checkpoint
    changes: Mapping[str, object]


@dataclass(frozen=True)
class Launch:
    """Hold all that a command line asks for."""

    config: Config
    runs_root: Path
    run_id: str | None
    grid: Grid | None = None  # a learner for each of its runs; none means one learner, by config.seed
    jobs: int | None = None  # learners at once
    resume: bool = False  # the run run_id under runs_root, which has this config
    fork: Fork | None = None
    replay: Path | None = None  # the run directory whose config this is
    module_path: tuple[Path, ...] = ()  # folders where modules are found too
    preset_line: str = ""  # says which preset a new run has, and what chose it

    @property
    def source(self) -> RunPaths | None:
        """Return the run whose config this is, if it is another's or an earlier attempt's."""
        if self.resume:
            return RunPaths(self.runs_root / str(self.run_id))
        root = self.fork.parent if self.fork else self.replay
        return None if root is None else RunPaths(root)

    @property
    def toml(self) -> str:
        """Return the resolved configuration as TOML."""
        return tomli_w.dumps(self.config.to_dict())


def build_parser(beside: Sequence[str] = ()) -> OneLineParser:
    """Return the parser of ``python -m mbpo.train``, whose help shows the defaults that hold beside these arguments.

    Raises:
        ConfigError: as :func:`mbpo.lifecycle.train_help.defaults_beside`.
    """
    defaults = defaults_beside(beside)
    parser = OneLineParser(
        prog="python -m mbpo.train",
        usage=USAGE,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=description(defaults),
        epilog=epilog(),
    )
    _add_launch_flags(parser)
    groups: dict[str, Any] = {}
    for setting in SETTINGS.values():
        if setting.group not in groups:
            groups[setting.group] = parser.add_argument_group(setting.group)
        alone = OF_KIND.get(setting.kind, {})
        text = help_of(setting, defaults)
        groups[setting.group].add_argument(
            setting.flag, dest=setting.name, metavar=metavar(setting), help=text, **alone
        )
    return parser


def _add_launch_flags(parser: OneLineParser) -> None:
    """Add the flags that are no settings: where runs lie, and which to begin or go on with."""
    launch = parser.add_argument_group("launch")
    launch.add_argument("--config", metavar="FILE", help="TOML file of settings.")
    launch.add_argument("--runs-root", metavar="DIR", default="runs", help="Default: ./runs.")
    launch.add_argument("--run-id", metavar="NAME", help="Default: preset, seed and time.")
    launch.add_argument("--seeds", metavar="A:B", help="One learner for each: 0:5 is 0,1,2,3,4; also 0:10:2 and 0,3,7.")
    launch.add_argument(
        "--grid",
        metavar="NAME=V,V",
        action="append",
        help="One learner for each value of a setting, and for each seed: --grid rollout_length=1,5,15 --seeds 0:5 "
        "makes 15. Repeated, every value goes with every other. Numbers that belong together have | between them: "
        "rollout_schedule='20,150,1,1|20,150,1,15'.",
    )
    launch.add_argument(
        "--resume",
        metavar="RUN_DIR",
        help="Go on with a run that was cut off or stopped, from its newest checkpoint, to the "
        "same results; alone, without other flags.",
    )
    launch.add_argument(
        "--fork",
        metavar="RUN_DIR[@STEP]",
        help="Branch a new run off another's newest checkpoint, or at env step STEP, with other "
        "settings: --fork runs/RUN@600 --rollout-length 5. Between checkpoints the steps from the "
        "one before are repeated first.",
    )
    launch.add_argument(
        "--replay",
        metavar="RUN_DIR",
        help="Do a run again as a new one, its live changes included, and compare every record; "
        "with --runs-root and --run-id only.",
    )
    launch.add_argument(
        "--jobs",
        metavar="N",
        help="With --seeds or --grid: learners at once. Default: as many as the cores "
        "carry, each of one thread unless there are more cores than seeds: the fastest on a small "
        "machine. On a GPU they share it.",
    )
    launch.add_argument(
        "--module-path",
        metavar="DIR",
        action="append",
        help="Folder where modules of --env-id and --wrapper lie, beside the current one; repeated. A run that "
        "someone else began needs it to be evaluated, forked or resumed with its own modules and wrappers.",
    )


def parse_launch(arguments: Sequence[str]) -> Launch:
    """Return what ``arguments`` ask for.

    Raises:
        ConfigError: a flag, file, setting or value cannot be used.
        SystemExit: after ``--help``.
    """
    asks_for_help = not {"-h", "--help"}.isdisjoint(arguments)
    given = vars(build_parser(arguments if asks_for_help else ()).parse_args(arguments))
    return dataclasses.replace(_launch(given), module_path=folders(given["module_path"]))


def _launch(given: Mapping[str, Any]) -> Launch:
    if given["resume"] is not None:
        return _resume(given)
    if given["replay"] is not None:
        return _replay(given)
    if given["fork"] is not None:
        return _fork(given)
    file = read_config(typed_path(given["config"]), pipe=True) if given["config"] is not None else {}
    values: dict[str, object] = {**file, **_flags(given)}
    preset = values.pop("preset", None)
    if preset is not None and not isinstance(preset, str):
        raise ConfigError(f"preset must be text, got {shown(preset)}")
    config = resolve(values, preset)
    run_id = given["run_id"]
    grid = _grid(given, config)
    if grid is not None:
        grid.check({**values, "preset": config.preset}, config.preset)
    return Launch(
        config=config,
        runs_root=typed_path(given["runs_root"]).absolute(),
        run_id=None if run_id is None else check_run_id(run_id),
        grid=grid,
        jobs=None if given["jobs"] is None else int(str(JOBS.parse(given["jobs"]))),
        preset_line=how_chosen(config.env_id) if preset is None else f"preset {config.preset}",
    )


def _grid(given: Mapping[str, Any], config: Config) -> Grid | None:
    seeds, values = given["seeds"], given["grid"]
    if seeds is None and values is None:
        if given["jobs"] is not None:
            raise ConfigError("--jobs goes with --seeds and --grid only; give --seeds 0:5, say")
        return None
    flag = "--seeds" if seeds is not None else "--grid"
    for other in ("seed", "run_id") if seeds is not None else ("run_id",):
        if given[other] is not None:
            excluded = "--" + other.replace("_", "-")
            raise ConfigError(f"{flag} and {excluded} exclude each other; each run has its own, give one")
    grid = parse_grid(values or ())
    if twice := [name for name in grid if given[name] is not None]:
        raise ConfigError(f"--grid and {SETTINGS[twice[0]].flag} exclude each other; give one")
    return Grid((config.seed,) if seeds is None else parse_seeds(seeds), grid)


def _flags(given: Mapping[str, Any]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, text in given.items():
        if name in SETTINGS and text is not None:
            try:
                values[name] = SETTINGS[name].parse_each(text) if type(text) is list else SETTINGS[name].parse(text)
            except ConfigError as error:
                raise ConfigError(f"{error} (from {SETTINGS[name].flag})") from None
    return values


def _fork(given: Mapping[str, str | None]) -> Launch:
    for name in NOT_OF_A_FORK:
        if given[name] is not None:
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"--fork and {flag} exclude each other: a fork goes on with its run")
    parent, at = path_at_step(str(given["fork"]))
    values, changes = read_config(parent / "config.toml"), _flags(given)
    run_id = given["run_id"]
    return Launch(
        resolve_run({**values, **changes}),
        typed_path(str(given["runs_root"])).absolute(),
        None if run_id is None else check_run_id(run_id),
        fork=Fork(parent, at, changes),
    )


def _resume(given: Mapping[str, str | None]) -> Launch:
    root, config = _run_alone("--resume", given, OF_A_RESUME)
    return Launch(config, root.parent, check_run_id(root.name), resume=True)


def _replay(given: Mapping[str, str | None]) -> Launch:
    root, config = _run_alone("--replay", given, OF_A_REPLAY)
    run_id = given["run_id"]
    return Launch(
        config,
        typed_path(str(given["runs_root"])).absolute(),
        None if run_id is None else check_run_id(run_id),
        replay=root,
    )


def _run_alone(flag: str, given: Mapping[str, str | None], allowed: Sequence[str]) -> tuple[Path, Config]:
    """Return the run directory that ``flag`` names, and its config, which no other flag changes."""
    others = [name for name, value in given.items() if value is not None and name not in allowed]
    if others:
        other = "--" + others[0].replace("_", "-")
        raise ConfigError(f"{flag} goes alone, without {other}: the run has its own settings")
    root = typed_path(str(given[flag[2:]])).absolute()
    return root, resolve_run(read_config(root / "config.toml"))
