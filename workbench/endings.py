"""Notice runs that end while the app is open, and studies whose files cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from mbpo.runs.solved import solved_words
from mbpo.settings.language import tr
from workbench.format import safe_text, told_apart
from workbench.messages import ACTIVE, RunRow
from workbench.studies_found import StudyFound

TOLD = {"finished": "information", "failed": "error", "diverged": "error", "lost": "warning"}
"""States that a person wants to hear of, and how grave they are; who stops a run knows."""


class Endings:
    """Remember which runs were at work when they were last listed."""

    def __init__(self) -> None:
        self._at_work: set[Path] = set()

    def take(self, rows: Iterable[RunRow]) -> Iterator[tuple[str, str]]:
        """Yield a sentence, and how grave it is, for each run that ended since the last rows."""
        before = self._at_work
        rows = list(rows)
        self._at_work = {row.path for row in rows if row.state in ACTIVE}
        for row in rows:
            if row.path in before and row.state in TOLD:
                yield _ended(row), TOLD[row.state]


class StudyFaults:
    """Remember which faults of studies were told."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def take(self, studies: Iterable[StudyFound]) -> Iterator[str]:
        """Yield a sentence for each study whose file cannot be used any more, once."""
        found = {_fault(study): study for study in studies if study.fault}
        new, self._told = [told for told in found if told not in self._told], set(found)
        yield from new


def _fault(study: StudyFound) -> str:
    told = tr(
        "The study {name} cannot be read: {why}. Its runs are listed all the same.", name=study.title, why=study.fault
    )
    return safe_text(told)


def _ended(row: RunRow) -> str:
    evaluated = row.eval_return is not None
    facts = [
        tr("evaluation {eval_return}", eval_return=told_apart(row.eval_return, row.threshold)) if evaluated else "",
        solved_words(row.threshold, row.solved_at, evaluated=evaluated),
        row.reason,
    ]
    said = ", ".join(fact for fact in facts if fact)
    what = tr("{name} is lost", name=row.run_id)
    if row.state != "lost":
        what = tr("{name} {state}", name=row.run_id, state=tr(row.state))
    return safe_text(tr("{what}: {said}", what=what, said=said) if said else what, 200)
