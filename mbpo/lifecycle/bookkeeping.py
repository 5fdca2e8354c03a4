"""Count, write and save what a run does; the loop itself is in :mod:`mbpo.train`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import torch

from mbpo.errors import CheckpointError
from mbpo.learner.learner import Learner
from mbpo.lifecycle.console import Console
from mbpo.lifecycle.timing import Profile, Stopwatch
from mbpo.runs.live_control import InForce
from mbpo.runs.writer import RunWriter
from mbpo.sac.interval import Interval, LossWatch
from mbpo.saving.store import CheckpointStore, Saved
from mbpo.settings.config import Config
from mbpo.trust.policies.schedule import scheduled_length


class Bookkeeping:
    """Hold one run's learner, its writer and what was counted since the last row of metrics."""

    COUNTERS = ("refits", "_evaluated_at")

    def __init__(
        self,
        config: Config,
        learner: Learner,
        run: RunWriter,
        console: Console,
        saved: Saved | None = None,  # where to go on from
        until: int | None = None,  # env step to end at, if not total_steps
        evaluations: Collection[int] = (),  # env steps of those that the config does not ask for
    ) -> None:
        self.config = config
        self.learner = learner
        self.run_writer = run
        self.console = console
        waits = config.profile and learner.device.type == "cuda"
        self.clock = Stopwatch(torch.cuda.synchronize if waits else lambda: None)
        self.env_steps = 0
        self.profile = Profile(run.paths.profile, self.clock, config.warmup_steps) if config.profile else None
        self.store = CheckpointStore(
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
        self._until = config.total_steps if until is None else until
        self._evaluations = frozenset(evaluations)
        if saved is not None:
            self.restore(saved)

    def obey(self, env_steps: int) -> InForce:
        """Return what holds from ``env_steps`` on; wait here while paused."""
        return self.run_writer.at_boundary(env_steps)

    def phase(self, env_steps: int) -> str:
        """Return what the loop does between refits and evaluations."""
        return "warm-up" if env_steps < self.config.warmup_steps else "train"

    def rollout_length(self, env_steps: int, settings: Mapping[str, Any]) -> int:
        """Return k in force: a hand-set value, else the schedule's; 0 but for mbpo."""
        if self.config.algo != "mbpo":
            return 0
        if settings["rollout_length"] != "auto":
            return int(settings["rollout_length"])
        epoch = max(0, env_steps - self.config.warmup_steps) // self.config.epoch_length
        return scheduled_length(epoch, settings["rollout_schedule"])

    def log_interval(self, env_steps: int, settings: Mapping[str, Any]) -> None:
        """Write what was counted since the last such row, fetching tensors from the device once."""
        metrics: dict[str, float | None] = {
            "rollout/length": self.rollout_length(env_steps - 1, settings),
            "mix/real_ratio": settings["real_ratio"],
            **self.clock.metrics(env_steps),
        }
        metrics |= self.interval.metrics(env_steps, self.config.reward_scale)
        self.run_writer.log(env_steps, metrics)
        speed = metrics["time/env_steps_per_s"]
        self.run_writer.update(steps_per_s=speed, phase=self.phase(env_steps))
        self.console.interval(env_steps, metrics, self.run_writer.status)
        self.watch_loss(env_steps, metrics.get("sac/critic_loss"))

    def watch_loss(self, env_steps: int, loss: float | None) -> None:
        """Warn where the critics begin to diverge, and keep a checkpoint from before."""
        scale, largest = self.config.reward_scale, self.learner.real_buffer.largest_reward
        times = loss and self.watch.alarm(env_steps, loss, lambda: scale * largest())
        if times:
            kept = self.store.keep_before(self.watch.healthy_at, "before_divergence")
            mend = f"--fork RUN_DIR@{kept}" if kept is not None else "begin again"
            self.run_writer.warn(
                env_steps,
                f"diverging: the critics' loss is {times:,.0f} times what was usual; {mend} with a lower --critic-lr",
            )

    def evaluate(self, env_steps: int) -> None:
        """Measure tanh(mean) actions, keep the best networks, write the figures."""
        self._evaluated_at = env_steps
        self.run_writer.update(phase="evaluation")
        with self.clock("eval"):
            report = self.learner.evaluator.run(self.learner.best_action)
        metrics = report.metrics()
        self.run_writer.evaluation(env_steps, metrics)
        self.run_writer.update(phase=self.phase(env_steps))
        self.console.evaluation(env_steps, metrics)
        if self.store.is_best(metrics["eval/return_mean"]):
            self.save_policy(env_steps, metrics)

    def save_policy(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        """Save the networks, to be evaluated, as the best."""
        self.store.save_policy(self.learner, env_steps, metrics)

    def save(self, env_steps: int, label: str) -> None:
        """Save all that a resume needs, as it is between two env steps.

        Raises:
            DivergedError: a weight is not finite: the last good checkpoint stays the last.
        """
        self.learner.check_finite()
        self.store.save(self.learner, env_steps, label, self.loop_state(env_steps))

    def loop_state(self, env_steps: int) -> dict[str, Any]:
        """Return what the loop itself counts, for a checkpoint."""
        best = self.store.best_return
        return {
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

    def restore(self, saved: Saved) -> None:
        """Go on counting from a checkpoint, which the learner has been brought to."""
        loop = saved.loop
        if missing := {"sac", "watch", *self.COUNTERS} - loop.keys():
            raise CheckpointError(
                f"{saved.name} has no {min(missing)}: another version of mbpo saved it; resume the run with that"
            )
        self.env_steps = loop["env_steps"]
        self.interval.load_state_dict(loop["sac"])
        self.watch.load_state_dict(loop["watch"])
        for name in self.COUNTERS:
            setattr(self, name, loop[name])
        self.store.go_on_from(saved)
        self.clock.go_on_from(self.env_steps, loop["seconds"])
        if "imagined" not in saved.parts and loop["imagined_capacity"]:
            self.learner.model_buffer.resize(loop["imagined_capacity"])
            length = self.rollout_length(self.env_steps - 1, loop["settings"])
            self.learner.imagine(length, self.config.rollout_batch)
