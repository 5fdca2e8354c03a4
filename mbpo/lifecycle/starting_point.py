"""Hold where a run begins or goes on, and say what is known about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mbpo.errors import CheckpointError, ShapeError
from mbpo.learner.learner import Learner
from mbpo.runs.command import Check
from mbpo.runs.history import History
from mbpo.runs.kept_rows import KeptRows
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus
from mbpo.runs.writer import RunWriter
from mbpo.saving.store import Saved
from mbpo.settings.config import LIVE_SETTINGS, Auto, Config
from mbpo.settings.stdout import say

CHECKS: Mapping[str, Check] = {name: setting.check for name, setting in LIVE_SETTINGS.items()}
MOVES_RESULTS = ("versions", "machine", "threads", "device", "op", "termination")  # of the manifest


@dataclass(frozen=True)
class Replay:
    """Say what a replay does besides following the config."""

    of: str  # run_id
    until: int | None  # env step where the run was stopped or cut off; None: it went to its end
    evaluations: tuple[int, ...]  # env steps of those that the config does not ask for


@dataclass(frozen=True)
class LeadIn:
    """Say how to repeat another run from its checkpoint up to where a fork branches off."""

    config: Config  # of the other run
    settings: Mapping[str, Any]  # in force at the checkpoint
    changes: Sequence[tuple[int, Mapping[str, Any]]]  # made after it, by env step
    until: int  # env step
    evaluations: tuple[int, ...]  # env steps of those that the config does not ask for

    def settings_at(self, env_steps: int) -> dict[str, Any]:
        """Return what was in force from ``env_steps`` on."""
        settings = dict(self.settings)
        for at, new in self.changes:
            if at <= env_steps:
                settings.update(new)
        return settings


@dataclass(frozen=True)
class StartingPoint:
    """Hold where to go on with a run, and all that is known of what it did before."""

    paths: RunPaths | None  # None: the run has no directory yet
    saved: Saved | None  # None: from the beginning
    damaged: list[str]  # newer checkpoints that cannot be used, and why
    history: History
    settings: Mapping[str, Any]  # in force at the checkpoint
    manifest: Mapping[str, Any]  # of the first attempt
    lineage: Mapping[str, Any] = field(default_factory=dict)  # of a new fork or replay
    lead_in: LeadIn | None = None  # of a fork between checkpoints
    new_seed: bool = False  # of a fork
    lost: str = ""  # why a new episode begins in place of the saved one

    @property
    def env_steps(self) -> int:
        """Return the env step to go on from."""
        return 0 if self.saved is None else int(self.saved.loop["env_steps"])

    @property
    def threads(self) -> int | Auto:
        """Return those of the first attempt, as another number would round differently.

        A fork may ask for others.
        """
        asked = self.lineage.get("fork_changes", {}).get("threads")
        threads: int | Auto = self.manifest.get("threads", "auto") if asked is None else asked
        return threads if type(threads) is int and threads > 0 else "auto"

    @property
    def parent(self) -> str:
        """Return RUN@STEP that the run is a fork of, or an empty text."""
        facts = self.lineage or self.manifest
        return f"{facts['parent']}@{facts['fork_env_steps']}" if "parent" in facts else ""

    @property
    def replay(self) -> Replay | None:
        """Return what is being done again, if this is no run of its own."""
        facts = (self.lineage or self.manifest).get("replay")
        return Replay(facts["of"], facts["until"], tuple(facts["evaluations"])) if facts else None

    @property
    def regenerated(self) -> bool:
        """Return whether the imagined rows were too many to save."""
        return self.saved is not None and "imagined" not in self.saved.parts

    @property
    def unrepeated(self) -> str:
        """Return why an episode of the environment may differ when played again, as the first attempt found out."""
        return str(self.manifest.get("unrepeated", ""))

    def load(self, learner: Learner) -> tuple[StartingPoint, Learner | None]:
        """Bring ``learner`` to where the checkpoint was saved; return what then holds.

        Where other steps have to be repeated first, return as well the learner that is to do so; what
        comes out will then fit ``learner``.

        Raises:
            CheckpointError: it is of another shape.
            EnvironmentFault: the environment cannot begin an episode.
        """
        if self.lead_in is None:
            return self._going_on(_load(learner, self.saved)), None
        leader = Learner(self.lead_in.config)
        lost = _load(leader, self.saved)
        name = self.saved.name if self.saved else "its parent"
        _load(learner, self.branched(Saved(name, leader.whole_state(), {})))
        return self._going_on(lost), leader

    def _going_on(self, lost: str) -> StartingPoint:
        """Return where to go on, the tensors let go; with nothing to compare where a new episode begins."""
        begin = dataclasses.replace(self, saved=self.saved.emptied()) if self.saved else self
        if not lost:
            return begin
        return dataclasses.replace(begin, lost=lost, history=dataclasses.replace(self.history, after=KeptRows()))

    def branched(self, saved: Saved) -> Saved:
        """Return what a fork begins with: its best return, seed and warnings are its own."""
        parts = {k: v for k, v in saved.parts.items() if k != "streams" or not self.new_seed}
        loop = {**saved.loop, "best_return": None, "rule_watch": {}, "stall_watch": {}}
        return dataclasses.replace(saved, parts=parts, loop=loop)

    def announce(self, run: RunWriter, now: Mapping[str, Any]) -> None:
        """Say in an event, and in lines on stdout, where the run goes on and what to expect."""
        if self.saved is None and not self.history.attempts and not self.lineage:
            run.event("started", env_steps=0, attempt=1)
            return
        name = "resumed" if self.paths else "started"
        run.event(name, attempt=run.status.attempt, **self.lineage, **self._facts(now))
        for line in self._lines(now):
            say(line)

    def changed(self, now: Mapping[str, Any]) -> list[str]:
        """Return what may make results differ from the first attempt's, in words."""
        # Of an older version, perhaps: without a key there is nothing to compare.
        then = {k: self.manifest[k] for k in MOVES_RESULTS if k in self.manifest}
        if None in (then.get("termination"), now.get("termination")):  # one of the two imagines nothing
            then.pop("termination", None)
        return sorted(_changes(then, now))

    def _facts(self, now: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "env_steps": self.env_steps,
            "checkpoint": self.saved.name if self.saved else None,
            "to_compare": len(self.history.after),
            "damaged": self.damaged,
            "changed": self.changed(now),
            "imagined": "regenerated" if self.regenerated else "saved",
            "exact": not (self.lost or self.regenerated or self.unrepeated),
            **({"why": self.lost or self.unrepeated} if self.lost or self.unrepeated else {}),
        }

    def _lines(self, now: Mapping[str, Any]) -> Iterator[str]:
        for wrong in self.damaged:
            yield f"warning: passed over: {wrong}"
        for change in self.changed(now):
            yield f"warning: {change}; results may differ from here on"
        if self.lost:
            yield f"warning: not exact, a new episode begins: {self.lost}"
        elif self.unrepeated:
            yield f"warning: perhaps not exact, the environment does not repeat: {self.unrepeated}"
        if self.regenerated:
            yield "warning: the model buffer was too large to save: its rows are imagined anew"
        if self.lineage and self.replay:
            yield f"replay of {self.replay.of}; {len(self.history.after)} records to compare"
            return
        records = f"{len(self.history.after)} records to compare"
        if self.lineage:
            yield f"forked from {self.parent.replace('@', ' at env step ')}"
        else:
            where = "the beginning, no checkpoint yet"
            where = f"env step {self.env_steps:,}" if self.saved else where
            yield f"resumed from {where}; {records}"
        if self.lead_in:
            steps = f"{self.env_steps:,} to {self.lead_in.until:,}"
            yield f"no checkpoint there: repeating its parent's env steps {steps} first; {records}"


