"""Say in words what became of a command: applied, rejected or never answered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mbpo.runs.command import ACTIONS
from mbpo.settings.language import tr
from workbench.dials import label
from workbench.format import safe_text, setting_value, whole


@dataclass(frozen=True)
class Change:
    """Hold one answered or failed command, in words."""

    at: float  # env steps; NaN when it was never answered
    what: str
    status: str  # applied, rejected or unanswered
    reason: str = ""
    settings: bool = False  # whether it changed a setting
    command_id: str = ""
    by: str = ""
    new: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Return the change as one line."""
        if self.status == "applied":
            if self.by in ("", "workbench"):
                return tr("{what} applied @ {at}", what=self.what, at=whole(self.at))
            who = safe_text(self.by, 24)
            return tr("{what} applied @ {at} by {who}", what=self.what, at=whole(self.at), who=who)
        return tr("{what} {status}: {reason}", what=self.what, status=tr(self.status), reason=self.reason)


def described(new: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """Write a change of settings: ``k 1 → 3``."""
    parts = []
    for name, value in itertools.islice(new.items(), 8):
        before = f"{setting_value(old[name])} → " if name in old else "→ "
        parts.append(f"{safe_text(label(name), 40)} {before}{setting_value(value)}")
    return ", ".join(parts)


def action_word(action: str) -> str:
    """Return an action as it is called; one that this version does not know as it stands."""
    return tr(action) if action in ACTIONS else action


def changes_in(events: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Return every answered command among a run's events, whoever sent it."""
    return [change_of(event) for event in events if event.get("event") == "control"]


def change_of(event: Mapping[str, Any]) -> Change:
    """Read one answer; what is malformed in it is shown as missing."""
    new, old = event.get("new"), event.get("old")
    new = new if isinstance(new, dict) else {}
    old = old if isinstance(old, dict) else {}
    at = event.get("at_env_steps")
    action = safe_text(event.get("action", ""), 20)
    what = action_word(action) or described(new, old) or tr("command")
    return Change(
        at=float(at) if isinstance(at, (int, float)) and abs(at) < 1e300 else math.nan,
        what=what,
        status="applied" if event.get("status") == "applied" else "rejected",
        reason=safe_text(event.get("reason", ""), 200),
        settings=bool(new) and not action,
        command_id=str(event.get("id", ""))[:80],
        by=str(event.get("by", ""))[:80],
        new=new,
    )
