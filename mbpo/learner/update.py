"""Update the policy on a mix of real and imagined rows."""

from __future__ import annotations

import torch
from torch import Tensor

from mbpo.data.real_buffer import RealBuffer
from mbpo.data.replay_buffer import ReplayBuffer, real_rows_in, sample_mixed
from mbpo.ops.graphs import GraphedCall, Recorder
from mbpo.sac.agent import SACAgent


class PolicyUpdates:
    """Take SAC updates, each on its own mix of rows from both buffers."""

    def __init__(
        self,
        agent: SACAgent,
        real_buffer: RealBuffer,
        model_buffer: ReplayBuffer,
        batch_rows: int,
        reward_scale: float,
        draws: torch.Generator,
        record: Recorder | None,  # where there is one, all updates of an env step are one launch
    ) -> None:
        self._agent = agent
        self._real_buffer = real_buffer
        self._model_buffer = model_buffer
        self._batch_rows = batch_rows
        self._reward_scale = reward_scale
        self._draws = draws
        generators = [draws, agent.generator]
        self._take = GraphedCall(
            self._update_each, generators, record, reads=lambda: (real_buffer.memory, *model_buffer.memories)
        )

    def run(self, real_ratio: float, updates: int) -> tuple[Tensor, int]:
        """Take ``updates`` updates.

        Returns the sum [5] of their reports' values, good until the next call, and the real rows
        in each batch.
        """
        real_rows = real_rows_in(self._batch_rows, real_ratio, self._model_buffer)
        return self._take(real_rows, updates), real_rows

    def _update_each(self, real_rows: int, updates: int) -> Tensor:
        batches = sample_mixed(self._real_buffer, self._model_buffer, self._batch_rows, real_rows, self._draws, updates)
        batches.reward.mul_(self._reward_scale)  # the rows are copies
        return self._agent.update_each(batches)
