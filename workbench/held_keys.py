"""Press keys one after the other, so that none is lost, or meant for what had the focus before."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from textual.app import App
from textual.events import Event, Key
from textual.message import Message

LOOK_S = 0.02  # between looks whether a form is built
ROUNDS = 3
LOST_S = 0.3  # after which a key is done with whose screen closed
Result = TypeVar("Result")


class Passed(Message):
    """Go the way of a key, behind it: where this arrives, the key has taken effect."""

    def __init__(self, key: Key, rounds: int = ROUNDS) -> None:
        super().__init__()
        self.key = key
        self.rounds = rounds  # still to go: what a key sets off, as a field's Submitted, goes the same way behind it


class HeldKeys(App[Result], Generic[Result]):
    """Let a key take effect before the next is looked at, and hold all back while a form is ``building``.

    Textual hands a key to what has the focus when it comes: one that is typed right behind a tab, or behind the enter
    that ends a filter, would go to the field before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[Key] = deque()  # the first is the one that is being pressed

    async def on_event(self, event: Event) -> None:
        """Handle an event, or let a key wait for the one before it."""
        new = isinstance(event, Key) and not event.is_forwarded and bool(self._screen_stack)
        if isinstance(event, Key) and new:
            self._waiting.append(event)
            if len(self._waiting) == 1:
                await self._press_first()
        else:
            await super().on_event(event)

    def _building(self) -> bool:
        return bool(getattr(self.screen, "building", False))

    async def _press_first(self) -> None:
        if self._building():
            self.set_timer(LOOK_S, self._press_first)
            return
        key = self._waiting[0]
        await super().on_event(key)
        self._send_behind(Passed(key))
        self.set_timer(LOST_S, lambda: self._pressed(key))

    def on_passed(self, message: Passed) -> None:
        """Press the next key, after the last round, unless the app ended meanwhile."""
        if not self._screen_stack:
            return
        if message.rounds > 1:
            self._send_behind(Passed(message.key, message.rounds - 1))
        else:
            self.call_later(self._pressed, message.key)

    def _send_behind(self, message: Passed) -> None:
        (self.focused or self.screen).post_message(message.set_sender(self))

    def _pressed(self, key: Key) -> None:
        if self._waiting and self._waiting[0] is key:
            self._waiting.popleft()
            if self._waiting:
                self.call_next(self._press_first)
