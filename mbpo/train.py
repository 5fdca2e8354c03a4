"""Run MBPO: ``python -m mbpo.train --preset pendulum``. The loop is :meth:`Training.run`.

Line numbers are those of Algorithm 2 in "When to Trust Your Model", arXiv:1906.08253.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mbpo.attempt import CHECKS, Attempt, Replay, find_attempt, new_status
from mbpo.command_line import Launch, parse_launch
from mbpo.config import Config
from mbpo.console import Console
from mbpo.dynamics.rollout_length import model_buffer_capacity, scheduled_length
from mbpo.errors import CheckpointError, MBPOError, refused, report
from mbpo.learner import Learner
from mbpo.manifest import manifest, pin_threads
from mbpo.process import fill_standard_streams, learner_process
from mbpo.runs.create import create_run_dir
from mbpo.runs.writer import RunWriter
from mbpo.sac.interval import Interval, LossWatch
from mbpo.seeds.pool import run_seeds
from mbpo.snapshots import Saved, Snapshots
from mbpo.timing import Profile, Stopwatch
from mbpo.trust import bound_metrics, new_data_error

UNSTABLE = (
    "MuJoCo found the simulation unstable and put it back to its start: the step was left out and "
    "the episode ended"
)
NO_RULE = (
    "no termination rule for {}: a head learns from real ends when imagined rollouts end "
    "(model/termination_error); a rule is exact, see mbpo/envs/termination.py"
)


class Training:
    """Hold one run's learner, its writer and what was counted since the last row of metrics."""

    COUNTERS = ("refits", "_evaluated_at")

    def __init__(
        self,
        config: Config,
        learner: Learner,
        run: RunWriter,
        console: Console,
        saved: Saved | None = None,  # where to go on from
        replay: Replay | None = None,
    ) -> None:
        self.config = config
        self.learner = learner
        self.run_writer = run
        self.console = console
        waits = config.profile and learner.device.type == "cuda"
        self.clock = Stopwatch(torch.cuda.synchronize if waits else lambda: None)
        self.env_steps = 0
        self.profile = (
            Profile(run.paths.profile, self.clock, config.warmup_steps) if config.profile else None
        )
        self.snapshots = Snapshots(
            run.paths.checkpoints,
            before=run.sync,
            saved=lambda name, at: run.event("checkpoint", env_steps=at, checkpoint=name),
            put_off=lambda error: run.warn(run.status.env_steps, f"no new checkpoint: {error}"),
        )
        self.settings: Mapping[str, Any] = {}
        self.refits = 0
        self.interval = Interval(learner.device)
        self.watch = LossWatch()
        self._evaluated_at = -1
        self._until = replay.until if replay and replay.until else config.total_steps
        self._evaluations = frozenset(replay.evaluations if replay else ())
        if saved is not None:
            self.restore(saved)

    def run(self) -> None:
        """Interleave real steps, refits, imagined rollouts and SAC updates until told to stop."""
        config = self.config
        env_steps = self.env_steps
        while env_steps < self._until:
            order = self.run_writer.at_boundary(env_steps)
            self.settings = order.settings
            if order.checkpoint:
                self.save(env_steps, "requested")
                continue  # and ask again: a paused run stays paused
            if order.stop:
                break
            since_warmup = env_steps - config.warmup_steps
            if since_warmup >= 0 and since_warmup % order.settings["model_train_freq"] == 0:
                self.refit_and_imagine(env_steps, order.settings)  # lines 4 to 9
            with self.clock("env"):
                step = self.learner.explore(uniform=since_warmup < 0)  # line 6
            env_steps += 1
            if not step.valid:
                self.run_writer.warn(env_steps, UNSTABLE)
            if step.episode is not None:
                done = step.episode
                self.run_writer.episode(env_steps, done.index, done.episode_return, done.length)
            if since_warmup >= 0:
                self.update_policy(env_steps, order.settings)  # lines 10 and 11
            if env_steps % config.log_every == 0:
                self.log_interval(env_steps, order.settings)
            if env_steps % config.eval_every == 0 or env_steps in self._evaluations:
                self.evaluate(env_steps)
            if env_steps % config.checkpoint_every == 0:
                self.save(env_steps, "last")
            if self.profile:
                self.profile.step()
        self.run_writer.update(env_steps=env_steps)
        if self._evaluated_at != env_steps and env_steps > config.warmup_steps:
            self.evaluate(env_steps)
        self.save(env_steps, "final")
        self.snapshots.settle()
        if self.profile:
            self.console.profile(self.profile.write())

    def refit_and_imagine(self, env_steps: int, settings: Mapping[str, Any]) -> None:
        """Refit the model to all real data and refill the model buffer from it.

        With real_ratio 1, or no model at all, nothing imagined is ever sampled: the model rests.
        """
        config, learner = self.config, self.learner
        if config.algo == "sac" or settings["real_ratio"] == 1.0:
            return
        real_buffer = learner.real_buffer
        length = self.rollout_length(env_steps, settings)
        self.run_writer.update(phase="refit")
        with self.clock("model"):
            bounded = config.algo == "mbpo"  # without a policy there is no ε_π, and so no bound
            unseen = real_buffer.unseen()
            fresh = new_data_error(learner, unseen, config) if self.refits and bounded else None
            real_buffer.mark_holdout(
                config.holdout_ratio, config.holdout_max, learner.streams.holdout
            )
            rows = real_buffer.training_rows(), real_buffer.holdout_rows()
            fit = learner.trainer.fit(*rows)
            ends = learner.termination.fit(*rows).metrics() if learner.termination else {}
            self.refits += 1
            bound = bound_metrics(learner, config, length, fresh) if bounded else {}
        self.run_writer.update(phase="rollout")
        with self.clock("rollout"):
            learner.model_buffer.resize(
                model_buffer_capacity(
                    length, config.rollout_batch, config.retain_epochs,
                    config.epoch_length, settings["model_train_freq"],
                )
            )  # fmt: skip
            imagined = learner.imagine(length, config.rollout_batch)
        metrics = {**fit.metrics(), **ends, **bound, **imagined.metrics(), "rollout/length": length}
        metrics["rollout/model_buffer_rows"] = len(learner.model_buffer)
        self.run_writer.log(env_steps, metrics)
        self.run_writer.update(phase="train")
        self.console.refit(env_steps, metrics)

    def rollout_length(self, env_steps: int, settings: Mapping[str, Any]) -> int:
        """Return k in force: a hand-set value, else the schedule's; 0 but for mbpo."""
        if self.config.algo != "mbpo":
            return 0
        if settings["rollout_length"] != "auto":
            return int(settings["rollout_length"])
        epoch = max(0, env_steps - self.config.warmup_steps) // self.config.epoch_length
        return scheduled_length(epoch, settings["rollout_schedule"])

    def update_policy(self, env_steps: int, settings: Mapping[str, Any]) -> None:
        """Take this step's SAC updates, each on its own mix of real and imagined rows."""
        updates = 0 if self.config.algo == "pets" else int(settings["updates_per_step"])
        if not updates:
            return
        with self.clock("sac"):
            values, real_rows = self.learner.update_policy(float(settings["real_ratio"]), updates)
        self.interval.add(env_steps, values, updates, real_rows, self.config.sac_batch)

    def log_interval(self, env_steps: int, settings: Mapping[str, Any]) -> None:
        """Write what was counted since the last such row, fetching tensors from the device once."""
        metrics: dict[str, float | None] = {
            "rollout/length": self.rollout_length(env_steps - 1, settings),
            "mix/real_ratio": settings["real_ratio"],
            **self.clock.metrics(env_steps),
        }
        metrics |= self.interval.metrics(env_steps, self.config.reward_scale)
        self.run_writer.log(env_steps, metrics)
        self.run_writer.update(steps_per_s=metrics["time/env_steps_per_s"])
        self.console.interval(env_steps, metrics, self.run_writer.status)
        self.watch_loss(env_steps, metrics.get("sac/critic_loss"))

    def watch_loss(self, env_steps: int, loss: float | None) -> None:
        """Warn where the critics begin to diverge, and keep a checkpoint from before."""
        scale, largest = self.config.reward_scale, self.learner.real_buffer.largest_reward
        times = loss and self.watch.alarm(env_steps, loss, lambda: scale * largest())
        if times:
            kept = self.snapshots.keep_before(self.watch.healthy_at, "before_divergence")
            mend = f"--fork RUN_DIR@{kept}" if kept is not None else "begin again"
            self.run_writer.warn(
                env_steps,
                f"diverging: the critics' loss is {times:,.0f} times what was usual; "
                f"{mend} with a lower --critic-lr",
            )

    def evaluate(self, env_steps: int) -> None:
        """Measure tanh(mean) actions, keep the best networks, write the figures."""
        self._evaluated_at = env_steps
        self.run_writer.update(phase="evaluation")
        with self.clock("eval"):
            report = self.learner.evaluator.run(self.learner.best_action)
        metrics = report.metrics()
        self.run_writer.evaluation(env_steps, metrics)
        self.run_writer.update(phase="train")
        self.console.evaluation(env_steps, metrics)
        if self.snapshots.is_best(metrics["eval/return_mean"]):
            self.snapshots.save_policy(self.learner, env_steps, metrics)

    def save(self, env_steps: int, label: str) -> None:
        """Save all that a resume needs, as it is between two env steps."""
        best = self.snapshots.best_return
        loop = {
            "env_steps": env_steps,
            "settings": dict(self.settings),
            "best_return": best if math.isfinite(best) else None,
            "sac": self.interval.state_dict(env_steps),
            "watch": self.watch.state_dict(),
            "imagined_capacity": self.learner.model_buffer.capacity,
            "seconds": self.clock.split(),
            **{name: getattr(self, name) for name in self.COUNTERS},
            **self.run_writer.position,
        }
        self.snapshots.save(self.learner, env_steps, label, loop)

    def restore(self, saved: Saved) -> None:
        """Go on counting from a checkpoint, which the learner has been brought to."""
        loop = saved.loop
        if missing := {"sac", "watch", *self.COUNTERS} - loop.keys():
            raise CheckpointError(
                f"{saved.name} has no {min(missing)}: another version of mbpo saved it; resume "
                "the run with that"
            )
        self.env_steps = loop["env_steps"]
        self.interval.load_state_dict(loop["sac"])
        self.watch.load_state_dict(loop["watch"])
        for name in self.COUNTERS:
            setattr(self, name, loop[name])
        self.snapshots.go_on_from(saved)
        self.clock.go_on_from(self.env_steps, loop["seconds"])
        if "imagined" not in saved.parts and loop["imagined_capacity"]:
            self.learner.model_buffer.resize(loop["imagined_capacity"])
            length = self.rollout_length(self.env_steps - 1, loop["settings"])
            self.learner.imagine(length, self.config.rollout_batch)


