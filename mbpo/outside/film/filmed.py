"""Hold the numbers of what was filmed, and say them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbpo.envs.spaces import Array
from mbpo.outside.film.imagined import PARTED, Imagined
from mbpo.settings.setting import shown


@dataclass(frozen=True)
class Film:
    """Hold the numbers of what was filmed: T steps, and what the model made of them."""

    title: str
    obs: Array  # [T + 1, O]
    actions: Array  # [T, A]
    rewards: NDArray[np.float64]  # [T]
    terminated: bool
    imagined: Imagined | None
    frames: int  # T + 1
    side_by_side: bool
    notes: tuple[str, ...]  # on what the film lacks

    @property
    def total(self) -> float:
        """Return the episode's return, summed step by step as ``mbpo.evaluate`` does."""
        return float(sum(self.rewards.tolist()))

    def facts(self, path: Path) -> dict[str, Any]:
        """Return what was filmed as plain values for JSON."""
        model = self.imagined
        return {
            "video": str(path),
            "curves": str(path.with_suffix(".png")),
            "frames": self.frames,
            "return": self.total,
            "length": len(self.rewards),
            "terminated": self.terminated,
            "imagined_return": None if model is None else model.total,
            "imagined_end": None if model is None else model.ended,
            "parted_at": None if model is None else model.parted,
            "error": None
            if model is None
            else [error if math.isfinite(error) else None for error in model.error.tolist()],
            "side_by_side": self.side_by_side,
            "notes": list(self.notes),
        }

    def told(self, path: Path) -> str:
        """Say what was filmed, in two lines or three."""
        steps = len(self.rewards)
        lines = [f"{self.title}: return {self.total:.1f} in {steps} env steps"]
        if self.imagined is not None:
            lines.append(
                f"imagined from the same start and actions: return {self.imagined.total:.1f}; {_parting(self.imagined)}"
            )
        lines.append(f"{shown(str(path))}: {self.frames} frames; curves: {shown(str(path.with_suffix('.png')))}")
        return "\n".join(lines)


def _parting(imagined: Imagined) -> str:
    if imagined.parted is not None:
        return f"the two part at step {imagined.parted}, where the error passes {PARTED} standard deviations"
    return (
        f"the two do not part: the error stays below {PARTED} standard deviations (at most {imagined.error.max():.2f})"
    )
