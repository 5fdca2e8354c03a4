"""Count the steps of an environment that mean nothing, and end a run of which too many do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mbpo.errors import EnvironmentFault

WINDOW, MOST = 1000, 10  # env steps, and of them those that may mean nothing: 1 %


@dataclass
class Counted:
    """Hold what is known of such steps; a checkpoint has it."""

    total: int = 0
    recent: tuple[int, ...] = ()  # env steps of those of the last 1,000
    why: str = ""  # of the last


class LeftOut:
    """Take in each step that was left out; the row and the episode are lost, not the run."""

    def __init__(self, env_id: str) -> None:
        self._env_id = env_id
        self._counted = Counted()

    def take_in(self, env_steps: int, why: str) -> str:
        """Count the step; return what is to be said of it, at the 1st, 2nd, 4th, 8th ..., else nothing."""
        total = self._counted.total + 1
        recent = *(at for at in self._counted.recent if at > env_steps - WINDOW), env_steps
        self._counted = Counted(total, recent, why)
        if total & (total - 1):
            return ""
        so_far = f" ({total:,} so far)" if total > 1 else ""
        return f"{why}: the step was left out and the episode ended{so_far}"

    def check(self) -> None:
        """Check that few of the last 1,000 steps mean nothing.

        Raises:
            EnvironmentFault: more than 10 of them do; counting begins anew, so that a resume may go on.
        """
        counted = self._counted
        if len(counted.recent) > MOST:
            self._counted = Counted(counted.total)
            raise EnvironmentFault(
                f"{self._env_id}: {len(counted.recent)} of the last {WINDOW:,} steps were left out, more than 1 %; "
                f"the last as {counted.why}"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for a checkpoint; nothing where nothing was left out."""
        return asdict(self._counted) if self._counted.total else {}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Hold again what :meth:`state_dict` returned."""
        self._counted = Counted(**{**saved, "recent": tuple(saved.get("recent", ()))})
