"""Branch imagined rollouts from real states into the model buffer."""

from __future__ import annotations

import torch
from torch import Tensor

from mbpo.data.real_buffer import RealBuffer
from mbpo.data.replay_buffer import ReplayBuffer
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.rollout import RolloutReport, imagine, rollout, store_imagined
from mbpo.ops.graphs import GraphedCall, Recorder
from mbpo.sac.networks import Actor


class Imagination:
    """Let the policy act in the model, from states that the real buffer holds."""

    def __init__(
        self,
        fake_env: FakeEnv,
        actor: Actor,
        real_buffer: RealBuffer,
        model_buffer: ReplayBuffer,
        draws: torch.Generator,
        record: Recorder | None,  # where there is one, k steps are one launch
    ) -> None:
        self._fake_env = fake_env
        self._actor = actor
        self._real_buffer = real_buffer
        self._model_buffer = model_buffer
        self._draws = draws
        self._at_once = (
            GraphedCall(self._imagine, [draws], record, lambda: (real_buffer.memory,)) if record is not None else None
        )

    def run(self, length: int, start_rows: int) -> RolloutReport:
        """Store rollouts of up to ``length`` steps from ``start_rows`` real states."""
        start_rows = start_rows if length else 0
        if start_rows and self._at_once is not None:
            return store_imagined(*self._at_once(length, start_rows), self._model_buffer)
        start = self._start(start_rows)
        return rollout(self._fake_env, self.sample_policy, start, length, self._model_buffer, self._draws)

    def sample_policy(self, obs: Tensor) -> Tensor:  # [N, O] -> [N, A]
        """Return sampled actions, for imagined steps."""
        return self._actor.draw(obs, self._draws, self._fake_env.precision)

    def _start(self, rows: int) -> Tensor:  # [N, O]
        return self._real_buffer.sample_rows(rows, self._draws).obs

    def _imagine(self, length: int, start_rows: int) -> tuple[Tensor, Tensor]:
        return imagine(self._fake_env, self.sample_policy, self._start(start_rows), length, self._draws)
