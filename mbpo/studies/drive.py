"""Drive a study: say what is to be done, have it done, follow it, and compare what came of it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mbpo.comparison.chosen import counted
from mbpo.errors import one_line
from mbpo.runs.layout import RunPaths
from mbpo.settings.numbers import duration, short
from mbpo.settings.stdout import say
from mbpo.settings.terminal import BottomLine
from mbpo.studies.engine import Engine, Place
from mbpo.studies.folder import state_of
from mbpo.studies.forecast import forecast
from mbpo.studies.samples import read_samples
from mbpo.studies.standing import (
    AT_WORK,
    CUT_OFF,
    DIVERGED,
    FAILED,
    FINISHED,
    GIVEN_UP,
    MISSING,
    Standing,
    check_same,
    standings,
)
from mbpo.studies.unbegun import LastErrors

POLL_S = 1.0
PLAIN_LINE_S = 30.0
LAST_LOOKS = 5  # after which a run that no engine has is not waited for: its last words may still be on their way
WORDS = {MISSING: "to begin", CUT_OFF: "to go on", AT_WORK: "at work", FINISHED: "finished", FAILED: "failed before"}


def plan(place: Place) -> list[Standing]:
    """Say what a study is and what is left of it; return how its runs stand.

    Raises:
        ConfigError: a run that is there is another than the study's.
    """
    study, found = place.study, _standings_to_come(place)
    check_same(found)
    states = Counter(one.state for one in found)
    most = "at most " if study.search else ""
    say(f"{place.folder}: {study.words} = {most}{counted(len(found), 'run')}")
    say(
        "  "
        + ", ".join(
            f"{states[state]} {WORDS.get(state, state)}" for state in (*WORDS, GIVEN_UP, DIVERGED) if states[state]
        )
    )
    expected = forecast(found, place.root)
    if expected.unknown < len(found) and expected.seconds:
        measured = "as measured in runs of their kind here"
        say(f"  left: {most}{duration(expected.seconds)} of one learner, {_bytes(expected.bytes)} of disk, {measured}")
    if expected.unknown:
        runs = counted(expected.unknown, "run")
        say(f"  time and disk of {runs} are not known: none of their kind has finished below {place.root} yet")
    return found


def _standings_to_come(place: Place) -> list[Standing]:
    """Return how the runs of a study stand; for a search also those of samples that are not drawn yet."""
    study = place.study
    if study.search is None:
        return standings(study, place.folder)
    samples = read_samples(state_of(place.folder))
    nowhere = RunPaths(state_of(place.folder) / "not-drawn")
    to_come = [Standing(study.recipe.run((), seed), nowhere) for seed in study.seeds]
    return [*standings(study.of_samples(samples), place.folder), *to_come * (study.search.samples - len(samples))]


class Follower:
    """Follow the runs of a study to their ends, and say what becomes of each."""

    def __init__(self, place: Place, engine: Engine) -> None:
        self._place, self._engine = place, engine
        self._told: dict[str, str] = {}
        self._steps: list[tuple[float, int]] = []  # by time
        self._line_at = time.monotonic()

    def follow(self) -> list[Standing]:
        """Return how the runs stand when the engine has none of them any more."""
        self._note(standings(self._place.study, self._place.folder), first=True)
        looks = 0
        with _bottom_line() as line:
            while True:
                held = set(self._engine.holding())
                found = standings(self._place.study, self._place.folder)
                self._note(found)
                looks = 0 if held else looks + 1
                at_work = any(one.state == AT_WORK for one in found)
                if not held and (not at_work or looks > LAST_LOOKS):
                    return found
                self._show(found, held, line)
                time.sleep(POLL_S)

    def _note(self, found: Sequence[Standing], first: bool = False) -> None:
        """Say of each run that has ended since the last look how it did."""
        for one in found:
            before, self._told[one.run.run_id] = self._told.get(one.run.run_id), one.state
            if not first and one.state != before and one.state in (FINISHED, FAILED, DIVERGED):
                say(_ended(one))

    def _show(self, found: Sequence[Standing], held: set[str], line: BottomLine | None) -> None:
        text = self._text(found, held)
        if line is not None:
            with contextlib.suppress(OSError):
                shown = text[: line.width - 1]
                line.show(shown, len(shown))
        elif time.monotonic() > self._line_at + PLAIN_LINE_S:
            self._line_at = time.monotonic()
            say(text)

    def _text(self, found: Sequence[Standing], held: set[str]) -> str:
        states = Counter(_shown_state(one, held) for one in found)
        done, total = sum(one.env_steps for one in found), sum(one.total_steps for one in found)
        parts = [f"{number} {state}" for state, number in states.items()]
        return f"{', '.join(parts)}  {done:,}/{total:,} env steps  {self._left(done, total)} left"

    def _left(self, done: int, total: int) -> str:
        now = time.monotonic()
        self._steps = [*(each for each in self._steps if each[0] > now - 120.0), (now, done)]
        began, steps = self._steps[0]
        return duration((total - done) * (now - began) / (done - steps)) if done > steps else "—"


def failures(found: Sequence[Standing], folder: Path, engine: str) -> int:
    """Say on stderr which runs are not finished and why; return the exit code of the first, or 0."""
    code, untold = 0, [one.run.run_id for one in found if one.state in (MISSING, CUT_OFF)]
    errors = LastErrors(folder, engine).of(untold)
    for one in found:
        if one.state == FINISHED:
            continue
        said = f"{one.run.run_id} {one.state}"
        if one.status is not None:
            said += f" at {one.env_steps:,} env steps"
            code = code or one.status.exit_code or 1
        code = code or 1
        why = errors.get(one.run.run_id) or one.reason
        print(one_line(f"{said}: {why}" if why else said), file=sys.stderr, flush=True)
    return code


def _ended(one: Standing) -> str:
    status = one.status
    assert status is not None
    words = [f"{one.run.run_id} {one.state} at {status.env_steps:,} env steps"]
    if status.eval_return is not None:
        words.append(f"evaluation {short(status.eval_return)}")
    if status.solved_at is not None:
        words.append(f"solved at {status.solved_at:,}")
    return ", ".join(words)


def _shown_state(one: Standing, held: set[str]) -> str:
    if one.state in (MISSING, CUT_OFF):
        return "waiting" if one.run.run_id in held else one.state
    return one.state


def _bytes(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


@contextlib.contextmanager
def _bottom_line() -> Iterator[BottomLine | None]:
    line = BottomLine(1) if os.isatty(1) else None
    if line is None:
        yield None
        return
    line.begin()
    try:
        yield line
    finally:
        line.end()
