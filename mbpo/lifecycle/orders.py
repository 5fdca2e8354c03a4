"""Say what the loop obeys from an env step on: the user, or what another run was told."""

from __future__ import annotations

from typing import Protocol

from mbpo.lifecycle.starting_point import LeadIn
from mbpo.runs.live_control import InForce
from mbpo.runs.writer import RunWriter


class Orders(Protocol):
    """What the loop asks at every env-step boundary."""

    def at(self, env_steps: int) -> InForce:
        """Return what holds from ``env_steps`` on; wait here while the run is paused."""


class LiveOrders:
    """Obey the commands in the run's inbox, and signals."""

    def __init__(self, writer: RunWriter) -> None:
        self._writer = writer

    def at(self, env_steps: int) -> InForce:
        """Return what holds from ``env_steps`` on; wait here while the run is paused."""
        return self._writer.at_boundary(env_steps)


class RepeatedOrders:
    """Obey what another run was told, up to where a fork branches off.

    Commands that come meanwhile hold from there on; only pause and stop are obeyed at once.
    """

    def __init__(self, lead_in: LeadIn, writer: RunWriter) -> None:
        self._lead_in = lead_in
        self._writer = writer
        self.checkpoint_asked = False

    def at(self, env_steps: int) -> InForce:
        """Return what was in force in the other run; wait here while this one is paused."""
        order = self._ask(env_steps)
        while order.checkpoint:  # and ask again: a paused run stays paused
            self.checkpoint_asked = True
            order = self._ask(env_steps)
        return InForce(self._lead_in.settings_at(env_steps), order.stop)

    def _ask(self, env_steps: int) -> InForce:
        return self._writer.at_boundary(env_steps, holds_from=self._lead_in.until)
