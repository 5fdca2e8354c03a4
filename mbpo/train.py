"""Run MBPO: ``python -m mbpo.train --preset pendulum``. The loop is :meth:`Training.advance`.

Line numbers are those of Algorithm 2 in "When to Trust Your Model", arXiv:1906.08253.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mbpo.data.replay_buffer import model_buffer_capacity
from mbpo.errors import MBPOError, refused, report
from mbpo.learner.learner import Learner
from mbpo.lifecycle.bookkeeping import Bookkeeping
from mbpo.lifecycle.command_line import Launch, parse_launch
from mbpo.lifecycle.console import Console
from mbpo.lifecycle.find_start import find_starting_point
from mbpo.lifecycle.manifest import manifest, pin_threads
from mbpo.lifecycle.process import fill_standard_streams, learner_process
from mbpo.lifecycle.starting_point import CHECKS, LeadIn, StartingPoint, new_status
from mbpo.runs.create import create_run_dir
from mbpo.runs.live_control import InForce
from mbpo.runs.writer import RunWriter
from mbpo.saving.store import Saved
from mbpo.seeds.pool import run_seeds
from mbpo.settings.config import Config
from mbpo.trust.estimates import bound_metrics, new_data_error

UNSTABLE = (
    "MuJoCo found the simulation unstable and put it back to its start: the step was left out and the episode ended"
)
NO_RULE = (
    "no termination rule for {}: a head learns from real ends when imagined rollouts end "
    "(model/termination_error); a rule is exact, see mbpo/envs/termination.py"
)


class Training(Bookkeeping):
    """Interleave what the environment, the model and the policy do, and write it down."""

    def run(self) -> None:
        """Go through all env steps, or until told to stop; then evaluate and save the end."""
        env_steps = self.advance()
        self.run_writer.update(env_steps=env_steps)
        if self._evaluated_at != env_steps and env_steps > self.config.warmup_steps:
            self.evaluate(env_steps)
        self.save(env_steps, "final")
        self.store.settle()
        if self.profile:
            self.console.profile(self.profile.write(env_steps))

    def advance(self) -> int:
        """Interleave real steps, refits, imagined rollouts and SAC updates; return the last."""
        config = self.config
        env_steps = self.env_steps
        while env_steps < self._until:
            order = self.obey(env_steps)
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
                self.profile.step(env_steps)
        return env_steps

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
            real_buffer.mark_holdout(config.holdout_ratio, config.holdout_max, learner.streams.holdout)
            rows = real_buffer.training_rows(), real_buffer.holdout_rows()
            fit = learner.trainer.fit(*rows)
            ends = learner.termination.fit(*rows).metrics() if learner.termination else {}
            self.refits += 1
            bound = bound_metrics(learner, config, length, fresh) if bounded else {}
        self.run_writer.update(phase="rollout")
        with self.clock("rollout"):
            learner.model_buffer.resize(
                model_buffer_capacity(
                    length,
                    config.rollout_batch,
                    config.retain_epochs,
                    config.epoch_length,
                    settings["model_train_freq"],
                )
            )
            imagined = learner.imagine(length, config.rollout_batch)
        metrics = {**fit.metrics(), **ends, **bound, **imagined.metrics(), "rollout/length": length}
        metrics["rollout/model_buffer_rows"] = len(learner.model_buffer)
        self.run_writer.log(env_steps, metrics)
        self.run_writer.update(phase=self.phase(env_steps))
        self.console.refit(env_steps, metrics)

    def update_policy(self, env_steps: int, settings: Mapping[str, Any]) -> None:
        """Take this step's SAC updates, each on its own mix of real and imagined rows."""
        updates = 0 if self.config.algo == "pets" else int(settings["updates_per_step"])
        if not updates:
            return
        with self.clock("sac"):
            values, real_rows = self.learner.update_policy(float(settings["real_ratio"]), updates)
        self.interval.add(env_steps, values, updates, real_rows, self.config.sac_batch)


