"""Follow runs into a tracker until they end, or until the user ends it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mbpo.errors import ConfigError, RunInUseError, one_line, printable
from mbpo.outside.trackers.facts import facts_of, has_begun, identity_of
from mbpo.outside.trackers.find import Named, may_grow, named_runs
from mbpo.outside.trackers.run_follower import RunFollower, RunReplaced
from mbpo.outside.trackers.tracker import Opener
from mbpo.runs.layout import RunPaths
from mbpo.runs.locks import take
from mbpo.runs.status import ENDED, read_status
from mbpo.settings.stdout import say
from mbpo.settings.typed_path import expanded

POLL_S = 1.0
LOOK_S = 5.0  # between looks for new runs


@dataclass(frozen=True)
class Question:
    """Say what to bring where."""

    runs: Sequence[str]
    opener: Opener
    into: Path
    project: str = ""
    live: bool = False


class Following:
    """Hold the runs that are followed at the moment, and say what becomes of each."""

    def __init__(self, question: Question, asked_to_end: Callable[[], bool] = lambda: False) -> None:
        """Look at ``asked_to_end`` often: a signal that came within a tracker's library would do harm there."""
        self._question = question
        self._asked_to_end = asked_to_end
        self._at_work: dict[Path, RunFollower] = {}
        self._states: dict[Path, str] = {}  # as last said
        self._done: dict[Path, object] = {}  # how each run that is followed no more was left
        self._locks: dict[str, int] = {}  # by identity
        self._noted: set[str] = set()
        self._refused: ConfigError | None = None  # why a run was left out
        self._awaited = 0  # runs that have not begun
        self.rows = self.runs = 0

    def until_end(self) -> None:
        """Bring over all that is there; live, go on until every run has ended.

        Raises:
            ConfigError: there is nothing to follow.
            StorageError: the tracker refuses.
        """
        try:
            self._follow()
        except (KeyboardInterrupt, SystemExit):
            for follower in self._at_work.values():
                follower.leave(_state(follower.facts.paths))
            raise

    def _follow(self) -> None:
        looked = -LOOK_S
        while True:
            if time.monotonic() - looked >= LOOK_S:
                self._look()
                looked = time.monotonic()
            for root in list(self._at_work):
                self._turn(root)
                self._end_if_asked()
            if not self._at_work and not self._may_come():
                if self._refused is not None and not self.runs:
                    raise self._refused
                return
            if not self._at_work and self.runs:
                self._note("all rows are there: waiting for more runs; Ctrl-C ends this")
            until = time.monotonic() + POLL_S
            while time.monotonic() < until:
                self._end_if_asked()
                time.sleep(POLL_S / 10)

    def _end_if_asked(self) -> None:
        if self._asked_to_end():
            raise KeyboardInterrupt

    def _may_come(self) -> bool:
        """Return whether there may be a run to follow later."""
        return self._question.live and (self._awaited > 0 or may_grow(self._question.runs))

    def _look(self) -> None:
        """Take in runs that came; one that ended is followed again where a learner goes on with it."""
        found, notes = self._found()
        for note in notes:
            self._note(note)
        self._awaited = 0
        for root, (paths, name) in found.items():
            if root in self._at_work:
                continue
            if not has_begun(paths):
                self._awaited += 1
                self._note(f"{name} has not begun")
                continue
            if self._done.get(root) == _seen(paths):
                continue
            self._open(root, paths, name)

    def _found(self) -> tuple[Named, list[str]]:
        try:
            return named_runs(self._question.runs)
        except ConfigError:
            if self.runs:
                return {}, []  # they were there; whoever removed them may bring them back
            if self._question.live and not any(_is_file(pattern) for pattern in self._question.runs):
                return {}, ["no run is there yet: waiting; Ctrl-C ends this"]
            raise

    def _open(self, root: Path, paths: RunPaths, name: str) -> None:
        asked = self._question
        try:
            facts = facts_of(paths, name)
        except ConfigError as error:
            self._refused = error
            self._note(f"{name} is left out: {error}")
            return
        self._lock(facts.identity, facts.name)
        tracker = asked.opener(facts, asked.into, asked.project)
        self._at_work[root] = RunFollower(facts, tracker, _Progress(facts.name, self._end_if_asked))
        self.runs += root not in self._done
        say(f"{printable(name)} -> {printable(tracker.where)}")

    def _lock(self, identity: str, name: str) -> None:
        """Let no second process follow the run into the same place."""
        if identity in self._locks:
            return
        folder = self._question.into / ".followed"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = take(folder / f"{identity}.lock")
        except OSError as error:
            if error.errno is not None:
                raise ConfigError(
                    f"cannot write in {self._question.into}: {error.strerror}; give another --into"
                ) from None
            self._note("the file system has no locks: start no second follower for the same runs")
            return
        if descriptor is None:
            raise RunInUseError(f"{name} is followed into {self._question.into} by another process; end that first")
        self._locks[identity] = descriptor

    def _turn(self, root: Path) -> None:
        follower = self._at_work[root]
        paths = follower.facts.paths
        seen, state = _seen(paths), _state(paths)  # before the rows: what an ended run wrote is all there
        try:
            follower.turn()
        except RunReplaced:
            self._end(root, "replaced", seen)
            self._look()
            return
        if not self._question.live or state in ENDED:
            self._end(root, state, seen)
        elif state != self._states.get(root) and state in ("lost", "silent"):
            self._note(f"{follower.facts.name} is {state} after {follower.rows:,} rows: waiting; Ctrl-C ends this")
        self._states[root] = state

    def _end(self, root: Path, state: str, seen: object) -> None:
        follower = self._at_work.pop(root)
        follower.close(state)
        self.rows += follower.added
        self._done[root] = seen
        damaged = f", {follower.damaged} damaged lines passed over" if follower.damaged else ""
        say(f"{printable(follower.facts.name)} is {state}: {follower.rows:,} rows, {follower.added:,} new{damaged}")

    def _note(self, text: str) -> None:
        """Say something on stderr, once."""
        if text not in self._noted:
            self._noted.add(text)
            print(one_line(text).replace("error: ", "note: ", 1), file=sys.stderr, flush=True)


class _Progress:
    """Say how far a long run is read, every few seconds, and end where that is asked for."""

    def __init__(self, name: str, end_if_asked: Callable[[], None]) -> None:
        self._name = name
        self._end_if_asked = end_if_asked
        self._said = time.monotonic()

    def __call__(self, rows: int) -> None:
        """Take in how many rows were read."""
        self._end_if_asked()
        if time.monotonic() - self._said >= LOOK_S:
            self._said = time.monotonic()
            say(f"{printable(self._name)}: {rows:,} rows so far")


def _is_file(pattern: str) -> bool:
    """Return whether no run can ever be there; a folder may still come."""
    return Path(expanded(pattern)).is_file()


def be_modest() -> None:
    """Leave the processors to the learners: this process and its children come last."""
    try:
        os.nice(19)
    except OSError:
        return


def _seen(paths: RunPaths) -> object:
    """Return what is another once a learner goes on in a run, or another run is there."""
    try:
        return identity_of(paths), paths.metrics.stat().st_size, paths.events.stat().st_size
    except OSError:
        return identity_of(paths), 0, 0


def _state(paths: RunPaths) -> str:
    """Return the run's state; one that has no status is a copy, and ended."""
    status = read_status(paths)
    return "finished" if status is None else status.derived_state()
