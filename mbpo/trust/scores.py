"""Score the model on rows that it has not been trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mbpo.data.transitions import Transitions
from mbpo.trust.divergence import model_error
from mbpo.trust.open_loop import MOST, QUANTITIES, Imaginer, open_loop
from mbpo.trust.window import EpisodeWindow

ROWS, ERROR, INSIDE = 0, 1, 2  # columns of a piece's sums; from INSIDE on 50 % and 90 % of each target, then open loops
INTERVALS = (0.5, 0.9)
LEAST_STARTS = 20  # from which an error by horizon is told
LARGEST = 1e6  # of a squared error: a model that runs away counts as that wrong


class Model(Protocol):
    """What is asked of the dynamics ensemble."""

    elites: Tensor  # [K] int64

    def standardized(self, transitions: Transitions) -> tuple[Tensor, Tensor, Tensor]:
        """Return elites' mean and logvar [K, N, D] and the true targets [N, D], in stds of the targets."""


def window_for(obs_dim: int, device: torch.device | str = "cpu") -> EpisodeWindow:
    """Return an empty window for what :func:`score` measures."""
    return EpisodeWindow(INSIDE + 2 * (1 + obs_dim) + MOST * len(QUANTITIES), device)


@torch.no_grad()
def score(
    model: Model,
    imaginer: Imaginer,
    rows: Transitions,  # N, in the order of time; the first may be one that was scored before
    skip: int,  # 1 if it was, else 0
    known: Transitions,  # all real rows, whose spread is the unit of states
    resolution: float,  # σ₀
) -> tuple[Tensor, Tensor]:  # [P, C] and [P] bool
    """Return the sums of each piece of an episode among ``rows``, and whether it begins one.

    A row whose obs is not the next_obs of the row before begins an episode.
    """
    begins = torch.ones(len(rows), dtype=torch.bool, device=rows.rows.device)
    begins[1:] = (rows.obs[1:] != rows.next_obs[:-1]).any(dim=1)
    begins, rows = begins[skip:], Transitions(rows.rows[skip:], rows.obs_dim, rows.action_dim)
    first = begins.clone()
    first[:1] = True
    piece = first.cumsum(0) - 1
    ends = piece.bincount().cumsum(0)[piece]
    mean, logvar, truth = model.standardized(rows)
    parts = [
        torch.ones(len(rows), 1, device=truth.device),
        model_error(mean, logvar, truth, resolution).mean(dim=0)[:, None],
        *inside(mean, logvar, truth),
        open_loop(imaginer, rows, ends, *_of_states(known)).clamp(max=LARGEST).nan_to_num(LARGEST).flatten(1),
    ]
    each = torch.cat(parts, dim=1)
    sums = each.new_zeros(int(first.sum()), each.shape[1]).index_add_(0, piece, each)
    return sums, begins[first]


def inside(mean: Tensor, logvar: Tensor, truth: Tensor) -> list[Tensor]:  # [K, N, D] twice, [N, D] -> 2 of [N, D]
    """Return which outcomes lie in the central 50 % and 90 % of what the elites predict together.

    The prediction is their equal mixture, from which rollouts sample: u = mean_e Φ((y − μ_e)/σ_e).
    """
    standard = (truth - mean) * (-0.5 * logvar).exp()
    u = (0.5 * torch.erfc(-standard / math.sqrt(2))).mean(dim=0)
    return [((u - 0.5).abs() < share / 2).to(u.dtype) for share in INTERVALS]


def _of_states(known: Transitions) -> tuple[Tensor, Tensor]:  # [O], [O]
    """Return the spread of states, and their mean change; a state that never moves has spread 1."""
    std = known.obs.std(dim=0, correction=0)
    still = std <= 1e-6 * known.obs.abs().amax(dim=0)
    return torch.where(still, 1.0, std), (known.next_obs - known.obs).mean(dim=0)


@dataclass(frozen=True)
class Measured:
    """Hold what the newest whole episodes say of the model."""

    episodes: Tensor  # [M, C], sums
    obs_dim: int

    @property
    def rows(self) -> int:
        """Return how many rows were scored."""
        return int(self.episodes[:, ROWS].sum())

    @property
    def coverage(self) -> Tensor:  # [2, D]
        """Return the shares of outcomes inside the 50 % and the 90 % interval, of each target."""
        width = 1 + self.obs_dim
        inside = self.episodes[:, INSIDE : INSIDE + 2 * width].sum(dim=0)
        return inside.view(2, width) / max(1, self.rows)

    def curve(self, of: str) -> Tensor:  # [50]
        """Return a quantity of open loops by step: root mean squares, and shares of pairs; NaN where few rows reach."""
        sums = self.episodes[:, INSIDE + 2 * (1 + self.obs_dim) :].sum(dim=0).view(MOST, len(QUANTITIES))
        by = dict(zip(QUANTITIES, sums.unbind(dim=1), strict=True))
        told = by["starts"] >= LEAST_STARTS
        value = by[of] / by["pairs"] if of in ("missed", "invented") else (by[of] / by["starts"]).sqrt()
        return torch.where(told, value, math.nan)

    @property
    def longest(self) -> int:
        """Return the most steps for which enough rows were followed."""
        return int((~self.curve("error").isnan()).sum())

    @property
    def horizon(self) -> int:
        """Return how many steps the model errs less than one that always predicts the mean change.

        ``longest`` where it never errs more: there it is "at least".
        """
        worse = (self.curve("error") >= self.curve("no_model")).nonzero()
        return int(worse[0]) if len(worse) else self.longest

    def by_step(self) -> list[dict[str, float]]:
        """Return what open loops came to after each number of steps that enough rows reach.

        "error" and "no_model" in units of a state's spread, rewards summed up to there, "missed" and "invented" as
        shares of the futures in which neither side had ended before.
        """
        columns = {of: self.curve(of).tolist() for of in QUANTITIES if of not in ("starts", "pairs")}
        return [{"step": h + 1, **{of: column[h] for of, column in columns.items()}} for h in range(self.longest)]

    def by_target(self) -> list[dict[str, float | str]]:
        """Return the shares of outcomes inside the intervals of each target, the reward first."""
        names = ["reward", *(f"obs dim {i}" for i in range(self.obs_dim))]
        half, most = self.coverage.tolist()
        rows = zip(names, half, most, strict=True)
        return [{"target": name, "inside_50": inside, "inside_90": wide} for name, inside, wide in rows]

    def metrics(self) -> dict[str, float | None]:
        """Return the measures under their metric keys."""
        if not self.rows:
            return {}
        half, most = self.coverage
        error = self.curve("error")
        by_step = {f"trust/error_{h}": float(error[h - 1]) for h in (1, 5, 10, 20)}
        return {
            "trust/rows": self.rows,
            "trust/horizon_steps": self.horizon,
            "trust/horizon_longest": self.longest,
            **{key: None if math.isnan(value) else value for key, value in by_step.items()},
            "trust/coverage_50": float(half.mean()),
            "trust/coverage_90": float(most.mean()),
            "trust/coverage_90_worst": float(most.min()),
            "trust/coverage_90_worst_target": int(most.argmin()),
        }
