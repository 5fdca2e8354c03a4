"""Say how far a study is: in a cell, in a line, and which of its runs do not go on."""

from __future__ import annotations

from rich.text import Text
from textual.content import Content

from mbpo.settings.language import tr
from mbpo.studies.standing import AT_WORK, CUT_OFF, DIVERGED, FAILED, FINISHED, MISSING
from workbench.charts.picture import GREEN, GREY, PURPLE, SKY, VERMILLION
from workbench.format import GLYPHS, MUTED, fitted, safe_text, whole
from workbench.messages import RunRow
from workbench.studies_found import StudyFound
from workbench.study_rows import StudyRow, standing_in
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


def study_lines(row: StudyRow, width: int) -> list[Content]:
    """Return a line for each run that does not go on by itself, with its reason, and one for those that wait."""
    if row.study.fault:
        return [Content.styled(fitted(row.study.fault, width), "$warning")]
    lines = [
        Content.styled(fitted(_marked(row.study, run), width), MARKS[standing_in(row.study, run)][1])
        for run in row.troubles
    ]
    names = row.waiting
    if number := row.counts.get(MISSING, 0):
        mark, _, word = MARKS[MISSING]
        named = ", ".join(safe_text(name, 64) for name in names[:20])
        said = f"{mark} {whole(number)} {word}" + (f": {named}" if named else "")
        lines.append(Content.styled(fitted(said, width), MUTED))
    return lines or [Content.styled(tr("No run of it has failed, and none waits."), MUTED)]


def _marked(study: StudyFound, run: RunRow) -> str:
    return f"{GLYPHS.get(run.state, '·')} {_trouble(study, run, 400)}"


def _trouble(study: StudyFound, run: RunRow, most: int) -> str:
    """Say which run does not go on, how far it came, and why."""
    why = f": {run.reason}" if run.reason else ""
    word = MARKS[standing_in(study, run)][2]
    if run.env_steps:
        at = tr("{name} {state} at {steps}{why}", name=run.path.name, state=word, steps=whole(run.env_steps), why=why)
        return safe_text(at, most)
    return safe_text(f"{run.path.name} {word}{why}", most)