def start(launch: Launch) -> int:
    """Train a new run, one that was cut off, or a fork; return the exit code."""
    config = launch.config
    fill_standard_streams()
    attempt = find_attempt(launch)
    threads = pin_threads(attempt.threads)
    learner = Learner(config)  # before the directory: what cannot be built leaves no trace
    attempt.load(learner)
    facts = manifest(config, launch.toml, learner.device, threads)
    paths = attempt.paths or create_run_dir(
        launch.runs_root, launch.run_id, preset=config.preset, seed=config.seed
    )
    print(paths.root, flush=True)
    status = new_status(config, attempt)
    hang_after = float(config.hang_after)
    with RunWriter(paths, status, CHECKS, attempt.settings, attempt.history, hang_after) as run:
        if attempt.paths is None:
            run.write_config(launch.toml, {**facts, **attempt.lineage})
        attempt.begin(run, facts)
        return learner_process(run, lambda: _train(config, learner, run, attempt))


def _train(config: Config, learner: Learner, run: RunWriter, attempt: Attempt) -> None:
    console = Console(config)
    training = Training(config, learner, run, console, attempt.saved, attempt.replay)
    if attempt.saved and not attempt.paths:
        training.settings = attempt.settings
        training.save(training.env_steps, "fork")
    run.update(phase="train", env_steps=training.env_steps)
    run.enter("running")
    if learner.termination and config.algo != "sac":
        run.warn(training.env_steps, NO_RULE.format(config.env_id))
    try:
        training.run()
        run.settle()
    finally:
        training.snapshots.close()
        learner.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, train, and return the exit code of the contract."""
    try:
        launch = parse_launch(sys.argv[1:] if arguments is None else arguments)
        if launch.seeds:
            fill_standard_streams()
            return run_seeds(launch)
        return start(launch)
    except MBPOError as error:
        return report(error)
    except OSError as error:  # before the run itself answers for its files
        return report(refused("cannot begin the run", error))
    except KeyboardInterrupt:
        return 130  # before there was a run


if __name__ == "__main__":
    sys.exit(main())
