"""Define what passes from the reader thread to the screens: frozen readings, in messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textual.message import Message

from mbpo.runs.about import About
from mbpo.runs.what_ifs import WhatIfs
from mbpo.settings.config import LIVE_SETTINGS
from mbpo.settings.language import tr
from workbench.group_figures import GroupsRead
from workbench.series import NO_POINTS, Points
from workbench.studies_found import StudyFound

__all__ = [
    "ACTIVE",
    "DEAF",
    "NO_POINTS",
    "RESUMABLE",
    "CommandSent",
    "Points",
    "ReaderFault",
    "Reading",
    "RunDetail",
    "RunRow",
    "RunsRead",
]

ACTIVE = frozenset({"launching", "starting", "running", "paused", "stopping"})
DEAF = frozenset({"stopped", "finished", "failed", "diverged", "lost", "unreadable"})
RESUMABLE = ("lost", "stopped", "failed", "diverged")


@dataclass(frozen=True)
class RunRow:
    """Hold what a listing shows of one run; text is as found, not yet safe."""

    path: Path
    state: str
    phase: str = ""
    env_id: str = ""
    preset: str = ""
    seed: int = 0
    env_steps: int = 0
    total_steps: int = 0
    last_return: float | None = None
    eval_return: float | None = None
    best_return: float | None = None  # of the evaluations
    threshold: float | None = None
    solved_at: int | None = None  # env step
    recent: tuple[float, ...] = ()
    steps_per_s: float = 0.0
    started: float = 0.0
    heartbeat: float = 0.0
    revision: int = 0
    interactive: bool = False
    controls: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    exit_code: int | None = None
    parent: str = ""  # RUN@STEP that it is a fork of
    lines: str = ""  # of the tree, where its parent stands above it
    name: str = ""  # below the runs root, of a run in a folder there
    about: About = About()  # what people say of it
    settings: Mapping[str, Any] = field(default_factory=dict)  # of its config.toml, once that was read
    alike: str = ""  # the same for runs whose settings differ in nothing but the seed; nothing before they were read

    @property
    def run_id(self) -> str:
        """Return the run's name as found, with the folders that it is in below the runs root."""
        return self.name or self.path.name

    @property
    def titled(self) -> str:
        """Return what people call the run: its title, else its name."""
        return self.about.title or self.run_id

    def setting(self, name: str) -> Any:
        """Return a setting as it stands: changed live, else configured; None where that is not known."""
        live = self.controls.get(name) if name in LIVE_SETTINGS else None
        return self.settings.get(name) if live is None else live

    @property
    def active(self) -> bool:
        """Return whether a learner is at work here, as far as one can tell."""
        return self.state in ACTIVE

    @property
    def answers(self) -> bool:
        """Return whether a command sent now can still be answered."""
        return self.state not in DEAF

    @property
    def further(self) -> str:
        """Say which keys lead on from a run that takes no commands any more."""
        return tr("g goes on with it, f forks it") if self.state in RESUMABLE else tr("f forks it")


@dataclass(frozen=True)
class RunDetail:
    """Hold everything shown of the selected run."""

    path: Path
    version: int  # differs whenever the rest does
    series: Mapping[str, Points] = field(default_factory=dict)
    clock: Points = NO_POINTS  # the learner's seconds at its rows: at work, without what lay between two attempts
    events: tuple[Mapping[str, Any], ...] = ()
    log: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """The live settings in force at each env step that has a checkpoint, in order."""
    what_ifs: WhatIfs = WhatIfs()
    bad_lines: int = 0
    unread: bool = False  # whether more of the file is still to come

    def last(self, key: str) -> float:
        """Return the newest value of a metric, NaN when it has none."""
        points = self.series.get(key)
        return points.last if points is not None else float("nan")


@dataclass(frozen=True)
class Reading:
    """Hold the runs under the root, the selected one in full, the curves of those compared, groups, and studies."""

    rows: tuple[RunRow, ...] = ()
    detail: RunDetail | None = None
    compared: Mapping[Path, RunDetail] = field(default_factory=dict)
    groups: GroupsRead = GroupsRead()
    studies: tuple[StudyFound, ...] = ()


class RunsRead(Message):
    """Bring a reading; one that waits is replaced by the next."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading

    def can_replace(self, message: Message) -> bool:
        """Let a newer reading take this one's place in the queue."""
        return isinstance(message, RunsRead)


class ReaderFault(Message):
    """Tell that the reader thread met an error; training goes on."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class CommandSent(Message):
    """Tell that a command lies in the run's inbox, or why it does not."""

    def __init__(self, token: int, path: Path, command_id: str = "", fault: str = "") -> None:
        super().__init__()
        self.token = token
        self.path = path
        self.command_id = command_id
        self.fault = fault
