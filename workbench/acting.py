"""Mark the actions that change a run, the queue or a run's files; an app that is read-only refuses just these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

MARK = "changes_runs"
Action = TypeVar("Action", bound=Callable[..., Any])


def changes_runs(action: Action) -> Action:
    """Mark an action."""
    setattr(action, MARK, True)
    return action


def is_changing(owner: object, name: str) -> bool:
    """Return whether the action of that name changes runs."""
    return bool(getattr(getattr(owner, f"action_{name}", None), MARK, False))
