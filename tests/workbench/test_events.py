"""Tell in the app what a learner wrote as an event."""

from __future__ import annotations

import json

from mbpo.runs.records.event import event_line as written
from workbench.widgets.events import event_line


def test_what_an_events_file_needs_for_itself_is_not_shown() -> None:
    def shown(**event: object) -> str:
        return event_line(json.loads(written(event)), 80).plain.strip()

    assert shown(event="started", env_steps=0, attempt=1) == "0 ▶ started"
    assert shown(event="checkpoint", env_steps=400, checkpoint="step-000000400") == "400 ▣ checkpoint step-000000400"
    assert shown(event="finished", env_steps=400, exit_code=0, reason="") == "400 ✓ finished exit_code 0"
