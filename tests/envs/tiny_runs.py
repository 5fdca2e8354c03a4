"""What a tiny learner is given, and how its run is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from learners import Outcome, rows

from mbpo.runs.checkpoint_names import checkpoint_steps
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import MACHINE_KEYS
from mbpo.runs.status import RunStatus, read_status

SETTINGS = {
    "total-steps": 120,
    "warmup-steps": 40,
    "model-train-freq": 40,
    "eval-every": 60,
    "eval-episodes": 1,
    "log-every": 20,
    "checkpoint-every": 60,
    "rollout-batch": 40,
    "model-max-epochs": 2,
    "sac-batch": 16,
    "device": "cpu",
    "report": "false",
}
TINY = tuple(part for name, value in SETTINGS.items() for part in (f"--{name}", str(value)))


@dataclass(frozen=True)
class Run:
    """Hold how a learner ended, and its run."""

    outcome: Outcome
    paths: RunPaths

    @property
    def status(self) -> RunStatus:
        found = read_status(self.paths)
        assert found is not None
        return found

    @property
    def saved_at(self) -> int:
        """Return the env step of the newest checkpoint, 0 without one."""
        return max(checkpoint_steps(self.paths.checkpoints), default=0)

    @property
    def warnings(self) -> list[str]:
        return [event["reason"] for event in self.events("warning")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [row for row in rows(self.paths.events) if row["event"] == name]

    def metrics(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in rows(self.paths.metrics) if row["kind"] == kind]

    def figures(self) -> list[dict[str, Any]]:
        """Return all rows without what the machine and the number of the attempt move."""
        moved = ("attempt", "seq")
        found = [{k: v for k, v in row.items() if k not in moved} for row in rows(self.paths.metrics)]
        return [{k: v for k, v in row.items() if k not in MACHINE_KEYS} for row in found]


Train = Callable[..., Run]
