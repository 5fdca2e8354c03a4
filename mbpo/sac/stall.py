"""Notice a policy that has stopped learning though every number is finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class _Patience:
    """Count the updates since a number last moved as it should, while something is wrong."""

    since: int = -1  # updates; -1 while nothing is wrong
    best: float = 0.0
    said: bool = False

    def runs_out(self, wrong: bool, updates: int, number: float, moved: bool) -> bool:
        """Return whether it runs out with this row of metrics."""
        if not wrong:
            self.since, self.said = -1, False
        elif self.since < 0 or moved:
            self.since, self.best, self.said = updates, number, False
        out = wrong and updates - self.since >= StallWatch.UPDATES and not self.said
        self.said |= out
        return out


class StallWatch:
    """Notice a temperature that is stuck, and an entropy that is gone.

    While the policy's entropy is away from its target, α must move: whatever the size of its
    gradient, Adam carries log α by about ``alpha_lr`` an update. For 10,000 updates in which

    - the entropy is more than 1 nat per action dimension away from its target, log α moves by 1 %
      of what Adam's steps add up to, or it is stuck;
    - the entropy is more than 3 nats per action dimension below its target, it comes nearer, or
      it has collapsed.

    Both are how SAC fails in half precision, and in both every loss looks healthy.

    Source: the temperature's loss in SAC, arXiv:1812.05905, Eq. 18: the sign of its gradient is
    that of entropy − target.
    """

    UPDATES, AWAY, GONE, MOVED = 10_000, 1.0, 3.0, 0.01

    def __init__(
        self,
        target_entropy: float,  # nats
        action_dim: int,  # A
        alpha_lr: float,
    ) -> None:
        self._target = target_entropy
        self._action_dim = action_dim
        self._least = self.MOVED * alpha_lr * self.UPDATES
        self._temperature, self._entropy = _Patience(), _Patience()

    def stalled(self, updates: int, alpha: float, entropy: float) -> str:
        """Take in a row of metrics; return in words what has stalled, once for each time, else nothing.

        ``updates`` counts those of the whole run; ``alpha`` and ``entropy`` are means since the last row.
        """
        log_alpha, away = math.log(max(alpha, 1e-300)), entropy - self._target
        each = away / self._action_dim
        moved = abs(log_alpha - self._temperature.best) >= self._least
        stuck = self._temperature.runs_out(abs(each) > self.AWAY, updates, log_alpha, moved)
        gone = self._entropy.runs_out(each < -self.GONE, updates, each, each > self._entropy.best)
        far = f"{abs(away):,.1f} nats {'above' if away > 0 else 'below'} its target"
        if stuck:
            return f"α stays at {alpha:.4g} though the policy's entropy is {far}"
        return f"the policy's entropy is {far} and comes no nearer" if gone else ""

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, for a checkpoint; {} while nothing is wrong."""
        if self._temperature.since < 0 and self._entropy.since < 0:
            return {}
        return {"temperature": asdict(self._temperature), "entropy": asdict(self._entropy)}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Hold again what :meth:`state_dict` returned."""
        self._temperature, self._entropy = _Patience(**saved["temperature"]), _Patience(**saved["entropy"])
