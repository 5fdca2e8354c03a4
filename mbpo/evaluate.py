"""Measure a run's saved policy: ``python -m mbpo.evaluate RUN_DIR``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.evaluation import EvalReport, Evaluator, Policy
from mbpo.envs.left_behind import leave
from mbpo.envs.spaces import Array
from mbpo.errors import ConfigError, MBPOError, report
from mbpo.lifecycle.saved_policy import at_home, load_actor
from mbpo.lifecycle.signals import ctrl_c_named
from mbpo.outside.film.shoot import film, policy_named
from mbpo.runs.layout import RunPaths
from mbpo.runs.origin import folders
from mbpo.sac.networks import Actor
from mbpo.saving.store import find_checkpoint
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
    only = BoxEnv(config) if config.one_instance else None
    evaluator = Evaluator(config, episodes, seed, only)
    try:
        return evaluator.run(_policy_of(actor))
    finally:
        evaluator.close()
        if only is not None:
            only.close()


def _policy_of(actor: Actor) -> Policy:
    @torch.no_grad()
    def policy(obs: Array) -> Array:
        mean, _ = actor(torch.from_numpy(obs))
        action: Array = actor.squash(mean).numpy()
        return action

    return policy


def _evaluate(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    if given.video and given.episodes is not None:
        raise ConfigError("--video films one episode, the first of --seed; leave out --episodes")
    given.episodes = 10 if given.episodes is None else given.episodes
    if given.episodes < 1 or given.seed < 0:
        raise ConfigError("--episodes must be at least 1 and --seed at least 0")
    paths = RunPaths(typed_path(given.run_dir).absolute())
    with at_home(paths, folders(given.module_path)):
        config, actor = load_actor(paths, given.checkpoint)
        if given.video:
            return _film(given, config, actor, find_checkpoint(paths.checkpoints, given.checkpoint))
        return _print(given, config, actor)


def _film(given: argparse.Namespace, config: Config, actor: Actor, checkpoint: Path) -> int:
    path = typed_path(given.video)
    found = film(config, _policy_of(actor), checkpoint, given.checkpoint, given.seed, path)
    say(json.dumps(found.facts(path)) if given.json else found.told(path))
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    return 0


def _print(given: argparse.Namespace, config: Config, actor: Actor) -> int:
    result = evaluate(config, actor, given.episodes, given.seed)
    if given.json:
        say(json.dumps({k: v.tolist() for k, v in dataclasses.asdict(result).items()}))
        return 0
    say(
        f"{config.env_id}, {policy_named(given.checkpoint)}, {given.episodes} episodes: "
        f"{_tenths(result.returns.mean())} ± {_tenths(result.returns.std())} "
        f"(min {_tenths(result.returns.min())}, max {_tenths(result.returns.max())})"
    )
    return 0


def _tenths(value: float) -> str:
    return f"{round(float(value), 1) + 0.0:.1f}"  # no −0.0


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.evaluate",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure the saved policy of a run with tanh(mean) actions.",
        epilog="example: how good is it on fresh starts, and how does it look?\n"
        "  python -m mbpo.evaluate runs/RUN --episodes 100 --seed 1\n"
        "  python -m mbpo.evaluate runs/RUN --video swing.mp4 --seed 1\n\n"
        "A film needs imageio-ffmpeg and matplotlib, and pygame or MuJoCo to draw the environment. Real and imagined\n"
        "part at the first step whose imagined state is off by more than 0.5 standard deviations of the model's\n"
        "training data (root mean square over elites and dims). docs/outside.md says more.",
    )
    parser.add_argument("run_dir", metavar="RUN_DIR")
    parser.add_argument("--episodes", type=int, metavar="N", help="default 10")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the start states; 0: training's own")
    parser.add_argument(
        "--checkpoint", "--snapshot", default="best", metavar="WHICH", help="best (default), final, last or an env step"
    )
    parser.add_argument("--module-path", metavar="DIR", action="append", help="where the run's own modules lie")
    parser.add_argument("--json", action="store_true", help="print every return as JSON")
    parser.add_argument(
        "--video",
        metavar="FILE",
        help="film one episode instead, into FILE.mp4 or .gif, beside what the model imagines from the same start "
        "and actions; FILE.png has the curves, and both the step at which the two part",
    )
    return parser


if __name__ == "__main__":
    leave(main())
