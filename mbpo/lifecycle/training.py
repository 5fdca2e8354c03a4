"""Hold what one run trains with, count what it does and save it; the loop itself is mbpo/train.py."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import torch

from mbpo.envs.collector import Step
from mbpo.envs.left_out import LeftOut
from mbpo.errors import DivergedError
from mbpo.learner.imagine import Branches
from mbpo.learner.learner import Learner
from mbpo.lifecycle.orders import Orders
from mbpo.lifecycle.reports import Reports
from mbpo.lifecycle.starting_point import live_settings
from mbpo.lifecycle.timing import Profile, Stopwatch
from mbpo.lifecycle.usage import Usage
from mbpo.sac.interval import Interval, LossWatch
from mbpo.sac.stall import StallWatch
from mbpo.saving.store import CheckpointStore, Saved
from mbpo.settings.config import Config
from mbpo.trust.estimates import Estimates, estimate
from mbpo.trust.rollout_length import RolloutLength

COUNTERS = {"refits": "refits", "_evaluated_at": "evaluated_at"}  # names in a checkpoint, and here


class Training:
    """Hold the collaborators of one run's loop, and what it counts.

    Without a ``store`` the run repeats another's env steps, up to where a fork branches off, and saves nothing.
    """

    def __init__(
        self,
        config: Config,
        learner: Learner,
        reports: Reports,
        orders: Orders,
        store: CheckpointStore | None,
        saved: Saved | None = None,  # where to go on from
        until: int | None = None,  # env step to end at, if not total_steps
        evaluations: Collection[int] = (),  # env steps of those that the config does not ask for
    ) -> None:
        self.config = config
        self.learner = learner
        self.reports = reports
        self.orders = orders
        self.store = store
        self.until = config.total_steps if until is None else until
        waits = config.profile and learner.device.type == "cuda"
        self.clock = Stopwatch(torch.cuda.synchronize if waits else lambda: None)
        path = reports.writer.paths.profile
        self.profile = Profile(path, self.clock, config.warmup_steps) if config.profile else None
        self.usage = Usage(learner.device)
        self.rollout_length = RolloutLength(config)
        self.interval = Interval(learner.device)
        self.watch = LossWatch()
        agent = learner.agent
        self.stall_watch = StallWatch(agent.target_entropy, len(agent.actor.scale), config.alpha_lr)
        self.left_out = LeftOut(config.env_id)
        self.env_steps = 0
        self.settings: Mapping[str, Any] = {}  # in force
        self.refits = 0
        self.evaluated_at = -1
        self.evaluation_due = False
        self._evaluations = frozenset(evaluations)
        if saved is not None:
            self.restore(saved)

    @property
    def phase(self) -> str:
        """Return what the loop does between refits and evaluations."""
        if self.store is None:
            return "repeat"
        return "warm-up" if self.env_steps < self.config.warmup_steps else "train"

    def say(self, phase: str = "") -> None:
        """Let the status show ``phase``, or that the loop goes on."""
        self.reports.writer.update(phase=phase or self.phase)

    def take_in(self, step: Step) -> None:
        """Write down the episode that ended with an env step, and warn of a step that means nothing."""
        if step.left_out and (said := self.left_out.take_in(self.env_steps, step.left_out)):
            self.reports.writer.warn(self.env_steps, said)
        self.reports.step(self.env_steps, step)

    def after_step(self) -> None:
        """Report, save and evaluate where an env step and its updates make that due.

        Raises:
            EnvironmentFault: more than 1 % of the last 1,000 steps mean nothing.
        """
        config, at = self.config, self.env_steps
        if at % config.log_every == 0:
            self.log_interval(at, self.settings)
        if at == config.warmup_steps:
            self.clock.forget_speed(at)
            self.reports.writer.update(steps_per_s=0.0)  # not known yet
        self.evaluation_due |= at % config.eval_every == 0 or at in self._evaluations
        if at % config.checkpoint_every == 0:
            self.save(at, "last")
        self.evaluate_if_due()
        if self.profile:
            self.profile.step(at)
        self.left_out.check()

    def evaluate_if_due(self) -> None:
        """Evaluate where that is due; on one instance it waits for the end of the episode under way."""
        if self.evaluation_due and (not self.config.one_instance or self.learner.collector.at_start):
            self.evaluate(self.env_steps)

    def finish(self) -> None:
        """Evaluate and save the end; one that is hurried is saved only."""
        at = self.env_steps
        self.reports.writer.update(env_steps=at)
        hurried = self.reports.writer.control.hurried and at < self.until
        due = self.evaluation_due or (self.evaluated_at != at and at > self.config.warmup_steps)
        if due and not hurried:
            self.evaluation_due = True
            self.save(at, "last")
            self.evaluate(at)
        self.save(at, "final")
        if self.store is not None:
            self.store.settle()
        if self.profile:
            self.reports.console.profile(self.profile.write(at))

    def log_interval(self, env_steps: int, settings: Mapping[str, Any]) -> None:
        """Write what was counted since the last such row, fetching tensors from the device once."""
        metrics: dict[str, float | None] = {
            "rollout/length": self.rollout_length.in_force(env_steps - 1, settings),
            "mix/real_ratio": settings["real_ratio"],
            **self.clock.metrics(env_steps),
            **self.usage.metrics(),
            **self.interval.metrics(env_steps, self.config.reward_scale),
        }
        self.reports.interval(env_steps, metrics)
        self.say()
        self._watch_loss(env_steps, metrics.get("sac/critic_loss"))
        self._watch_stall(env_steps, metrics)

    def evaluate(self, env_steps: int) -> None:
        """Measure tanh(mean) actions, keep the best networks, write the figures."""
        self.say("evaluation")
        with self.clock("eval"):
            metrics = self.learner.evaluate().metrics()
            promised = self.learner.promise()
        self.evaluated_at, self.evaluation_due = env_steps, False
        self.reports.evaluation(env_steps, metrics | (promised.metrics() if promised else {}))
        self.say()
        if self.store is not None and self.store.is_best(metrics["eval/return_mean"]):
            self.store.save_policy(self.learner, env_steps, metrics)

    def save(self, env_steps: int, label: str) -> None:
        """Save all that a resume needs, as it is between two env steps.

        Raises:
            DivergedError: a weight is not finite: the last good checkpoint stays the last.
        """
        if self.store is not None:
            self.learner.check_finite()
            self.store.save(self.learner, env_steps, label, self.loop_state(env_steps))

    def save_before_failing(self) -> None:
        """Save what was learned until the environment failed; weights that are not finite are not."""
        self.reports.writer.update(env_steps=self.env_steps)
        with contextlib.suppress(DivergedError):
            self.save(self.env_steps, "last")
            if self.store is not None:
                self.store.settle()

    def loop_state(self, env_steps: int) -> dict[str, Any]:
        """Return what the loop itself counts, for a checkpoint."""
        best = self.store.best_return if self.store else -math.inf
        return {
            "env_steps": env_steps,
            "settings": dict(self.settings),
            "best_return": best if math.isfinite(best) else None,
            "sac": self.interval.state_dict(env_steps),
            "watch": self.watch.state_dict(),
            "imagined_capacity": self.learner.model_buffer.capacity,
            "seconds": self.clock.split(),
            **({"stall_watch": stalls} if (stalls := self.stall_watch.state_dict()) else {}),
            **({"rule_watch": counted} if (counted := self.learner.rule_watch.state_dict()) else {}),
            **({"left_out": counted} if (counted := self.left_out.state_dict()) else {}),
            **({"evaluation_due": True} if self.evaluation_due else {}),
            **({"rollout_length": remembered} if (remembered := self.rollout_length.state_dict()) else {}),
            **{saved: getattr(self, name) for saved, name in COUNTERS.items()},
            **self.reports.writer.position,
        }

    def restore(self, saved: Saved) -> None:
        """Go on counting from a checkpoint, which the learner has been brought to.

        A part that the version of the checkpoint did not have begins anew.
        """
        loop = saved.loop
        self.env_steps = loop["env_steps"]
        self.evaluation_due = bool(loop.get("evaluation_due"))
        parts = {
            "sac": self.interval.load_state_dict,
            "watch": self.watch.load_state_dict,
            "stall_watch": self.stall_watch.load_state_dict,
            "rule_watch": self.learner.rule_watch.load_state_dict,
            "rollout_length": self.rollout_length.load_state_dict,
            "left_out": self.left_out.load_state_dict,
        }
        for name, load in parts.items():
            if state := loop.get(name):
                load(state)
        for name, mine in COUNTERS.items():
            setattr(self, mine, loop[name])
        if self.store is not None:
            self.store.go_on_from(saved)
        self.clock.go_on_from(self.env_steps, loop["seconds"])
        if "imagined" not in saved.parts and loop["imagined_capacity"]:
            capacity = loop["imagined_capacity"]
            settings = {**live_settings(self.config), **loop["settings"]}
            self.learner.imagine(replace(self.branches(self.env_steps - 1, settings), capacity=capacity))

    def score_new_data(self) -> dict[str, float | None]:
        """Score the model on what was met since the last refit; on nothing before the first."""
        return self.learner.score_new_data(self.config.bound_resolution) if self.refits else {}

    def estimate(self) -> Estimates | None:
        """Estimate what the bound is made of; None without a policy, which has no ε_π."""
        learner = self.learner
        if self.config.algo != "mbpo":
            return None
        parts = learner.ensemble, learner.agent.actor, learner.real_buffer
        return estimate(*parts, self.config, learner.measured(), learner.streams.bound)

    def branches(self, env_steps: int, settings: Mapping[str, Any]) -> Branches:
        """Return what a refit's rollouts are to be."""
        rule = self.rollout_length.row_rule(settings)
        return Branches.of(self.config, settings, self.rollout_length.in_force(env_steps, settings), rule)

    def imagined(
        self,
        report: Mapping[str, float],  # metrics of the rollouts
        branches: Branches,
        estimates: Estimates | None,
        settings: Mapping[str, Any],
    ) -> dict[str, float | None]:
        """Return the metrics of a refit's rollouts, and what the bound makes of their length."""
        length = report["rollout/length_mean"] if branches.rule else branches.length
        return {
            **report,
            **self.rollout_length.report(settings),
            **(estimates.metrics(length) if estimates else {}),
            "rollout/length": branches.length,
            "rollout/model_buffer_rows": len(self.learner.model_buffer),
        }

    def watch_rule(self, env_steps: int) -> None:
        """Warn where real rows that no refit has seen yet contradict the termination rule."""
        for wrong in self.learner.rule_watch.contradictions(self.learner.real_buffer.unseen()):
            self.reports.writer.warn(env_steps, f"{wrong} (python -m mbpo.check_env {self.config.env_id})")

    def _watch_loss(self, env_steps: int, loss: float | None) -> None:
        """Warn where the critics begin to diverge, and keep a checkpoint from before."""
        scale, largest = self.config.reward_scale, self.learner.real_buffer.largest_reward
        times = loss and self.watch.alarm(env_steps, loss, lambda: scale * largest())
        if times:
            kept = self.store.keep_before(self.watch.healthy_at, "before_divergence") if self.store else None
            mend = f"--fork RUN_DIR@{kept}" if kept is not None else "begin again"
            self.reports.writer.warn(
                env_steps,
                f"diverging: the critics' loss is {times:,.0f} times what was usual; {mend} with a lower --critic-lr",
            )

    def _watch_stall(self, env_steps: int, metrics: Mapping[str, float | None]) -> None:
        """Warn where the policy stops learning though every number is finite."""
        alpha, entropy = metrics.get("sac/alpha"), metrics.get("sac/entropy")
        if alpha is None or entropy is None:
            return
        if said := self.stall_watch.stalled(self.interval.updates, alpha, entropy):
            half = self.learner.agent.precision != "float32"
            mend = "--precision float32" if half else "a larger --alpha-lr or a lower --actor-lr"
            self.reports.writer.warn(env_steps, f"stalled: {said}; --fork RUN_DIR with {mend}")
