"""Say what MBPO will trip over in an environment: ``python -m mbpo.check_env Hopper-v5``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from mbpo.checks.diagnostic import Diagnostic, as_text, counted
from mbpo.checks.environment.play import play
from mbpo.checks.environment.transitions import findings
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.left_behind import leave
from mbpo.envs.repeats import Repeats, repeats
from mbpo.envs.spec import EnvSpec
from mbpo.envs.termination import find_rule
from mbpo.errors import ConfigError, EnvironmentFault, MBPOError, report
from mbpo.lifecycle.signals import ctrl_c_named
from mbpo.runs.origin import add_to_path, folders
from mbpo.settings.config import SETTINGS, resolve
from mbpo.settings.parser import OneLineParser
from mbpo.settings.stdout import our_stdout, say

MOST_REPLAYED = 500
MOST_STEPS = 1_000_000
EPILOG = """\
levels:
  ok       nothing to do
  note     MBPO copes; know it when you choose settings or read its metrics
  problem  MBPO learns something wrong, or nothing, until it is mended

examples:
  python -m mbpo.check_env Hopper-v5
  python -m mbpo.check_env my_module:MyEnv-v0 --steps 20000 --json

exit codes: 0 MBPO runs on it, 2 unknown environment or flag, 3 MBPO cannot run on it"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Play at random, print the findings and return the exit code."""
    try:
        with ctrl_c_named(), our_stdout(is_program=arguments is None):
            return _check(sys.argv[1:] if arguments is None else arguments)
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def check(what: EnvSpec | str, steps: int, seed: int, alone: bool = False) -> list[Diagnostic]:
    """Return what there is to say about an environment after that many random steps.

    ``alone``: never make a second one.

    Raises:
        ConfigError: there is no such environment.
        EnvironmentFault: it cannot be made, or has no spaces that MBPO can use; or its rule was entered
            under another id.
    """
    env = BoxEnv(what)
    try:
        rule = find_rule(env)
        played = play(env, steps, seed)
        again = play(env, min(MOST_REPLAYED, len(played)), seed)
        repeated = Repeats(True) if played.fault or alone else repeats(env, seed)
        return list(findings(played, again, rule, repeated))
    finally:
        env.close()


def _check(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    if not 1 <= given.steps <= MOST_STEPS or given.seed < 0:
        raise ConfigError(f"--steps must be from 1 to {MOST_STEPS} and --seed at least 0")
    add_to_path(folders(given.module_path))
    spec = _spec(given)
    found = check(spec, given.steps, given.seed, given.one_instance)
    code = EnvironmentFault.exit_code if any(each.fatal for each in found) else 0
    if given.json:
        about = {"env_id": given.env_id, "seed": given.seed, "exit_code": code}
        say(json.dumps({**about, "findings": [each.to_dict() for each in found]}))
        return code
    say(f"{given.env_id}, seed {given.seed}")
    for each in found:
        say(as_text(each))
    say(_verdict(given.env_id, found))
    return code


def _spec(given: argparse.Namespace) -> EnvSpec:
    """Return the environment as the flags make it, which are those of training."""
    asked = {"env_kwargs": given.env_kwargs, "wrappers": given.wrappers}
    parts = {name: SETTINGS[name].parse_each(texts) for name, texts in asked.items() if texts}
    limit = {} if given.time_limit is None else {"time_limit": SETTINGS["time_limit"].parse(given.time_limit)}
    return EnvSpec.of(resolve({"env_id": given.env_id, **parts, **limit, "fresh_env": given.fresh_env}, "debug"))


def _verdict(env_id: str, found: Sequence[Diagnostic]) -> str:
    """Count the levels and say how to start."""
    if any(each.fatal for each in found):
        return "MBPO cannot run on this environment as it is."
    return f"{counted(found)}. To train: python -m mbpo.train {_flags(env_id, found)}"


def _flags(env_id: str, found: Sequence[Diagnostic]) -> str:
    wanted = any(each.numbers.get("normalize_targets") for each in found)
    lacks = wanted and not resolve({"env_id": env_id}).normalize_targets
    return f"--env-id {env_id}" + (" --normalize-targets true" if lacks else "")


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.check_env",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Play random actions in an environment and say what MBPO will trip over:\n"
        "scales, clipped or constant observations, time limits, termination, determinism.",
        epilog=EPILOG,
    )
    parser.add_argument("env_id", metavar="ENV_ID", help="Name-v0, or module:Name-v0 to import")
    parser.add_argument("--env-kwargs", nargs="+", action="extend", metavar="KEY=VALUE", help="as in training")
    parser.add_argument("--wrapper", dest="wrappers", action="append", metavar="MODULE:CLASS", help="as in training")
    parser.add_argument("--module-path", metavar="DIR", action="append", help="where modules lie, beside here")
    parser.add_argument("--time-limit", metavar="N", help="as in training")
    parser.add_argument("--one-instance", action="store_true", help="never make a second one, as of hardware")
    parser.add_argument("--fresh-env", action="store_true", help="make it anew for each episode")
    parser.add_argument("--steps", type=int, default=5000, metavar="N", help="default 5000")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="default 0")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser


if __name__ == "__main__":
    leave(main())
