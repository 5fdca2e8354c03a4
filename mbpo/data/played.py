"""Hold an episode as it was played."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Played:
    """Hold an episode of T steps."""

    obs: NDArray[np.float32]  # [T + 1, O]
    action: NDArray[np.float32]  # [T, A]
    rewards: NDArray[np.float64]  # [T]
    terminated: bool  # whether it really ended, not by its time
