"""Time what each rule for k costs in a run: ``python -m benchmarks.rule_cost RUN_DIR@STEP``.

Forks of one run take turns: one with a fixed k, one with each rule, all of which store as many imagined rows a refit.
The table shows what a refit's rollouts and the rule's calibration take, spread over the env steps between two refits,
as a share of the fixed k's whole env step: updates, refits and all. Below it, what the measurements of trust take: the
scores before a refit, what the bound is made of, and the critics' promise after an evaluation.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.env_step import NEVER, between
from mbpo.runs.config_file import read_config
from mbpo.settings.config import resolve_run
from mbpo.settings.variants import K_POLICIES

LOG_EVERY = 50
RULE, SCORES, PROMISE = ("calibrate", "imagine"), ("score_new_data", "estimate"), "promise"
Turn = dict[str, Any]


def main() -> int:
    """Let the arms take turns, check that all stored as many rows, print the table."""
    assert __doc__ is not None
    if sys.argv[1:2] == ["--one-turn"]:
        return one_turn(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rule_cost", description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN_DIR@STEP", help="a run after warm-up, at a refit that has a checkpoint")
    parser.add_argument("--steps", type=int, default=500, help="env steps of a turn, of whole refits (default: 500)")
    parser.add_argument("--rows", type=int, default=100_000, help="imagined rows a refit (default: 100,000)")
    parser.add_argument("--length", type=int, default=5, help="the fixed k (default: 5)")
    parser.add_argument("--turns", type=int, default=3, help="of each arm (default: 3)")
    given = parser.parse_args()
    arms = {f"k {given.length}": ("--rollout-length", str(given.length))}
    arms |= {rule: ("--rollout-length", "auto", "--k-policy", rule) for rule in K_POLICIES}
    turns: dict[str, list[Turn]] = {arm: [] for arm in arms}
    for _ in range(given.turns):
        for arm, flags in arms.items():
            turns[arm].append(turn(given, flags))
    show(turns)
    return 0


def show(turns: dict[str, list[Turn]]) -> None:
    """Print the medians of each arm's turns, and what they are of the first arm's env step."""
    stored = {took["rows"] for of in turns.values() for took in of}
    assert len(stored) == 1, f"not equal rows: {stored}"
    fixed = next(iter(turns))
    step = statistics.median(took["env_step"] for took in turns[fixed])
    print(f"{stored.pop():,.0f} rows a refit; ms per env step, medians of {len(turns[fixed])} turns (each turn)\n")
    print(f"| | steps a rollout | rollouts and calibration | dearer than {fixed}, of its env step |\n|---|---|---|---|")
    for arm, of in turns.items():
        rule = statistics.median(took["rule"] for took in of)
        more = statistics.median(took["rule"] - base["rule"] for took, base in zip(of, turns[fixed], strict=True))
        each = " ".join(f"{took['rule']:.2f}" for took in of)
        print(f"| {arm} | {of[0]['length']:.1f} | {rule:.2f} ({each}) | {more / step:+.1%} |")
    trust = statistics.median(took["trust"] for took in turns[fixed])
    print(f"\nenv step of {fixed}: {step:.1f}; measured trust: {trust:.2f}, {trust / step:.1%}")


def turn(given: argparse.Namespace, flags: Sequence[str]) -> Turn:
    """Fork the run; return milliseconds per env step, and what a refit stored."""
    first = int(given.run.rpartition("@")[2]) + LOG_EVERY
    last = first + given.steps
    counts = {"total-steps": last, "rollout-rows": given.rows, "eval-every": given.steps, "log-every": LOG_EVERY}
    numbers = [word for flag, value in counts.items() for word in (f"--{flag}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        where = ("--fork", given.run, "--runs-root", folder, "--run-id", "r", "--checkpoint-every", NEVER)
        command = [sys.executable, "-m", "benchmarks.rule_cost", "--one-turn", *where, *numbers, *flags]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        config = resolve_run(read_config(Path(folder) / "r" / "config.toml"))
        lines = (Path(folder) / "r" / "metrics.jsonl").read_text().splitlines()
    rows = [row for line in lines if (row := json.loads(line))["env_steps"] >= first]
    refits = [row for row in rows if "rollout/rows" in row]
    mean = {name: 1e3 * statistics.fmean(seconds) for name, seconds in json.loads(out.splitlines()[-1]).items()}
    between_refits, between_evaluations = config.model_train_freq, resolve_run({"preset": config.preset}).eval_every
    return {
        "env_step": sum(between(rows, first, last).values()),
        "rule": sum(mean[name] for name in RULE) / between_refits,
        "trust": sum(mean[name] for name in SCORES) / between_refits + mean[PROMISE] / between_evaluations,
        "rows": refits[-1]["rollout/rows"],
        "length": refits[-1]["rollout/length_mean"],
    }


def one_turn(arguments: Sequence[str]) -> int:
    """Run the learner in this process; print as JSON the seconds of each call of what is timed."""
    from mbpo import train
    from mbpo.learner.learner import Learner
    from mbpo.lifecycle.training import Training
    from mbpo.trust.rollout_length import RolloutLength

    spent: dict[str, list[float]] = {}
    for of, names in ((Training, SCORES), (Learner, ("imagine", PROMISE)), (RolloutLength, ("calibrate",))):
        for name in names:
            setattr(of, name, timed(getattr(of, name), spent.setdefault(name, [])))
    code = train.main(arguments)
    print(json.dumps(spent))
    return code


def timed(call: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """Return ``call``, which then notes how long each call took."""

    def timed_call(*args: Any) -> Any:
        start = time.perf_counter()
        result = call(*args)
        seconds.append(time.perf_counter() - start)
        return result

    return timed_call


if __name__ == "__main__":
    raise SystemExit(main())