class Repeating(Training):
    """Repeat another run's env steps up to where a fork branches off, and save nothing.

    Commands that come meanwhile hold from there on; only pause and stop are obeyed at once.
    """

    def __init__(
        self, lead_in: LeadIn, learner: Learner, run: RunWriter, console: Console, saved: Saved | None
    ) -> None:
        until, evaluations = lead_in.until, lead_in.evaluations
        super().__init__(lead_in.config, learner, run, console, saved, until, evaluations)
        self._lead_in = lead_in
        self.checkpoint_asked = False

    def obey(self, env_steps: int) -> InForce:
        """Return what was in force in the other run."""
        order = self.run_writer.at_boundary(env_steps, holds_from=self._until)
        while order.checkpoint:  # and ask again: a paused run stays paused
            self.checkpoint_asked = True
            order = self.run_writer.at_boundary(env_steps, holds_from=self._until)
        return InForce(self._lead_in.settings_at(env_steps), order.stop)

    def phase(self, env_steps: int) -> str:
        """Return that it is not on its own way yet."""
        return "repeat"

    def save(self, env_steps: int, label: str) -> None:
        """Leave saving to the run that goes on."""

    def save_policy(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        """Leave saving to the run that goes on."""

    def branch(self) -> Saved | None:
        """Return all that the fork goes on from, or None where it was told to stop before."""
        self.run_writer.update(phase=self.phase(self.env_steps))
        env_steps = self.advance()
        self.store.close()
        if env_steps < self._until:
            return None
        self.run_writer.end_comparison(env_steps)
        loop = self.loop_state(env_steps)
        return Saved(f"env step {env_steps}", self.learner.whole_state(), loop, {})


def start(launch: Launch) -> int:
    """Train a new run, one that was cut off, a fork or a replay; return the exit code."""
    config = launch.config
    fill_standard_streams()
    attempt = find_starting_point(launch)
    threads = pin_threads(attempt.threads)
    learner = Learner(config)  # before the directory: what cannot be built leaves no trace
    leader = attempt.load(learner)
    facts = manifest(config, launch.toml, learner.device, threads)
    paths = attempt.paths or create_run_dir(launch.runs_root, launch.run_id, preset=config.preset, seed=config.seed)
    print(paths.root, flush=True)
    status = new_status(config, attempt)
    hang_after = float(config.hang_after)
    with RunWriter(paths, status, CHECKS, attempt.settings, attempt.history, hang_after) as run:
        if attempt.paths is None:
            run.write_config(launch.toml, {**facts, **attempt.lineage})
        attempt.begin(run, facts)
        return learner_process(run, lambda: _train(config, learner, leader, run, attempt))


def _train(config: Config, learner: Learner, leader: Learner | None, run: RunWriter, attempt: StartingPoint) -> None:
    console, saved, replay = Console(config), attempt.saved, attempt.replay
    labels = ["fork"]
    if leader is not None and attempt.lead_in is not None:
        run.enter("running")
        repeating = Repeating(attempt.lead_in, leader, run, console, saved)
        saved = repeating.branch()
        leader.close()
        if saved is None:
            learner.close()
            return run.settle()
        labels += ["requested"] if repeating.checkpoint_asked else []
        saved = attempt.branched(saved)
        learner.load_state_dict(saved.parts)
    again = (replay.until, replay.evaluations) if replay else ()
    training = Training(config, learner, run, console, saved, *again)
    if saved and attempt.history.of_another:
        training.settings = attempt.settings
        for label in labels:
            training.save(training.env_steps, label)
    run.update(phase=training.phase(training.env_steps), env_steps=training.env_steps)
    run.enter("running")
    if learner.termination and config.algo != "sac":
        run.warn(training.env_steps, NO_RULE.format(config.env_id))
    try:
        training.run()
        run.settle()
    finally:
        training.store.close()
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
