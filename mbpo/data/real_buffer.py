"""Keep real transitions with how they were chosen and whether the model may train on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mbpo.data.replay_buffer import ReplayBuffer
from mbpo.data.transitions import Transitions


@dataclass(frozen=True)
class Behaviour:
    """Remember the policy π_D that chose N actions.

    Uniform warm-up actions have a density but no Gaussian: their mean and log_std are NaN.
    """

    mean: Tensor  # [N, A], before tanh
    log_std: Tensor  # [N, A], before tanh
    log_prob: Tensor  # [N], nats, of the action in the environment's units

    @property
    def packed(self) -> Tensor:
        """Return the parts as [N, 2A + 1]."""
        return torch.cat((self.mean, self.log_std, self.log_prob[:, None]), dim=1)


class RealBuffer(ReplayBuffer):
    """Add to each transition its :class:`Behaviour` and a sticky holdout mark.

    A row once held out is never trained on, and a row once trained on is never held out: marks
    are given, before a refit, among the rows that no refit has seen.
    """

    def __init__(self, capacity: int, obs_dim: int, action_dim: int, device: torch.device | str = "cpu") -> None:
        super().__init__(capacity, obs_dim, action_dim, device)
        self._behaviour = torch.empty(0, 2 * action_dim + 1, device=device)
        self._held_out = torch.empty(0, dtype=torch.bool, device=device)
        self._unseen = 0  # rows since the last call of mark_holdout

    def largest_reward(self) -> float:
        """Return the largest |reward| held, or 0."""
        return float(self.transitions.reward.abs().max()) if len(self) else 0.0

    def add_real(self, batch: Transitions, behaviour: Behaviour) -> None:
        """Append transitions and how they were chosen; unmarked."""
        self.add(batch)
        index = self.newest(len(batch))
        grown = self._allocated - self._behaviour.shape[0]
        if grown > 0:
            self._behaviour = torch.cat((self._behaviour, self._behaviour.new_zeros(grown, self._behaviour.shape[1])))
            self._held_out = torch.cat((self._held_out, self._held_out.new_zeros(grown)))
        self._behaviour[index] = behaviour.packed[len(batch) - len(index) :]
        self._held_out[index] = False
        self._unseen += len(batch)

    def recorded(self, first: int, end: int) -> dict[str, Tensor]:
        """Return rows ``first`` to ``end`` − 1, counted from 0 since the run began, to be saved.

        They are never changed again; only their holdout marks are, by :meth:`mark_holdout`.
        """
        index = torch.arange(first, end, device=self._rows.device) % self.capacity
        return {"rows": self._rows[index], "behaviour": self._behaviour[index]}

    def state_dict(self) -> dict[str, Tensor]:
        """Return what :meth:`recorded` leaves out, to be saved."""
        index = self.newest(len(self))
        numbers = torch.tensor([self.added, self._unseen])
        return {"held_out": self._held_out[index], "numbers": numbers}

    def load_state_dict(self, saved: Mapping[str, Tensor]) -> None:
        """Hold again what :meth:`recorded` and :meth:`state_dict` returned, oldest row first.

        With the capacity of then each row is in the place where it was; with a smaller one the
        oldest rows are left out.

        Raises:
            ShapeError: the rows are of another width.
        """
        kept = min(self.capacity, len(saved["held_out"]))
        newest = {k: v[len(v) - kept :] for k, v in saved.items() if k != "numbers"}
        Transitions(newest["rows"], self.obs_dim, self.action_dim)
        self.added, self._unseen = saved["numbers"].tolist()
        self._head = self.added % self.capacity
        self._size = 0
        self._reserve(kept)
        device, allocated = self._rows.device, self._allocated
        width = self._behaviour.shape[1]
        self._behaviour = torch.zeros(allocated, width, device=device)
        self._held_out = torch.zeros(allocated, dtype=torch.bool, device=device)
        index = torch.arange(self.added - kept, self.added, device=device) % self.capacity
        self._rows[index] = newest["rows"].to(device)
        self._behaviour[index] = newest["behaviour"].to(device)
        self._held_out[index] = newest["held_out"].to(device)
        self._hold(kept)

    def unseen(self, before: int = 0) -> Transitions:
        """Return the rows added since the last :meth:`mark_holdout`, and so many ``before`` them, oldest first."""
        return self._take(self.newest(self._unseen + before))

    def mark_holdout(self, ratio: float, most: int, generator: torch.Generator) -> None:
        """Hold out unseen rows, drawn at random, until min(ratio · len, most) rows are held out."""
        index = self.newest(self._unseen)
        wanted = min(int(len(self) * ratio), most) - int(self._held_out[: len(self)].sum())
        if wanted > 0 and len(index):
            order = torch.randperm(len(index), generator=generator, device=index.device)
            self._held_out[index[order[:wanted]]] = True
        self._unseen = 0

    def training_rows(self) -> Transitions:
        """Return the rows that the model may train on."""
        return self._take((~self._held_out[: len(self)]).nonzero().squeeze(1))

    def holdout_rows(self) -> Transitions:
        """Return the rows held out for good."""
        return self._take(self._held_out[: len(self)].nonzero().squeeze(1))

    def sample_rows(self, count: int, generator: torch.Generator) -> Transitions:
        """Return ``count`` uniformly drawn transitions."""
        return Transitions(self.sample(count, generator), self.obs_dim, self.action_dim)

    def sample_behaviour(self, count: int, generator: torch.Generator) -> tuple[Transitions, Behaviour]:
        """Return ``count`` uniformly drawn rows and how their actions were chosen."""
        index = self._draw(count, generator)
        packed, dim = self._behaviour[index], self.action_dim
        behaviour = Behaviour(packed[:, :dim], packed[:, dim : 2 * dim], packed[:, 2 * dim])
        return self._take(index), behaviour

    def _take(self, index: Tensor) -> Transitions:
        return Transitions(self._rows[index], self.obs_dim, self.action_dim)
