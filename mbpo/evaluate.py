"""Measure a run's saved policy: ``python -m mbpo.evaluate RUN_DIR``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence

import torch

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.evaluation import EvalReport, Evaluator
from mbpo.envs.left_behind import leave
from mbpo.envs.spaces import Array
from mbpo.errors import ConfigError, MBPOError, report
from mbpo.lifecycle.saved_policy import at_home, load_actor
from mbpo.lifecycle.signals import ctrl_c_named
from mbpo.runs.layout import RunPaths
from mbpo.runs.origin import folders
from mbpo.sac.networks import Actor
from mbpo.settings.config import Config
from mbpo.settings.parser import OneLineParser
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.typed_path import typed_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the saved policy in the real environment and print its returns."""
    try:
        with ctrl_c_named(), our_stdout(is_program=arguments is None):
            return _evaluate(sys.argv[1:] if arguments is None else arguments)
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def evaluate(config: Config, actor: Actor, episodes: int, seed: int) -> EvalReport:
    """Return the returns of tanh(mean) actions over ``episodes`` start states of ``seed``."""

    @torch.no_grad()
    def policy(obs: Array) -> Array:
        mean, _ = actor(torch.from_numpy(obs))
        action: Array = actor.squash(mean).numpy()
        return action

    only = BoxEnv(config) if config.one_instance else None
    evaluator = Evaluator(config, episodes, seed, only)
    try:
        return evaluator.run(policy)
    finally:
        evaluator.close()
        if only is not None:
            only.close()


def _evaluate(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    if given.episodes < 1 or given.seed < 0:
        raise ConfigError("--episodes must be at least 1 and --seed at least 0")
    paths = RunPaths(typed_path(given.run_dir).absolute())
    with at_home(paths, folders(given.module_path)):
        return _print(given, *load_actor(paths, given.checkpoint))


def _print(given: argparse.Namespace, config: Config, actor: Actor) -> int:
    result = evaluate(config, actor, given.episodes, given.seed)
    if given.json:
        say(json.dumps({k: v.tolist() for k, v in dataclasses.asdict(result).items()}))
        return 0
    say(
        f"{config.env_id}, {given.checkpoint} policy, {given.episodes} episodes: "
        f"{result.returns.mean():.1f} ± {result.returns.std():.1f} "
        f"(min {result.returns.min():.1f}, max {result.returns.max():.1f})"
    )
    return 0


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.evaluate",
        allow_abbrev=False,
        description="Measure the saved policy of a run with tanh(mean) actions.",
    )
    parser.add_argument("run_dir", metavar="RUN_DIR")
    parser.add_argument("--episodes", type=int, default=10, metavar="N", help="default 10")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the start states; 0: training's own")
    parser.add_argument(
        "--checkpoint", "--snapshot", default="best", metavar="WHICH", help="best (default), final, last or an env step"
    )
    parser.add_argument("--module-path", metavar="DIR", action="append", help="where the run's own modules lie")
    parser.add_argument("--json", action="store_true", help="print every return as JSON")
    return parser


if __name__ == "__main__":
    leave(main())