def live_settings(config: Config) -> dict[str, Any]:
    """Return the settings that can change while a run is on, as configured."""
    return {name: getattr(config, name) for name in LIVE_SETTINGS}


def new_status(config: Config, begin: StartingPoint, registered: float | None) -> RunStatus:
    """Return the status of a learner that begins; ``registered`` is its environment's own threshold."""
    until = begin.replay.until if begin.replay else None
    return RunStatus(
        env_id=config.env_id,
        preset=config.preset,
        seed=config.seed,
        total_steps=until or config.total_steps,
        parent=begin.parent,
        threshold=registered if config.threshold == "auto" else float(config.threshold),
    )


def _load(learner: Learner, saved: Saved | None) -> str:
    if saved is None:
        return ""
    if learner.termination is not None and "termination" not in saved.parts:
        raise CheckpointError(
            f"{saved.name} was saved with a termination rule, and none is found for its environment now: "
            "enter it in RULES, see mbpo/envs/termination.py"
        )
    try:
        return learner.load_state_dict(saved.parts)
    except (RuntimeError, KeyError, ShapeError) as error:
        what = f"{saved.name} does not fit these settings"
        raise CheckpointError(f"{what}: {error!s:.100}") from None


def _changes(then: Any, now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, old in then.items():
        new, name = now.get(key), f"{path}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(old, new, f"{name}.")
        elif old != new:
            yield f"{name} was {old!s:.40}, is {new!s:.40}"
