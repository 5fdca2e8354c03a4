"""Run MBPO: ``python -m mbpo.train --preset pendulum``. The loop is :func:`train`.

Line numbers are those of Algorithm 2 in "When to Trust Your Model", arXiv:1906.08253.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mbpo.envs.left_behind import leave
from mbpo.lifecycle.command_line import parse_launch
from mbpo.lifecycle.process import exit_code_of
from mbpo.lifecycle.start import start
from mbpo.lifecycle.training import Training
from mbpo.outside.report.at_end import leave_comparison, leave_report
from mbpo.seeds.pool import run_seeds


def train(training: Training) -> bool:
    """Interleave real steps, refits, imagined rollouts and SAC updates; return whether the end was reached.

    The other way to end is to be told to stop.
    """
    config, learner = training.config, training.learner
    while training.env_steps < training.until:
        order = training.orders.at(training.env_steps)  # what was turned live; waits here while paused
        settings = training.settings = order.settings
        if order.checkpoint:
            training.save(training.env_steps, "requested")
            continue  # and ask again: a paused run stays paused
        if order.stop:
            return False
        since_warmup = training.env_steps - config.warmup_steps
        if since_warmup >= 0 and since_warmup % settings["model_train_freq"] == 0:
            refit_and_imagine(training, training.env_steps, settings)  # lines 4 to 9
        with training.clock("env"):
            step = learner.explore(uniform=since_warmup < 0)  # line 6
        training.env_steps += 1
        training.take_in(step)
        if since_warmup >= 0:
            update_policy(training, training.env_steps, settings)  # lines 10 and 11
        training.after_step()
    return True


def refit_and_imagine(training: Training, env_steps: int, settings: Mapping[str, Any]) -> None:
    """Refit the model to all real data, choose k by what was measured, refill the model buffer by rollouts.

    With real_ratio 1, or no model at all, nothing imagined is ever sampled: the model rests.
    """
    config, learner = training.config, training.learner
    if config.algo == "sac" or settings["real_ratio"] == 1.0:
        return
    training.say("refit")
    with training.clock("model"):
        training.watch_rule(env_steps)
        metrics = training.score_new_data()  # before it is trained on
        learner.real_buffer.mark_holdout(config.holdout_ratio, config.holdout_max, learner.streams.holdout)
        metrics |= learner.fit()  # line 5
        training.refits += 1
        estimates = training.estimate()
        training.rollout_length.calibrate(settings, learner.evidence(estimates))
    training.say("rollout")
    with training.clock("rollout"):
        branches = training.branches(env_steps, settings)
        report = learner.imagine(branches).metrics()  # lines 7 to 9
    metrics |= training.imagined(report, branches, estimates, settings)
    training.reports.refit(env_steps, metrics)
    training.say()


def update_policy(training: Training, env_steps: int, settings: Mapping[str, Any]) -> None:
    """Take this step's SAC updates, each on its own mix of real and imagined rows."""
    config = training.config
    updates = 0 if config.algo == "pets" else int(settings["updates_per_step"])
    if not updates:
        return
    with training.clock("sac"):
        values, real_rows = training.learner.update_policy(float(settings["real_ratio"]), updates)
    training.interval.add(env_steps, values, updates, real_rows, config.sac_batch)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, train, and return the exit code of the contract."""

    def run() -> int:
        launch = parse_launch(sys.argv[1:] if arguments is None else arguments)
        return run_seeds(launch, leave_comparison) if launch.grid else start(launch, train, leave_report)

    return exit_code_of(run, is_program=arguments is None)


if __name__ == "__main__":
    leave(main())
