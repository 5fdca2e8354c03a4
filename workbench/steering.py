"""Keep the promises made to a person who steers: every change is pending, applied or rejected."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.format import safe_text, setting_value, whole
from workbench.messages import RunRow

NAMES = {"rollout_length": "k", "real_ratio": "real_ratio"}
RATIOS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
DEBOUNCE_S = 0.15


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
            who = "" if self.by in ("", "workbench") else f" by {safe_text(self.by, 24)}"
            return f"{self.what} applied @ {whole(self.at)}{who}"
        return f"{self.what} {self.status}: {self.reason}"


@dataclass
class Promise:
    """Hold one command on its way."""

    token: int
    settings: dict[str, Any]
    action: str = ""
    expect_revision: int | None = None
    command_id: str = ""
    sent_at: float = 0.0


@dataclass
class Steering:
    """Track the commands of one run from key press to answer. Knows no files and no clock."""

    promises: list[Promise] = field(default_factory=list)
    failures: list[Change] = field(default_factory=list)
    answered: list[Change] = field(default_factory=list)  # ours, newest last
    _draft: dict[str, Any] = field(default_factory=dict)
    _draft_at: float = 0.0
    _tokens: Iterable[int] = field(default_factory=itertools.count)

    def asked(self, setting: str) -> Any | None:
        """Return the value last asked for and not yet answered."""
        if setting in self._draft:
            return self._draft[setting]
        for promise in reversed(self.promises):
            if setting in promise.settings:
                return promise.settings[setting]
        return None

    def draft(self, setting: str, value: Any, now: float) -> None:
        """Ask for ``value``; presses that follow within moments join the same command."""
        self._draft[setting] = value
        self._draft_at = now

    def due(self, now: float) -> Promise | None:
        """Return the drafted change once the keys have rested, as a promise to send."""
        if not self._draft or now - self._draft_at < DEBOUNCE_S:
            return None
        settings, self._draft = self._draft, {}
        return self.promise(settings, now=now)

    def promise(
        self,
        settings: Mapping[str, Any] | None = None,
        action: str = "",
        expect_revision: int | None = None,
        now: float = 0.0,
    ) -> Promise:
        """Register a command that is being sent."""
        token = next(iter(self._tokens))
        promise = Promise(token, dict(settings or {}), action, expect_revision, "", now)
        self.promises.append(promise)
        return promise

    def sent(self, token: int, command_id: str, fault: str) -> None:
        """Take in the id that the inbox gave, or the reason why nothing was sent."""
        for promise in [p for p in self.promises if p.token == token]:
            promise.command_id = command_id
            if fault:
                self._fail(promise, fault)

    def settle(self, changes: Mapping[str, Change], row: RunRow | None, now: float) -> list[Change]:
        """Match promises with answers; return those settled now.

        A run that is gone answers nothing: what it owes after a moment's grace is unanswered.
        """
        settled = []
        for promise in list(self.promises):
            answer = changes.get(promise.command_id) if promise.command_id else None
            if answer is not None:
                self.promises.remove(promise)
                if answer.status == "rejected" and promise.settings:  # the answer has no values
                    answer = replace(answer, what=described(promise.settings, {}))
                self.answered.append(answer)
                settled.append(answer)
            elif row is not None and not row.answers and now - promise.sent_at > 1.0:
                state = "was lost" if row.state == "lost" else f"had {_ended(row.state)}"
                settled.append(self._fail(promise, f"the run {state} before it answered"))
        return settled

    def pending(self, in_force: Mapping[str, Any]) -> list[str]:
        """Return what is on its way, in words."""
        waiting = [described(p.settings, in_force) if p.settings else p.action for p in self.promises]
        return waiting + ([described(self._draft, in_force)] if self._draft else [])

    def _fail(self, promise: Promise, reason: str) -> Change:
        self.promises.remove(promise)
        what = described(promise.settings, {}) if promise.settings else promise.action
        change = Change(math.nan, what, "unanswered", reason, bool(promise.settings))
        self.failures.append(change)
        return change


def _ended(state: str) -> str:
    return {"finished": "finished", "stopped": "stopped", "diverged": "diverged"}.get(
        state, "failed" if state == "failed" else "ended"
    )


def described(new: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """Write a change of settings: ``k 1 → 3``."""
    parts = []
    for name, value in itertools.islice(new.items(), 8):
        label = NAMES.get(name, safe_text(name, 40))
        before = f"{setting_value(old[name])} → " if name in old else "→ "
        parts.append(f"{label} {before}{setting_value(value)}")
    return ", ".join(parts)


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
    what = action or described(new, old) or "command"
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


def nudged(setting: str, value: float, steps: int) -> float:
    """Return the value ``steps`` key presses from ``value``: k by one, the ratio along a ladder."""
    if setting == "rollout_length":
        return int(min(max(round(value) + steps, 0), 1000))
    for _ in range(abs(steps)):
        above = [r for r in RATIOS if (r > value + 1e-9 if steps > 0 else r < value - 1e-9)]
        if above:
            value = above[0] if steps > 0 else above[-1]
    return value
