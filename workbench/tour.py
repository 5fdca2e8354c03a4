"""Lead a first visitor in five steps from a solved Pendulum to two forks and their comparison. Pure functions.

Where the tour stands follows from the runs that are there: it can be left, the app closed, and gone on with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mbpo.settings.language import tr
from workbench.fork_tree import family, origin
from workbench.format import fitted
from workbench.messages import RunRow

PRESET = "pendulum"
AT = 200  # the env step to fork at: a checkpoint, before the model is first learnt
FORKED = (1, 10)  # k of the two forks
STEPS = 5


@dataclass(frozen=True)
class Stop:
    """Hold where the tour stands: which of the five steps, and what to do and to see."""

    step: int  # from 1; beyond the last: done
    text: str

    @property
    def over(self) -> bool:
        """Return whether all is done."""
        return self.step > STEPS


def stop_of(rows: Iterable[RunRow], selected: RunRow | None, compared: int) -> Stop:
    """Return where the tour stands, by the runs there are, the one in focus and how many are compared."""
    rows = tuple(rows)
    base = _base(rows, selected)
    if base is None:
        return Stop(1, tr("Press n, then F5: a learner starts that swings a pendulum up. It takes about 15 seconds."))
    if base.active:
        return Stop(
            2,
            tr(
                "Watch 1 return: the dots are evaluations, −200 or more solves it. "
                "The sentence below each chart says what it shows, and ? explains the panel in focus."
            ),
        )
    forks = [row for row in family(rows, base.path) if origin(row.parent)[0] == base.run_id]
    lengths = [fork.controls.get("rollout_length") for fork in forks]
    for step, k in enumerate(FORKED, 3):
        if k not in lengths:
            return Stop(step, _fork_words(step, k, base))
    if any(fork.active for fork in forks):
        return Stop(5, tr("Both forks learn: in a few seconds they have ended, and can be compared."))
    if compared < 1 + len(FORKED):
        return Stop(
            5,
            tr(
                "Go to {run} and press C: its family is drawn together. d says what differs.",
                run=fitted(base.run_id, 24),
            ),
        )
    return Stop(
        STEPS + 1,
        tr(
            "That is all: three runs, one difference, k. One seed proves nothing: "
            "w repeats such forks and says what can be told. T ends the tour."
        ),
    )


def _base(rows: tuple[RunRow, ...], selected: RunRow | None) -> RunRow | None:
    """Return the Pendulum run to fork: the one in focus or its origin, else the newest that was not forked itself."""
    fit = [row for row in rows if row.preset == PRESET and not row.parent and (row.active or row.env_steps > AT)]
    named = {row.run_id: row for row in fit}
    chosen = named.get(selected.run_id) or named.get(origin(selected.parent)[0]) if selected is not None else None
    return chosen or max(fit, key=lambda row: row.started, default=None)


def _fork_words(step: int, k: int, base: RunRow) -> str:
    if step == 3:
        return tr(
            "With {run} in focus press f: a fork learns on from an earlier moment. "
            "Make step {step} and k {k}, a rollout of {k} imagined step, then enter.",
            run=fitted(base.run_id, 24),
            step=AT,
            k=k,
        )
    return tr(
        "A second fork from the same moment: f on the first run again, step {step}, but k {k}, then enter.",
        step=AT,
        k=k,
    )
