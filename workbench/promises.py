"""Keep the promises made to a person who steers: every change is pending, applied or rejected."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mbpo.settings.language import tr
from workbench.changes import Change, action_word, described
from workbench.messages import RunRow

DEBOUNCE_S = 0.15
GONE = {
    "lost": tr("the run was lost before it answered"),
    "finished": tr("the run had finished before it answered"),
    "stopped": tr("the run had stopped before it answered"),
    "diverged": tr("the run had diverged before it answered"),
    "failed": tr("the run had failed before it answered"),
}


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
class Promises:
    """Track the commands of one run from key press to answer. Knows no files and no clock."""

    waiting: list[Promise] = field(default_factory=list)
    failures: list[Change] = field(default_factory=list)
    answered: list[Change] = field(default_factory=list)  # ours, newest last
    _draft: dict[str, Any] = field(default_factory=dict)
    _draft_at: float = 0.0
    _tokens: Iterable[int] = field(default_factory=itertools.count)

    def asked(self, setting: str) -> Any | None:
        """Return the value last asked for and not yet answered."""
        if setting in self._draft:
            return self._draft[setting]
        for promise in reversed(self.waiting):
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
        self.waiting.append(promise)
        return promise

    def sent(self, token: int, command_id: str, fault: str) -> None:
        """Take in the id that the inbox gave, or the reason why nothing was sent."""
        for promise in [p for p in self.waiting if p.token == token]:
            promise.command_id = command_id
            if fault:
                self._fail(promise, fault)

    def settle(self, changes: Mapping[str, Change], row: RunRow | None, now: float) -> list[Change]:
        """Match promises with answers; return those settled now.

        A run that is gone answers nothing: what it owes after a moment's grace is unanswered.
        """
        settled = []
        for promise in list(self.waiting):
            answer = changes.get(promise.command_id) if promise.command_id else None
            if answer is not None:
                self.waiting.remove(promise)
                if answer.status == "rejected" and promise.settings:  # the answer has no values
                    answer = replace(answer, what=described(promise.settings, {}))
                self.answered.append(answer)
                settled.append(answer)
            elif row is not None and not row.answers and now - promise.sent_at > 1.0:
                settled.append(self._fail(promise, GONE.get(row.state, tr("the run had ended before it answered"))))
        return settled

    def pending(self, in_force: Mapping[str, Any]) -> list[str]:
        """Return what is on its way, in words."""
        waiting = [described(p.settings, in_force) if p.settings else action_word(p.action) for p in self.waiting]
        return waiting + ([described(self._draft, in_force)] if self._draft else [])

    def _fail(self, promise: Promise, reason: str) -> Change:
        self.waiting.remove(promise)
        what = described(promise.settings, {}) if promise.settings else action_word(promise.action)
        change = Change(math.nan, what, "unanswered", reason, bool(promise.settings))
        self.failures.append(change)
        return change
