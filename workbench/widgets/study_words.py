"""Say how far a study is: in a cell, in a line, and which of its runs do not go on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from rich.text import Text
from textual.content import Content

from mbpo.settings.language import tr
from mbpo.studies.standing import AT_WORK, CUT_OFF, DIVERGED, FAILED, FINISHED, MISSING
from workbench.charts.picture import GREEN, GREY, PURPLE, SKY, VERMILLION
from workbench.format import GLYPHS, MUTED, fitted, safe_text, whole
from workbench.messages import RunRow
from workbench.studies_found import StudyFound
from workbench.study_rows import StudyRow, standing_in
from workbench.widgets.flowing import lines_of
from workbench.widgets.ranked import ranked

MARKS = {
    FAILED: ("✗", VERMILLION, tr("failed")),
    DIVERGED: ("!", VERMILLION, tr("diverged")),
    CUT_OFF: ("?", PURPLE, tr("cut off")),
    AT_WORK: ("●", GREEN, tr("running")),
    MISSING: ("○", GREY, tr("waiting")),
}
"""How the runs stand that are not done, the worst first."""


def done_of(row: StudyRow, width: int) -> Text:
    """Return how many runs are done, of how many."""
    text = "" if row.study.fault else f"{row.counts.get(FINISHED, 0)}/{row.asked}"
    return Text(fitted(text, width), justify="right", style=SKY)


def counted(row: StudyRow, width: int) -> Text:
    """Return how many runs are not done and how they stand, the worst first, as many as fit: ✗1 ?1 ●4 ○3."""
    text = Text()
    for at, (mark, color, _) in MARKS.items():
        part = f" {mark}{row.counts.get(at, 0)}" if text.plain else f"{mark}{row.counts.get(at, 0)}"
        if row.counts.get(at) and text.cell_len + len(part) <= width:
            text.append(part, color)
    return text


def study_headline(row: StudyRow, width: int) -> Content:
    """Return in one line how far a study is; the least needed goes first."""
    study, counts = row.study, row.counts
    title = (0, Content.styled(fitted(study.title, 40), "bold"))
    if study.fault:
        return ranked([title, (1, Content.styled(safe_text(study.fault, 200), "$warning"))], width)
    done = tr("{n} of {of} done", n=whole(counts.get(FINISHED, 0)), of=whole(row.asked))
    parts = [
        (1, Content.styled(f"{mark} {whole(counts[at])} {word}", color))
        for at, (mark, color, word) in MARKS.items()
        if counts.get(at)
    ]
    first = next(iter(row.troubles), None)
    return ranked(
        [
            title,
            (1, Content.styled(done, SKY)),
            *parts,
            (4, Content(safe_text(study.words, 60))),
            (5, Content(tr("on {engine}", engine=safe_text(study.engine, 12)) if study.engine else "")),
            (3, Content.styled(_trouble(study, first, 60) if first is not None and first.reason else "", "$warning")),
        ],
        width,
    )


def study_lines(row: StudyRow, width: int, height: int) -> list[Content]:
    """Say of each run that does not go on by itself why, and which wait; what has room is not cut off."""
    if row.study.fault:
        return _laid_out([(row.study.fault, "$warning")], width, height)
    said = [(_told(row.study, runs), MARKS[standing_in(row.study, runs[0])][1]) for runs in _alike(row)]
    if number := row.counts.get(MISSING, 0):
        mark, _, word = MARKS[MISSING]
        named = _names(row.waiting)
        said.append((f"{mark} {whole(number)} {word}" + (f": {named}" if named else ""), MUTED))
    return _laid_out(said or [(tr("No run of it has failed, and none waits."), MUTED)], width, height)


def _laid_out(said: Sequence[tuple[str, str]], width: int, height: int) -> list[Content]:
    """Return texts of a colour as lines; where there are fewer than fit, the first that need it get more than one."""
    spare, lines = max(height - len(said), 0), list[Content]()
    for text, color in said[:height]:
        parts = lines_of(safe_text(text, 1000), width) or [""]
        kept = parts[: 1 + spare]
        spare -= len(kept) - 1
        rest = " ".join([kept[-1], *parts[len(kept) :]])
        lines += [Content.styled(line, color) for line in (*kept[:-1], fitted(rest, width))]
    return lines


def _alike(row: StudyRow) -> list[list[RunRow]]:
    """Return the runs that do not go on, together those that came equally far and ended for the same reason."""
    found: dict[tuple[str, int, str], list[RunRow]] = {}
    for run in row.troubles:
        found.setdefault((run.state, run.env_steps, run.reason), []).append(run)
    return list(found.values())


def _told(study: StudyFound, runs: Sequence[RunRow]) -> str:
    glyph, word = GLYPHS.get(runs[0].state, "·"), MARKS[standing_in(study, runs[0])][2]
    if len(runs) == 1:
        return f"{glyph} {_trouble(study, runs[0], 400)}"
    why = f": {runs[0].reason}" if runs[0].reason else ""
    return f"{glyph} {whole(len(runs))} {word}{why} ({_names(run.path.name for run in runs)})"


def _names(names: Iterable[str]) -> str:
    return ", ".join(safe_text(name, 64) for name in itertools.islice(names, 20))


def _trouble(study: StudyFound, run: RunRow, most: int) -> str:
    """Say which run does not go on, how far it came, and why."""
    why = f": {run.reason}" if run.reason else ""
    word = MARKS[standing_in(study, run)][2]
    if run.env_steps:
        at = tr("{name} {state} at {steps}{why}", name=run.path.name, state=word, steps=whole(run.env_steps), why=why)
        return safe_text(at, most)
    return safe_text(f"{run.path.name} {word}{why}", most)
