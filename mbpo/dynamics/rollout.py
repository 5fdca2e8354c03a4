"""Branch short imagined rollouts from real states.

Two ways: :func:`rollout` drops rows that ended as it goes, which costs least where the host waits
for results anyway; :func:`imagine` keeps them, masked, so that its shapes are known beforehand and
a CUDA graph can hold it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mbpo.data.predictions import Decision, RowRule
from mbpo.data.replay_buffer import ReplayBuffer
from mbpo.data.transitions import Transitions
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.errors import DivergedError

SamplePolicy = Callable[[Tensor], Tensor]  # obs [N, O] -> action [N, A]


@dataclass(frozen=True)
class RolloutReport:
    """Say what rollouts stored."""

    lengths: Tensor  # [N] int64: rows stored of each start state
    terminated: int  # stored rows that are terminal
    stopped: int = 0  # rollouts that a rule ended
    weight: float = 0.0  # sum over stored rows

    @property
    def rows(self) -> int:
        """Return how many rows were stored."""
        return int(self.lengths.sum())

    @property
    def length_measured(self) -> int:
        """Return the most rows stored of one start state."""
        return int(self.lengths.max()) if len(self.lengths) else 0

    @property
    def length_mean(self) -> float:
        """Return how many rows were stored of a start state."""
        return self.rows / max(1, len(self.lengths))

    def and_then(self, other: RolloutReport) -> RolloutReport:
        """Return the report of both."""
        lengths = torch.cat((self.lengths, other.lengths))
        sums = {n: getattr(self, n) + getattr(other, n) for n in ("terminated", "stopped", "weight")}
        return replace(self, lengths=lengths, **sums)

    def metrics(self) -> dict[str, float]:
        """Return the report under its metric keys."""
        starts, rows = max(1, len(self.lengths)), max(1, self.rows)
        counts = self.lengths.bincount().cumsum(0).tolist()
        shares = {f"rollout/length_p{p}": _quantile(counts, p / 100) for p in (10, 50, 90)}
        return {
            "rollout/length_measured": self.length_measured,
            "rollout/length_mean": self.length_mean,
            **shares,
            "rollout/rows": self.rows,
            "rollout/start_rows": len(self.lengths),
            "rollout/terminated_share": self.terminated / rows,
            "rollout/stopped_share": self.stopped / starts,
            "rollout/weight_mean": self.weight / rows,
        }


def _quantile(counts: list[int], share: float) -> int:
    """Return the smallest length that ``share`` of the rollouts do not pass; ``counts`` are cumulative, by length."""
    return next((length for length, count in enumerate(counts) if count >= share * counts[-1]), 0)


@torch.no_grad()
def rollout(
    fake_env: FakeEnv,
    policy: SamplePolicy,
    start_obs: Tensor,  # [N, O]
    length: int,  # k
    model_buffer: ReplayBuffer,
    generator: torch.Generator,
    rule: RowRule | None = None,
    most_rows: int | None = None,  # to store
) -> RolloutReport:
    """Imagine up to k steps from each start state and store every transition, or those that ``rule`` lets.

    A terminal transition is stored, then its row leaves; the rollout stops when no row is left, or none is wanted.

    Source: MBPO, arXiv:1906.08253, Algorithm 2, lines 7-9.

    Raises:
        DivergedError: the model or the policy gave a non-finite value.
    """
    going = _Going.begin(start_obs, rule)
    tally = _Tally(model_buffer, len(start_obs), most_rows, start_obs.device)
    for step in range(length):
        if not len(going.obs) or tally.full:
            break
        action = policy(going.obs)
        if rule is None:
            happens, decision = fake_env.step(going.obs, action, generator), None
        else:
            happens, decision = _judged(fake_env, rule, going, action, generator, (step, length))
        batch = Transitions.pack(going.obs, action, *happens)
        if not torch.isfinite(batch.rows).all():
            raise DivergedError(f"imagined step {step + 1} of {length} is not finite")
        tally.store(batch, going.start, decision)
        going = going.after(batch, decision)
    return tally.report()


@dataclass(frozen=True)
class _Going:
    """Hold the rows that go on."""

    obs: Tensor  # [N, O]
    start: Tensor  # [N] int64, the start state of each
    carried: Tensor | None  # [N, C], for a rule

    @classmethod
    def begin(cls, obs: Tensor, rule: RowRule | None) -> _Going:
        carried = rule.carried(len(obs), obs.device) if rule is not None else None
        return cls(obs, torch.arange(len(obs), device=obs.device), carried)

    def after(self, batch: Transitions, decision: Decision | None) -> _Going:
        kept = batch.terminated == 0
        if decision is None:
            return _Going(batch.next_obs[kept], self.start[kept], None)
        kept &= decision.goes_on
        return _Going(batch.next_obs[kept], self.start[kept], decision.carried[kept])


class _Tally:
    """Store rows, up to so many, and count them."""

    def __init__(self, buffer: ReplayBuffer, starts: int, most_rows: int | None, device: torch.device) -> None:
        self._buffer = buffer
        self._most = most_rows
        self._lengths = torch.zeros(starts, dtype=torch.int64, device=device)
        self._rows = self._terminated = self._stopped = 0
        self._weight = 0.0

    @property
    def full(self) -> bool:
        return self._most is not None and self._rows >= self._most

    def store(self, batch: Transitions, start: Tensor, decision: Decision | None) -> None:
        """Store what the rule lets of a step's rows, whose start states are ``start`` [N]."""
        if decision is not None:
            self._stopped += int(((batch.terminated == 0) & ~decision.goes_on).sum())
            batch, start = replace(batch, weight=decision.weight).take(decision.stored), start[decision.stored]
        room = len(batch) if self._most is None else self._most - self._rows
        if room < len(batch):
            batch, start = batch.take(slice(room)), start[:room]
        self._buffer.add(batch)
        self._lengths[start] += 1
        self._rows += len(batch)
        self._terminated += int(batch.terminated.sum())
        self._weight += float(len(batch) if batch.weight is None else batch.weight.sum())

    def report(self) -> RolloutReport:
        return RolloutReport(self._lengths, self._terminated, self._stopped, self._weight)


