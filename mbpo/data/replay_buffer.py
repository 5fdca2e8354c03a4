"""Keep the newest transitions in a ring, and mix real and imagined rows in each batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mbpo.data.transitions import Transitions, row_width


class ReplayBuffer:
    """Hold the newest ``capacity`` transitions on one device; memory grows with use.

    Attributes:
        added: how many rows were ever added.
    """

    def __init__(self, capacity: int, obs_dim: int, action_dim: int, device: torch.device | str = "cpu") -> None:
        self.capacity = capacity
        self.obs_dim = obs_dim
        self.action_dim = action_dim
        self.added = 0
        self._size = 0
        self._head = 0  # where the next row goes
        self._count = torch.zeros((), dtype=torch.int64, device=device)  # _size, for a graph
        self._rows = torch.empty(0, row_width(obs_dim, action_dim), device=device)
        self._weights: Tensor | None = None  # beside _rows, once a row has come with one; 1 of those that have none

    def __len__(self) -> int:
        return self._size

    @property
    def memory(self) -> Tensor:
        """Return the rows' memory [≥ len, W], which moves when it grows."""
        return self._rows

    @property
    def memories(self) -> tuple[Tensor, ...]:
        """Return the rows' memory and, where any row has one, the weights' [≥ len]."""
        return (self._rows,) if self._weights is None else (self._rows, self._weights)

    @property
    def transitions(self) -> Transitions:
        """View everything held, in no particular order."""
        return Transitions(self._rows[: self._size], self.obs_dim, self.action_dim)

    def add(self, batch: Transitions) -> None:
        """Append ``batch``; where it does not fit, the oldest rows make room."""
        self.added += len(batch)
        batch = batch.take(slice(max(0, len(batch) - self.capacity), None))
        rows, weight, count = batch.rows, batch.weight, len(batch)
        if count == 0:
            return
        self._reserve(min(self.capacity, self._size + count))
        self._write(self._rows, rows)
        if weight is not None and self._weights is None:
            self._weights = self._rows.new_ones(self._allocated)
        if self._weights is not None:
            self._write(self._weights, self._rows.new_ones(count) if weight is None else weight)
        self._head = (self._head + count) % self.capacity
        self._hold(min(self.capacity, self._size + count))

    def _write(self, memory: Tensor, new: Tensor) -> None:
        """Put new rows into the ring, from its head on."""
        first = min(len(new), len(memory) - self._head)
        memory[self._head : self._head + first] = new[:first]
        memory[: len(new) - first] = new[first:]

    def newest(self, count: int) -> Tensor:
        """Return the row indices [min(count, len)] of the newest rows, oldest first."""
        count = min(count, self._size)
        index = torch.arange(self._head - count, self._head, device=self._rows.device)
        return index % self.capacity

    def resize(self, capacity: int) -> None:
        """Change the capacity and keep the newest rows that fit."""
        if capacity == self.capacity:
            return
        newest = self.newest(capacity)
        kept = self._rows[newest]
        self.capacity = capacity
        self._rows = kept
        self._weights = self._weights[newest] if self._weights is not None else None
        self._hold(int(kept.shape[0]))
        self._head = self._size % capacity if capacity else 0

    def state_dict(self) -> dict[str, Tensor]:
        """Return everything held and where the next row goes, to be saved."""
        numbers = torch.tensor([self.capacity, self.added, self._head])
        weights = {} if self._weights is None else {"weights": self._weights[: self._size]}
        return {"rows": self._rows[: self._size], "numbers": numbers, **weights}

    def load_state_dict(self, saved: Mapping[str, Tensor]) -> None:
        """Hold again what :meth:`state_dict` returned, each row in the place where it was.

        Raises:
            ShapeError: the rows are of another width.
        """
        rows = Transitions(saved["rows"], self.obs_dim, self.action_dim).rows
        self.capacity, self.added, self._head = saved["numbers"].tolist()
        self._rows = rows.to(self._rows.device, copy=True)
        self._weights = saved["weights"].to(self._rows.device, copy=True) if "weights" in saved else None
        self._hold(len(rows))

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Return ``count`` rows [count, W], drawn uniformly with replacement.

        Raises:
            RuntimeError: the buffer is empty and count is not 0.
        """
        return self._rows.index_select(0, self._draw(count, generator))

    def sample_weighted(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Return :meth:`sample`, and the rows' weights [count], where any row has one."""
        index = self._draw(count, generator)
        weights = self._weights
        return self._rows.index_select(0, index), weights if weights is None else weights.index_select(0, index)

    def _draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return row indices [count]; a graph that replays this reads the size of its moment."""
        if count and not self._size:
            raise RuntimeError(f"{count} rows are wanted of an empty buffer")
        device = self._rows.device
        # A double below 1 times a whole number below 2^53 stays below that number.
        share = torch.rand(count, generator=generator, device=device, dtype=torch.float64)
        return (share * self._count).long()

    def _hold(self, size: int) -> None:
        self._size = size
        self._count.fill_(size)

    @property
    def _allocated(self) -> int:
        return int(self._rows.shape[0])

    def _reserve(self, rows: int) -> None:
        """Grow the memory to at least ``rows``, by doubling; the ring has not wrapped before."""
        if rows > self._allocated:
            grown = min(self.capacity, max(rows, 2 * self._allocated, 1024))
            memory = self._rows.new_zeros(grown, self._rows.shape[1])
            memory[: self._size] = self._rows[: self._size]
            self._rows = memory
            if self._weights is not None:
                weights = self._weights.new_ones(grown)
                weights[: self._size] = self._weights[: self._size]
                self._weights = weights


def real_rows_in(batch_size: int, real_ratio: float, model_buffer: ReplayBuffer) -> int:
    """Return how many rows of each batch are real: int(batch_size · real_ratio).

    While the model buffer is empty every row is.

    Source: the released MBPO code mixes inside each batch, not by a coin per batch.
    """
    return int(batch_size * real_ratio) if len(model_buffer) else batch_size


def sample_mixed(
    real_buffer: ReplayBuffer,
    model_buffer: ReplayBuffer,
    batch_size: int,
    real_rows: int,
    generator: torch.Generator,
    batches: int = 1,
) -> Transitions:  # rows [batches, batch_size, W]
    """Draw batches of ``real_rows`` real rows each, the rest imagined."""
    imagined_rows = batch_size - real_rows
    parts, weights = [], None
    if real_rows:
        parts.append(real_buffer.sample(batches * real_rows, generator).view(batches, real_rows, -1))
    if imagined_rows:
        rows, weights = model_buffer.sample_weighted(batches * imagined_rows, generator)
        parts.append(rows.view(batches, imagined_rows, -1))
    rows = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    if weights is not None:
        ones = weights.new_ones(batches, real_rows)
        weights = torch.cat((ones, weights.view(batches, imagined_rows)), dim=1)
    return Transitions(rows, real_buffer.obs_dim, real_buffer.action_dim, weights)


def model_buffer_capacity(
    per_refit: int,  # rows that a refit's rollouts store, at most
    retain_epochs: int,
    epoch_length: int,
    model_train_freq: int,
) -> int:
    """Return the rows that ``retain_epochs`` epochs of rollouts fill; at least one refit's.

        capacity = retain_epochs · per_refit · epoch_length / model_train_freq,  per_refit = k · rollout_batch

    Source: the released MBPO code, ``_reallocate_model_pool``.
    """
    return max(per_refit, int(retain_epochs * per_refit * epoch_length / model_train_freq))
