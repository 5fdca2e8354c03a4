"""Write down what the loop did: in the run directory, and in words on the console."""

from __future__ import annotations

from collections.abc import Mapping

from mbpo.envs.collector import Step
from mbpo.lifecycle.console import Console
from mbpo.runs.writer import RunWriter

Metrics = Mapping[str, float | None]


class Reports:
    """Tell the run directory and the console the same."""

    def __init__(self, writer: RunWriter, console: Console) -> None:
        self.writer = writer
        self.console = console

    def step(self, env_steps: int, step: Step) -> None:
        """Write down the episode that ended with this step."""
        if step.episode is not None:
            done = step.episode
            self.writer.episode(env_steps, done.index, done.episode_return, done.length)

    def refit(self, env_steps: int, metrics: Metrics) -> None:
        """Write down a refit with its rollouts."""
        self.writer.refit(env_steps, metrics)
        self.console.refit(env_steps, metrics)

    def interval(self, env_steps: int, metrics: Metrics) -> None:
        """Write down what was counted since the last such row."""
        self.writer.interval(env_steps, metrics)
        self.writer.update(steps_per_s=metrics["time/env_steps_per_s"])
        self.console.interval(env_steps, metrics, self.writer.status)

    def checkpoint(self, name: str, env_steps: int) -> None:
        """Write down a checkpoint that is on disk."""
        self.writer.event("checkpoint", env_steps=env_steps, checkpoint=name)
        self.console.checkpoint(env_steps)

    def evaluation(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        """Write down an evaluation."""
        self.writer.evaluation(env_steps, metrics)
        self.console.evaluation(env_steps, metrics, self.writer.status)
