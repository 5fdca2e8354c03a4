"""``loop.json`` of a checkpoint: what the loop itself counts, beside the learner's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from mbpo.errors import RecordError
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import check_version, read_json

SCHEMA = 1

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class LoopState(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the counters of :mod:`mbpo.lifecycle.training` at a checkpoint.

    A part that the version of the checkpoint did not have is empty: it begins anew.
    """

    schema: int = SCHEMA
    env_steps: Count = 0
    seq: Count = 0  # of the last row of metrics
    settings: dict[str, Any] = {}  # live ones in force
    best_return: float | None = None
    sac: dict[str, Any] = {}  # sums since the last row of SAC's metrics
    watch: dict[str, Any] = {}  # of the critics' losses
    stall_watch: dict[str, Any] = {}  # of the temperature and the entropy
    rule_watch: dict[str, Any] = {}  # of real ends that contradict the termination rule
    rollout_length: dict[str, Any] = {}  # of the k policy
    left_out: dict[str, Any] = {}  # steps of the environment that mean nothing
    evaluation_due: bool = False  # an evaluation is to come before the next env step, or once an episode ended
    imagined_capacity: Count = 0  # rows
    seconds: dict[str, float] = {}  # of each part of the wall time
    refits: Count = 0
    evaluated_at: int = msgspec.field(default=-1, name="_evaluated_at")  # env step

    def facts(self, others: Mapping[str, Any]) -> dict[str, Any]:
        """Return every counter by the name that the file has, and of ``others`` what the file alone has."""
        found = {**others, **msgspec.to_builtins(self)}
        del found["schema"]
        return found


def loop_facts(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts in a ``loop.json``: those of :class:`LoopState`, and keys that only its writer knows.

    Raises:
        NewerRecordError: it is of a newer version.
    """
    check_version(path, content, SCHEMA)
    return fitted(LoopState, content).facts(content)


def settings_in(path: Path) -> Mapping[str, Any]:
    """Return the live settings that a ``loop.json`` names; none where it cannot be read."""
    try:
        return fitted(LoopState, read_json(path)).settings
    except RecordError:
        return {}
