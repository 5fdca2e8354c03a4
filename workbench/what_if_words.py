"""Say what was asked of a run by what-ifs: how far one has come, and what the newest found."""

from __future__ import annotations

from collections.abc import Iterator

from mbpo.runs.records.what_if import UNTOLD, Answered
from mbpo.runs.what_ifs import Asking, WhatIfs
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
    return f"what if {done}" if asking.at_work else f"what if cut off at {done}"


def progress_sentence(found: WhatIfs) -> str:
    """Say how far a what-if has come, or that it was cut off; nothing where there is none."""
    asking = found.asking
    if asking is None:
        return ""
    at, done = whole(asking.asked.step), f"{asking.finished} of {len(asking.asked.forks)} forks are finished"
    if asking.at_work:
        return f"A what-if from {at} on is at work: {done}, {_further(asking)}."
    return f"The what-if from {at} on was cut off: {done}. w, and then enter, goes on with it."


def _further(asking: Asking) -> str:
    if not asking.learning:
        return "none learns yet" if not asking.finished else "none learns now"
    return f"{asking.learning} learning, {asking.share:.0%} of the env steps done"


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
        return _verdict(answer, f"on the way {way}")
    return at_end


def _answer(found: WhatIfs) -> Iterator[str]:
    answer = found.answer
    if answer is None or found.folder is None:
        return
    yield _verdict(answer, answer.verdict)
    if answer.verdict_on_the_way and answer.verdict_on_the_way != answer.verdict:
        yield f"On the way there: {safe_text(answer.verdict_on_the_way, MOST_VERDICT)}."
    for note in answer.notes[:MOST_NOTES]:
        yield f"{safe_text(note, MOST_VERDICT)}."
    yield f"All of it is in {_place(found)}{_older(found)}."


def _verdict(answer: Answered, verdict: str) -> str:
    length = f" for {whole(answer.steps)} steps" if answer.steps else ""
    return f"What if, from {whole(answer.step)} on{length}: {safe_text(verdict, MOST_VERDICT)}."


def _place(found: WhatIfs) -> str:
    return fitted(f"{found.folder.parent.name}/{found.folder.name}", 60) if found.folder else ""


def _older(found: WhatIfs) -> str:
    if not found.older:
        return ""
    named = ", ".join(fitted(folder.name, 40) for folder in found.older[:MOST_OLDER])
    more = len(found.older) - MOST_OLDER
    return f", older answers in {named}" + (f" and {more} more" if more > 0 else "")


def _fault(found: WhatIfs) -> str:
    return f"What if: {safe_text(found.fault)}"
