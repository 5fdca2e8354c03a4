"""Time MBPO beside mbrl-lib's on its cartpole task: ``python -m benchmarks.whole_loop``.

mbrl-lib 0.2.0 runs its own mbpo.train with its own configuration (mbpo_cartpole), changed for
today's packages and to make the work equal:

- the agent's action space is gymnasium's Box, not gym's (its configuration names the old package),
  made from arrays, not lists;
- hydra leaves the activation's configuration to the model, which makes it anew for each layer;
- normalisers in float32, not float64, and bounds of the log-variance learned, as ours are;
- every refit takes the same number of passes for both, without an early stop, since each one's own
  rule would stop at other times;
- random actions before the first refit, and no video.

What stays unequal is in its favour: it moves the target critics at every fourth update only.
Learners take turns in processes of their own. Both refit first with 600 rows; the figure is the
wall time per env step over whole intervals between refits, a refit and an evaluation each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

WARMUP, FREQ, PASSES = 400, 200, 20
ENV_ID = "mbrl/Cartpole-v0"
WHO = {"ours": "float32", "ours, bfloat16": "bfloat16", "theirs": ""}  # and the precision of ours


def make_cartpole() -> Any:
    """Return mbrl-lib's continuous cartpole, whose reset takes no options."""
    from mbrl.env.cartpole_continuous import CartPoleEnv

    class Cartpole(CartPoleEnv):  # type: ignore[misc]
        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            return super().reset(seed=seed)

    return Cartpole()


def box(low: Any, high: Any, shape: Any) -> Any:
    """Return gymnasium's Box from lists, which its own constructor refuses."""
    import gymnasium
    import numpy as np

    bounds = [np.asarray(list(bound), np.float32) for bound in (low, high)]
    return gymnasium.spaces.Box(*bounds, shape=tuple(shape))


def ours(steps: int, threads: int, precision: str = "float32") -> dict[str, Any]:
    """Run this project's learner and return its profile."""
    import gymnasium

    from mbpo import train
    from mbpo.envs.termination import RULES

    gymnasium.register(ENV_ID, "benchmarks.whole_loop:make_cartpole", max_episode_steps=200)
    RULES[ENV_ID] = lambda obs, action, next_obs: (
        (next_obs[:, 0].abs() >= 2.4) | (next_obs[:, 2].abs() >= 24 * 3.141592653589793 / 360)
    )
    settings = {
        "preset": "hopper",  # whose networks and rates are the paper's
        "precision": precision,
        "env-id": ENV_ID,
        "total-steps": steps,
        "threads": threads,
        "warmup-steps": WARMUP + FREQ,
        "epoch-length": 200,
        "warmup-hold": 1,
        "model-train-freq": FREQ,
        "updates-per-step": 20,
        "rollout-batch": 400 * FREQ,
        "rollout-length": 1,
        "real-ratio": 0.0,
        "ensemble-size": 7,
        "elites": 5,
        "model-hidden": 200,
        "model-layers": 4,
        "model-batch": 256,
        "model-max-epochs": PASSES,
        "model-patience": PASSES,
        "target-entropy": -0.05,
        "init-alpha": 0.2,
        "eval-every": 200,
        "eval-episodes": 1,
        "profile": "true",
        "device": "cpu",
    }
    flags = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        assert train.main([*flags, "--runs-root", folder, "--run-id", "loop"]) == 0
        figures: dict[str, Any] = json.loads((Path(folder) / "loop" / "profile.json").read_text())
        rows = map(json.loads, (Path(folder) / "loop" / "metrics.jsonl").open())
        returns = [row["eval/return_mean"] for row in rows if "eval/return_mean" in row]
    return figures | {"last_return": returns[-1]}


def theirs(steps: int, threads: int) -> dict[str, Any]:
    """Run mbrl-lib's mbpo.train and return the wall time from its first refit on."""
    import mbrl
    import mbrl.util.common
    import torch
    from gymnasium.wrappers import TimeLimit
    from mbrl.algorithms import mbpo
    from mbrl.env.termination_fns import cartpole
    from omegaconf import OmegaConf

    torch.set_num_threads(threads)
    conf = Path(str(mbrl.__file__)).parent / "examples" / "conf"
    cfg = OmegaConf.create(
        {
            "algorithm": OmegaConf.load(conf / "algorithm" / "mbpo.yaml"),
            "overrides": OmegaConf.load(conf / "overrides" / "mbpo_cartpole.yaml"),
            "dynamics_model": OmegaConf.load(conf / "dynamics_model/gaussian_mlp_ensemble.yaml"),
            "seed": 0,
            "device": "cpu",
            "log_frequency_agent": 1000,
            "debug_mode": False,
        }
    )
    cfg.algorithm.agent.action_space._target_ = "benchmarks.whole_loop.box"
    cfg.algorithm.normalize_double_precision = False
    cfg.algorithm.initial_exploration_steps = WARMUP
    cfg.algorithm.random_initial_explore = True
    cfg.dynamics_model.learn_logvar_bounds = True
    cfg.dynamics_model._recursive_ = False
    cfg.overrides.num_steps = steps - WARMUP  # which it counts from the end of warm-up
    cfg.overrides.num_epochs_train_model = PASSES
    cfg.overrides.patience = PASSES
    refits: list[float] = []
    train_model = mbrl.util.common.train_model_and_save_model_and_data

    def timed(*args: Any, **kwargs: Any) -> None:
        refits.append(time.perf_counter())
        train_model(*args, **kwargs)

    mbrl.util.common.train_model_and_save_model_and_data = timed
    envs = [TimeLimit(make_cartpole(), 200) for _ in range(2)]
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        best = mbpo.train(*envs, cartpole, cfg, silent=True, work_dir=folder)
    seconds, intervals = refits[-1] - refits[0], len(refits) - 1
    return {"seconds": seconds, "learned": FREQ * intervals, "last_return": float(best)}


def ms_per_step(who: str, steps: int, threads: int) -> float:
    """Run one learner in a process of its own and return its time per env step."""
    command = [sys.executable, "-m", "benchmarks.whole_loop", "--steps", str(steps)]
    done = subprocess.run(
        [*command, "--threads", str(threads), "--only", who],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    if who != "theirs":
        parts = sum(s for part, s in figures["seconds"].items() if part != "other")
        milliseconds = 1e3 * parts / (steps - WARMUP - FREQ)
    else:
        milliseconds = 1e3 * figures["seconds"] / figures["learned"]
    print(f"  {who:14} {milliseconds:8.1f} ms per env step, last return {figures['last_return']:.0f}")
    return float(milliseconds)


def main() -> int:
    """Take turns, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_loop", description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="env steps; learning starts at 600")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=WHO, help="run one, print its figures")
    given = parser.parse_args()
    if given.only:
        found = theirs if given.only == "theirs" else partial(ours, precision=WHO[given.only])
        print(json.dumps(found(given.steps, given.threads)))
        return 0
    times: dict[str, list[float]] = {who: [] for who in WHO}
    for _ in range(given.repeats):
        for who in times:
            times[who].append(ms_per_step(who, given.steps, given.threads))
    other = statistics.median(times["theirs"])
    for who in ("ours", "ours, bfloat16"):
        mine = statistics.median(times[who])
        print(f"{who} {mine:.1f} ms, mbrl-lib {other:.1f} ms per env step: {other / mine:.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
