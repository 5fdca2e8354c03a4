"""Tell in the app what a learner wrote as an event."""

from __future__ import annotations

import json

from mbpo.runs.records.event import event_line as written
from workbench.widgets.events import event_line, telling


def test_what_an_events_file_needs_for_itself_is_not_shown() -> None:
    def shown(**event: object) -> str:
        return event_line(json.loads(written(event)), 80).plain.strip()

    assert shown(event="started", env_steps=0, attempt=1) == "0 ▶ started"
    assert shown(event="checkpoint", env_steps=400, checkpoint="step-000000400") == "400 ▣ checkpoint step-000000400"
    assert shown(event="finished", env_steps=400, exit_code=0, reason="") == "400 ✓ finished exit_code 0"


def checkpoint(at: int) -> dict[str, object]:
    return {"event": "checkpoint", "env_steps": at, "checkpoint": f"step-{at:09}"}


def change(at: int) -> dict[str, object]:
    return {"event": "control", "env_steps": at, "status": "applied"}


def shown(events: list[dict[str, object]], lines: int) -> list[tuple[object, object]]:
    return [(event["event"], event["env_steps"]) for event in telling(events, lines)]


def test_the_last_checkpoint_stands_once() -> None:
    events = [checkpoint(200), checkpoint(400), {"event": "evaluation", "env_steps": 400}, checkpoint(400)]
    assert shown(events, 9) == [("checkpoint", 200), ("evaluation", 400), ("checkpoint", 400)]


def test_what_a_person_changed_is_not_pushed_out_of_view() -> None:
    events = [change(10), change(20), *map(checkpoint, range(100, 2000, 100))]
    assert shown(events, 4) == [("control", 10), ("control", 20), ("checkpoint", 1800), ("checkpoint", 1900)]
    many = [*map(change, range(10)), *map(checkpoint, range(100, 2000, 100)), change(2000)]
    assert shown(many, 4) == [("control", 9), ("checkpoint", 1800), ("checkpoint", 1900), ("control", 2000)]
    assert shown(many, 1) == [("control", 2000)]
    assert shown(list(map(change, range(10))), 4) == [("control", at) for at in (6, 7, 8, 9)]
    assert shown(many, 0) == shown([], 5) == []
