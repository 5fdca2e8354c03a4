"""Learn when episodes end, where no rule is known: P(terminated | obs, action, next_obs)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mbpo.data.transitions import Transitions
from mbpo.dynamics.normalizer import Normalizer
from mbpo.errors import DivergedError
from mbpo.ops import EnsembleMLP
from mbpo.ops.adam import Adam, AdamState, StepIfFinite, unless_left_out

HIDDEN, LAYERS = 64, 2
LEARNING_RATE = 1e-3
BATCH = 256
STEPS_PER_FIT = 300
SPARSITY = 0.01  # λ of the penalty on the first layer


@dataclass(frozen=True)
class TerminationReport:
    """Say what a refit of the head saw, and how it judges held-out rows."""

    error: float  # misjudged share of a class, mean of the classes that are there
    false_alarms: float  # share of the rows that go on
    terminal_rows: int  # among the training rows

    def metrics(self) -> dict[str, float]:
        """Return the report under its metric keys."""
        return {
            "model/termination_error": self.error,
            "model/termination_false_alarms": self.false_alarms,
            "model/terminal_rows": self.terminal_rows,
        }


class TerminationHead(nn.Module):
    """Judge N transitions by one small network; a :data:`mbpo.envs.rules.Rule`.

        ended = (f(obs, action, next_obs) > 0), that is P > ½ where both classes are as frequent

    Until it has been fitted to a terminal transition it says "never".
    """

    seen: Tensor

    def __init__(self, obs_dim: int, action_dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        width = 2 * obs_dim + action_dim
        self.net = EnsembleMLP([width, *[HIDDEN] * LAYERS, 1], 1, "silu", generator=generator)
        self.inputs = Normalizer(width)
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))  # a terminal transition

    def forward(
        self,
        obs: Tensor,  # [N, O]
        action: Tensor,  # [N, A]
        next_obs: Tensor,  # [N, O]
    ) -> Tensor:  # [N] bool
        """Return which rows end their episode. Nothing waits: a CUDA graph may hold this."""
        x = self.inputs.normalize(torch.cat((obs, action, next_obs), dim=1))
        return (self.logit(x) > 0) & self.seen

    def logit(self, x: Tensor) -> Tensor:  # [N, 2O + A], normalised -> [N]
        """Return f, the log odds of an end."""
        logit: Tensor = self.net(x[None])[0, :, 0]
        return logit


class TerminationTrainer:
    """Refit a :class:`TerminationHead`; weights and Adam's moments stay between refits.

        L = mean softplus(−f) over ended + mean softplus(f) over the others, halved, + λ Σᵢ ‖Wᵢ‖

    Wᵢ are the first layer's weights from input i. Episodes mostly end by a threshold on one or two
    inputs, and ends are rare: without the penalty a network with 13 ends in 2,400 rows of Ant finds
    other differences between them and misses 87 % of new ones, with it 14 %.

    Source: the penalty is the group lasso, Yuan and Lin 2006, as a subgradient.
    """

    def __init__(self, head: TerminationHead, generator: torch.Generator, steps: int = STEPS_PER_FIT) -> None:
        self.head = head
        self.generator = generator
        self._steps = steps
        self._adam = Adam(head.parameters(), lr=LEARNING_RATE, fused=True)
        self._step_if_finite = StepIfFinite(self._adam)

    @property
    def adam_state(self) -> AdamState:
        """Return what Adam knows of the head's parameters."""
        return AdamState.of(self._adam, list(self.head.parameters()))

    def fit(self, training: Transitions, holdout: Transitions) -> TerminationReport:
        """Take a fixed number of gradient steps and judge the held-out rows.

        Each batch holds as many rows of either class, drawn with replacement. Without a terminal
        row there is nothing to learn. Without holdout rows the training rows stand in.

        Raises:
            DivergedError: a loss, a gradient, a new moment or a new weight is not finite; the step
                that it came up in moved nothing.
        """
        ended = training.terminated > 0
        classes = [rows for rows in (ended.nonzero()[:, 0], (~ended).nonzero()[:, 0]) if len(rows)]
        terminal_rows = int(ended.sum())
        if terminal_rows:
            self.head.inputs.fit(_inputs(training))
            self.head.seen.fill_(True)
            x = self.head.inputs.normalize(_inputs(training))
            total = torch.zeros((), device=x.device)
            for _ in range(self._steps):
                index = torch.cat([self._draw(rows, BATCH // len(classes)) for rows in classes])
                total += self._step(x[index], training.terminated[index])
            _check(float(total))
        return self._report(holdout if len(holdout) else training, terminal_rows)

    def _draw(self, rows: Tensor, count: int) -> Tensor:  # [count] int64
        device = rows.device
        return rows[torch.randint(len(rows), (count,), generator=self.generator, device=device)]

    def _step(self, x: Tensor, ended: Tensor) -> Tensor:  # [], the loss, or NaN where nothing moved
        loss = F.binary_cross_entropy_with_logits(self.head.logit(x), ended)
        by_input = torch.linalg.vector_norm(self.head.net.weights[0], dim=2)  # [1, 2O + A]
        self._adam.zero_grad()
        loss = loss + SPARSITY * by_input.sum()
        loss.backward()
        (moved,) = self._step_if_finite([(self.adam_state, loss)])
        return unless_left_out(moved, loss)

    @torch.no_grad()
    def _report(self, rows: Transitions, terminal_rows: int) -> TerminationReport:
        ended = rows.terminated > 0
        wrong = self.head(rows.obs, rows.action, rows.next_obs) != ended
        counts = torch.stack((ended.sum(), (~ended).sum(), (wrong & ended).sum(), wrong.sum()))
        ends, others, missed, misjudged = counts.tolist()
        false_alarms = (misjudged - missed) / max(1, others)
        shares = [missed / max(1, ends)] * (ends > 0) + [false_alarms] * (others > 0)
        return TerminationReport(sum(shares) / len(shares), false_alarms, terminal_rows)


def _check(loss: float) -> None:
    if not math.isfinite(loss):
        raise DivergedError(
            f"the termination head's loss is {loss}; look at the environment's observations with mbpo.check_env"
        )


def _inputs(rows: Transitions) -> Tensor:  # [N, 2O + A]
    return torch.cat((rows.obs_action, rows.next_obs), dim=1)
