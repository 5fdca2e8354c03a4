"""Branch imagined rollouts from real states into the model buffer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch import Tensor

from mbpo.data.predictions import Prediction, RowRule
from mbpo.data.real_buffer import RealBuffer
from mbpo.data.replay_buffer import ReplayBuffer, model_buffer_capacity
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.rollout import RolloutReport, imagine, rollout, store_imagined
from mbpo.ops.graphs import GraphedCall, Recorder
from mbpo.sac.networks import Actor
from mbpo.settings.config import Config

MOST_ROUNDS = 8  # of start states, where a rule stores little
SPARE = 1.1, 16  # times and besides the start states that should suffice


@dataclass(frozen=True)
class Branches:
    """Say what rollouts a refit branches."""

    length: int  # k, or H of a rule
    start_rows: int  # real states, unless ``rows`` says how much is to come of them
    rows: int | None = None  # to store
    rule: RowRule | None = None  # that looks at every row
    capacity: int | None = None  # rows of the model buffer; None leaves it as it is

    @classmethod
    def of(cls, config: Config, settings: Mapping[str, Any], length: int, rule: RowRule | None) -> Branches:
        """Return what ``config`` and the live ``settings`` ask for.

        Where ``rollout_rows`` is set, that is as many rows under every rule.
        """
        starts = config.rollout_batch
        rows = starts if rule is not None else None
        rows = rows if config.rollout_rows == "auto" else int(config.rollout_rows)
        most = 0 if not length else length * starts if rows is None else rows
        every = settings["model_train_freq"]
        return cls(
            length, starts, rows, rule, model_buffer_capacity(most, config.retain_epochs, config.epoch_length, every)
        )


class Imagination:
    """Let the policy act in the model, from states that the real buffer holds."""

    def __init__(
        self,
        fake_env: FakeEnv,
        actor: Actor,
        real_buffer: RealBuffer,
        model_buffer: ReplayBuffer,
        draws: torch.Generator,
        looks: torch.Generator,  # draws what a rule calibrates on
        record: Recorder | None,  # where there is one, k steps without a rule are one launch
    ) -> None:
        self._fake_env = fake_env
        self._actor = actor
        self._real_buffer = real_buffer
        self._model_buffer = model_buffer
        self._draws = draws
        self._looks = looks
        self._at_once = (
            GraphedCall(self._imagine, [draws], record, lambda: (real_buffer.memory,)) if record is not None else None
        )

    def run(self, branches: Branches) -> RolloutReport:
        """Store rollouts from so many real states, or from as many as it takes to store so many rows."""
        if branches.capacity is not None:
            self._model_buffer.resize(branches.capacity)
        length, rows, rule = branches.length, branches.rows, branches.rule
        if not length or rows is None:
            return self._branch(length, branches.start_rows if length else 0, None, rule)
        report = self._branch(length, ceil(rows / length), rows, rule)
        for _ in range(MOST_ROUNDS - 1):
            wanted = rows - report.rows
            if not wanted:
                break
            mean = max(report.rows / len(report.lengths), 1 / MOST_ROUNDS)
            starts = min(rows, int(SPARE[0] * wanted / mean) + SPARE[1])
            report = report.and_then(self._branch(length, starts, wanted, rule))
        return report

    def sample_policy(self, obs: Tensor) -> Tensor:  # [N, O] -> [N, A]
        """Return sampled actions, for imagined steps."""
        return self._actor.draw(obs, self._draws, self._fake_env.precision)

    @torch.no_grad()
    def predict_real(self, rows: int) -> Prediction:
        """Return what all elites predict at real rows, drawn with replacement."""
        drawn = self._real_buffer.sample_rows(rows, self._looks)
        return self._predict(drawn.obs, drawn.action)

    @torch.no_grad()
    def predict_imagined(self, rows: int) -> Prediction:
        """Return what all elites predict at the first steps of rollouts: real states, with the policy's actions."""
        obs = self._real_buffer.sample_rows(rows, self._looks).obs
        return self._predict(obs, self._actor.draw(obs, self._looks, self._fake_env.precision))

    def _predict(self, obs: Tensor, action: Tensor) -> Prediction:
        chosen, _ = self._fake_env.draw(obs, self._looks)
        return self._fake_env.predict(obs, action, chosen)

    def _branch(self, length: int, start_rows: int, most_rows: int | None, rule: RowRule | None) -> RolloutReport:
        if start_rows and rule is None and self._at_once is not None:
            return store_imagined(*self._at_once(length, start_rows), self._model_buffer, most_rows)
        start, draws = self._start(start_rows), self._draws
        return rollout(self._fake_env, self.sample_policy, start, length, self._model_buffer, draws, rule, most_rows)

    def _start(self, rows: int) -> Tensor:  # [N, O]
        return self._real_buffer.sample_rows(rows, self._draws).obs

    def _imagine(self, length: int, start_rows: int) -> tuple[Tensor, Tensor]:
        return imagine(self._fake_env, self.sample_policy, self._start(start_rows), length, self._draws)
