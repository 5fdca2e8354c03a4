"""Add up what SAC's updates report between two rows of metrics, and watch it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch
from torch import Tensor

from mbpo.errors import DivergedError
from mbpo.sac.agent import SACReport


class Interval:
    """Hold sums over the updates since the last row of metrics, on the learner's device."""

    def __init__(self, device: torch.device) -> None:
        self.updates = 0  # of the whole run
        self._sum = torch.zeros(len(SACReport.KEYS), device=device)
        self._updates = self._real_rows = self._rows = 0

    def add(self, env_steps: int, values: Tensor, updates: int, real_rows: int, rows: int) -> None:
        """Take in the summed reports of ``updates`` updates on batches of ``rows`` rows.

        Raises:
            DivergedError: on the CPU, where one can look at no cost, a value is not finite.
        """
        self._sum += values
        self._updates += updates
        self._real_rows += real_rows * updates
        self._rows += rows * updates
        if self._sum.device.type == "cpu":
            self.finite(env_steps)

    def finite(self, env_steps: int) -> list[float]:
        """Return the sums, in the order of SACReport's keys.

        Raises:
            DivergedError: one of them is not finite.
        """
        sums: list[float] = self._sum.tolist()
        bad = [key for key, x in zip(SACReport.KEYS, sums, strict=True) if not math.isfinite(x)]
        if bad:
            raise DivergedError(
                f"{', '.join(bad)} not finite at env step {env_steps}; lower --critic-lr, --actor-lr or --reward-scale"
            )
        return sums

    def metrics(self, env_steps: int, reward_scale: float) -> dict[str, float | None]:
        """Return the means, fetching them from the device once, and begin anew; {} without updates.

        Raises:
            DivergedError: as :meth:`finite`.
        """
        if not self._updates:
            return {}
        means = (total / self._updates for total in self.finite(env_steps))
        metrics: dict[str, float | None] = dict(zip(SACReport.KEYS, means, strict=True))
        metrics["sac/q_mean"] = metrics["sac/q_mean"] / reward_scale  # type: ignore[operator]
        self.updates += self._updates
        metrics["sac/updates"] = self.updates
        metrics["mix/real_ratio_measured"] = self._real_rows / self._rows
        self._sum.zero_()
        self._updates = self._real_rows = self._rows = 0
        return metrics

    def state_dict(self, env_steps: int) -> dict[str, Any]:
        """Return everything as plain numbers, for a checkpoint.

        Raises:
            DivergedError: as :meth:`finite`.
        """
        return {
            "sum": self.finite(env_steps),
            "updates": self.updates,
            "since": self._updates,
            "real_rows": self._real_rows,
            "rows": self._rows,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Hold again what :meth:`state_dict` returned."""
        self._sum.copy_(torch.tensor(saved["sum"]))
        self.updates, self._updates = saved["updates"], saved["since"]
        self._real_rows, self._rows = saved["real_rows"], saved["rows"]


class LossWatch:
    """Notice critics that diverge, thousands of steps before their loss is NaN.

    A loss is out of proportion where it is 300 times the median of the healthy ones before it and
    its root, the error of a value, is more than three times the largest reward. Healthy runs of
    the presets stay under 3 times; one that diverged went 2.3, 6.5, 235, 10,692 in 4,000 steps.
    """

    ALARM, HEALTHY, ROWS = 300.0, 10.0, 100

    def __init__(self) -> None:
        self._losses: deque[float] = deque(maxlen=self.ROWS)  # the newest healthy ones
        self.healthy_at = 0  # env step of the newest
        self._alarmed = False

    def alarm(self, env_steps: int, loss: float, largest_reward: Callable[[], float]) -> float:
        """Take in a mean critic loss; return its proportion where an alarm begins, else 0.

        ``largest_reward`` is that of |reward| as the critics see it; it is asked for on suspicion.
        """
        usual = median(self._losses) if len(self._losses) > 1 else loss
        proportion = loss / usual if usual > 0 else 1.0
        if proportion <= self.HEALTHY:
            self._losses.append(loss)
            self.healthy_at, self._alarmed = env_steps, False
        elif proportion > self.ALARM and not self._alarmed:
            self._alarmed = math.sqrt(loss) > 3 * largest_reward()
            return proportion if self._alarmed else 0.0
        return 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, for a checkpoint."""
        return {"losses": list(self._losses), "healthy_at": self.healthy_at, "alarmed": self._alarmed}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Hold again what :meth:`state_dict` returned."""
        self._losses = deque(saved["losses"], maxlen=self.ROWS)
        self.healthy_at, self._alarmed = saved["healthy_at"], saved["alarmed"]
