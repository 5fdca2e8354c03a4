"""A line of ``events.jsonl``: its name, its time and its facts; the answer to a command among them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import encode

SCHEMA = 1

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the answer to one command."""

    id: str = ""
    status: Literal["applied", "rejected", ""] = ""
    at_env_steps: Count = 0  # from this boundary on a change holds
    by: str | None = None
    action: str | None = None
    old: dict[str, Any] | None = None
    new: dict[str, Any] | None = None
    reason: str | None = None
    revision: Count = 0

    @property
    def change(self) -> dict[str, Any] | None:
        """Return the settings that the answer put in force, None where it is no such answer."""
        return self.new if self.status == "applied" and self.action is None else None

    def to_event(self) -> dict[str, Any]:
        """Return the event that tells the answer."""
        told = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return {"event": "control", **told}


def answer_in(event: Mapping[str, Any]) -> Answer | None:
    """Return the answer that an event is, None where it is another event."""
    if event.get("event") != "control":
        return None
    answer = fitted(Answer, event)
    if "action" in event and answer.action is None:  # of a type that no learner writes: no change of settings
        return msgspec.structs.replace(answer, action="")
    return answer


def event_line(event: Mapping[str, Any]) -> bytes:
    """Return the line that tells ``event`` now."""
    return encode({**event, "time": round(time.time(), 3), "schema": SCHEMA}).encode()