def _judged(
    fake_env: FakeEnv,
    rule: RowRule,
    going: _Going,
    action: Tensor,  # [N, A]
    generator: torch.Generator,
    place: tuple[int, int],  # step of length
) -> tuple[tuple[Tensor, Tensor, Tensor], Decision]:  # reward, next_obs, terminated; what becomes of the rows
    """Take one imagined step under a rule, which is shown what all elites predict."""
    assert going.carried is not None
    chosen, noise = fake_env.draw(going.obs, generator)
    prediction = fake_env.predict(going.obs, action, chosen)
    sample = rule.sample(prediction, noise, generator)
    decision = rule.decide(rule.score(prediction), going.carried, *place)
    reward, next_obs, terminated = fake_env.arrive(going.obs, action, sample)
    return (reward if decision.bonus is None else reward + decision.bonus, next_obs, terminated), decision


@torch.no_grad()
def imagine(
    fake_env: FakeEnv,
    policy: SamplePolicy,
    start_obs: Tensor,  # [N, O]
    length: int,  # k ≥ 1
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:  # rows [k, N, W], and [k, N] which of them belong to a rollout
    """Imagine k steps from each start state. A row that ended stands still and no longer counts."""
    obs, alive = start_obs, torch.ones_like(start_obs[:, 0], dtype=torch.bool)
    rows, counts = [], []
    for _ in range(length):
        action = policy(obs)
        reward, next_obs, terminated = fake_env.step(obs, action, generator)
        rows.append(Transitions.pack(obs, action, reward, next_obs, terminated).rows)
        counts.append(alive)
        alive = alive & ~terminated
        obs = torch.where(alive[:, None], next_obs, obs)
    return torch.stack(rows), torch.stack(counts)


def store_imagined(
    rows: Tensor,  # [k, N, W]
    counts: Tensor,  # [k, N] bool
    model_buffer: ReplayBuffer,
    most_rows: int | None = None,  # to store
) -> RolloutReport:
    """Store what :func:`imagine` returns, step by step, looking at its values once.

    Raises:
        DivergedError: the model or the policy gave a non-finite value.
    """
    steps = len(rows)
    finite = (rows.isfinite().all(dim=-1) | ~counts).all(dim=1)
    if not bool(finite.all()):
        raise DivergedError(f"imagined step {finite.tolist().index(False) + 1} of {steps} is not finite")
    if most_rows is not None:
        counts = counts & (counts.flatten().cumsum(0).view_as(counts) <= most_rows)
    stored = Transitions(rows[counts], model_buffer.obs_dim, model_buffer.action_dim)
    model_buffer.add(stored)
    return RolloutReport(counts.sum(dim=0), int(stored.terminated.sum()), weight=float(len(stored)))
