"""Say from which env step on a task counts as solved."""

from __future__ import annotations

from collections.abc import Iterable

from mbpo.settings.language import tr

Evaluation = tuple[int, float | None]  # env step, mean return


def solved_at(evaluations: Iterable[Evaluation], threshold: float | None, before: int | None = None) -> int | None:
    """Return the env step of the first evaluation from which all later ones are at ``threshold`` or above.

    None where the last one is below it, or where there is no threshold. ``before`` is what this returned of the
    evaluations before these.
    """
    if threshold is None:
        return None
    since = before
    for env_steps, value in evaluations:
        reached = value is not None and value >= threshold
        since = (env_steps if since is None else since) if reached else None
    return since


def solved_words(threshold: float | None, solved: int | None, *, evaluated: bool = True) -> str:
    """Return ``solved at 500``, ``not solved yet`` or, without a threshold or an evaluation, nothing."""
    if threshold is None or not evaluated:
        return ""
    return tr("not solved yet") if solved is None else tr("solved at {step:,}", step=solved)
