"""Say what was asked of a run by what-ifs: how far one has come, and what the newest found."""

from __future__ import annotations

from collections.abc import Iterator

from mbpo.runs.records.what_if import UNTOLD, Answered
from mbpo.runs.what_ifs import Asking, WhatIfs
from mbpo.settings.language import tr
from workbench.format import fitted, safe_text, whole

MOST_VERDICT = 300  # characters
MOST_NOTES = 2
MOST_OLDER = 3  # folders that are named


def progress_word(found: WhatIfs) -> str:
    """Return a word for the headline; nothing where no what-if is at work or waits to go on."""
    asking = found.asking
    if asking is None:
        return ""
    done = f"{asking.finished}/{len(asking.asked.forks)}"
    return tr("what if {done}", done=done) if asking.at_work else tr("what if cut off at {done}", done=done)


def progress_sentence(found: WhatIfs) -> str:
    """Say how far a what-if has come, or that it was cut off; nothing where there is none."""
    asking = found.asking
    if asking is None:
        return ""
    at, forks = whole(asking.asked.step), len(asking.asked.forks)
    done = tr("{finished} of {forks} forks are finished", finished=asking.finished, forks=forks)
    if asking.at_work:
        return tr("A what-if from {at} on is at work: {done}, {further}.", at=at, done=done, further=_further(asking))
    return tr("The what-if from {at} on was cut off: {done}. w, and then enter, goes on with it.", at=at, done=done)


def _further(asking: Asking) -> str:
    if not asking.learning:
        return tr("none learns yet") if not asking.finished else tr("none learns now")
    return tr("{learning} learning, {share:.0%} of the env steps done", learning=asking.learning, share=asking.share)


def sentences(found: WhatIfs) -> tuple[str, ...]:
    """Return all that is known, for the trust page."""
    return tuple(text for text in (progress_sentence(found), *_answer(found), found.fault and _fault(found)) if text)


def beside_the_bound(found: WhatIfs) -> str:
    """Return the verdict that names an arm, else the one at the end, as a sentence."""
    answer = found.answer
    if answer is None:
        return ""
    at_end = _verdict(answer, answer.verdict)
    way = answer.verdict_on_the_way
    if answer.verdict.startswith(UNTOLD) and way and not way.startswith(UNTOLD):
        return _verdict(answer, tr("on the way {way}", way=way))
    return at_end


def _answer(found: WhatIfs) -> Iterator[str]:
    answer = found.answer
    if answer is None or found.folder is None:
        return
    yield _verdict(answer, answer.verdict)
    if answer.verdict_on_the_way and answer.verdict_on_the_way != answer.verdict:
        yield tr("On the way there: {verdict}.", verdict=safe_text(answer.verdict_on_the_way, MOST_VERDICT))
    for note in answer.notes[:MOST_NOTES]:
        yield tr("{said}.", said=safe_text(note, MOST_VERDICT))
    yield tr("All of it is in {place}{older}.", place=_place(found), older=_older(found))


def _verdict(answer: Answered, verdict: str) -> str:
    length = tr(" for {steps} steps", steps=whole(answer.steps)) if answer.steps else ""
    return tr(
        "What if, from {step} on{length}: {verdict}.",
        step=whole(answer.step),
        length=length,
        verdict=safe_text(verdict, MOST_VERDICT),
    )


def _place(found: WhatIfs) -> str:
    return fitted(f"{found.folder.parent.name}/{found.folder.name}", 60) if found.folder else ""


def _older(found: WhatIfs) -> str:
    if not found.older:
        return ""
    named = ", ".join(fitted(folder.name, 40) for folder in found.older[:MOST_OLDER])
    more = len(found.older) - MOST_OLDER
    return tr(", older answers in {named}", named=named) + (tr(" and {more} more", more=more) if more > 0 else "")


def _fault(found: WhatIfs) -> str:
    return tr("What if: {fault}", fault=safe_text(found.fault))
