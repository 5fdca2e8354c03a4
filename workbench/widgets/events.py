"""Show what happened in a run, newest last, and the end of its log."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from textual.content import Content
from textual.widgets import Static

from workbench.changes import change_of
from workbench.format import MUTED, fitted, number, safe_text, whole
from workbench.messages import RunDetail

MARKS = {
    "evaluation": ("E", "#E69F00"),
    "control": ("⇄", "#CC79A7"),
    "warning": ("!", "$warning"),
    "checkpoint": ("▣", "#56B4E9"),
    "resumed": ("↻", "#56B4E9"),
    "failed": ("✗", "$error"),
    "diverged": ("!", "$error"),
    "finished": ("✓", "$success"),
    "started": ("▶", "$success"),
    "stopped": ("■", MUTED),
    **dict.fromkeys(("resume_verified", "fork_verified", "replay_verified"), ("✓", "#56B4E9")),
}
SKIPPED = frozenset({"event", "time", "env_steps", "seq", "attempt", "schema"})


def event_line(event: Mapping[str, Any], width: int) -> Content:
    """Write one event as a line of text that nothing interprets."""
    name = safe_text(event.get("event", "?"), 24)
    mark, color = MARKS.get(name, ("·", MUTED))
    if name == "control":
        change = change_of(event)
        if change.status == "rejected":
            mark, color = "✗", "$error"
        steps, text = change.at, change.text
    else:
        steps, text = _steps(event), f"{name} {_facts(event)}"
    at = whole(steps) if math.isfinite(steps) else ""
    head = f"{at:>8} "
    return Content.assemble((head, MUTED), (f"{mark} ", color), fitted(text, max(width - len(head) - 2, 8)))


def _steps(event: Mapping[str, Any]) -> float:
    value = event.get("env_steps")
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e300 else math.nan


def _facts(event: Mapping[str, Any]) -> str:
    if event.get("event") == "evaluation":
        mean, std = event.get("eval/return_mean"), event.get("eval/return_std")
        if isinstance(mean, (int, float)):
            return number(mean) + (f" ± {number(std, 2)}" if isinstance(std, (int, float)) else "")
    facts = []
    for key, value in list(event.items())[:12]:
        if key in SKIPPED or value is None or value in ("", []):
            continue
        shown = number(value) if isinstance(value, float) else safe_text(value, 80)
        facts.append(shown if key == event.get("event") else f"{safe_text(key, 24)} {shown}")
    return ", ".join(facts)


class Events(Static):
    """Show the last events that fit."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id)
        self.border_title = "events"

    def show(self, detail: RunDetail | None) -> None:
        """Show the end of the run's events."""
        width, height = self.content_size.width or 60, self.content_size.height or 4
        events = detail.events[-height:] if detail is not None else ()
        if not events:
            empty = Content.styled("Evaluations, refits and changes appear here.", MUTED)
            self.update(empty, layout=False)
            return
        self.border_subtitle = f"{detail.bad_lines} damaged lines skipped" if detail and detail.bad_lines else ""
        lines = Content("\n").join(event_line(event, width) for event in events)
        self.update(lines, layout=False)


class LogTail(Static):
    """Show the last log lines that fit."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id)
        self.border_title = "log"
        self.border_subtitle = "l opens it"

    def show(self, lines: Iterable[str]) -> None:
        """Show the end of ``lines``."""
        width, height = self.content_size.width or 60, self.content_size.height or 4
        last = [fitted(line, width) for line in list(lines)[-height:]]
        empty = Content.styled("The learner has printed nothing yet.", MUTED)
        self.update(Content("\n".join(last)) if last else empty, layout=False)
