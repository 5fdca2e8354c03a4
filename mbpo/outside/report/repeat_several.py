"""Say what is typed to have several runs again, their parents first, and in words what that takes besides."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mbpo.comparison.runs import Run
from mbpo.errors import ConfigError
from mbpo.outside.report.branches import branch_of, parent_of
from mbpo.outside.report.page import Lines, Section
from mbpo.outside.report.repeat import TRAIN, fork_flags, train_flags
from mbpo.runs.config_file import read_settings
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.manifest import Branch
from mbpo.runs.status import RunStatus, read_status

TYPED = "These commands, typed in an empty folder, make the runs again under their own names, and compare them."
BY_HAND = (
    "Changed by hand, which only the run's own folder tells; copy it there first, and --replay makes the run again "
    "under a new name and compares every record"
)
UNKNOWN = "A fork whose manifest.json does not tell what it changed, so that no command makes it; copy its folder there"
GONE = "Left by a fork and not to be found any more; the fork's command needs it there"
BESIDES = "Made as well, as forks branch off it"
EARLY = "Ended before its total_steps, to which its command goes on"
MODULES = "Modules that must lie there too, or where --module-path says"
MOST_NAMED = 10  # in a sentence


@dataclass(frozen=True)
class Source:
    """Hold a run that is to be made again, for itself or as the parent of a fork."""

    paths: RunPaths
    settings: Mapping[str, Any]
    status: RunStatus

    @cached_property
    def branch(self) -> Branch | None:
        """Return where it left its parent."""
        return branch_of(self.paths)

    @property
    def identity(self) -> str:
        """Return what tells it from others, whatever way leads to it."""
        return os.path.realpath(self.paths.root)

    @property
    def kept(self) -> bool:
        """Return whether only its own folder tells how it came about."""
        return self.status.interactive or self.unknown

    @property
    def unknown(self) -> bool:
        """Return whether it is a fork that does not tell what it changed."""
        return bool(self.status.parent) and self.branch is None and not self.status.interactive

    @property
    def parent(self) -> RunPaths | None:
        """Return the run that must be there before it, if any."""
        return None if self.branch is None or self.kept else parent_of(self.paths, self.branch)


@dataclass(frozen=True)
class Repetition:
    """Hold the runs of a page, and all that must be made for them, parents first."""

    runs: Sequence[Source]
    sources: Sequence[Source]
    gone: Sequence[str]  # parents that cannot be read

    @cached_property
    def folder(self) -> str:
        """Return where the commands' paths begin: the folder that holds the one with all runs."""
        return os.path.dirname(os.path.commonpath([source.paths.root.parent for source in self.sources]))  # noqa: PTH120

    def place(self, paths: RunPaths) -> str:
        """Return how the commands name a run."""
        return os.path.relpath(paths.root, self.folder)

    def places(self, sources: Sequence[Source]) -> list[str]:
        """Return how the commands name these runs."""
        return [self.place(source.paths) for source in sources]


def again_section(runs: Sequence[Run]) -> Section:
    """Return the section that says how runs are made again, and compared."""
    found = repetition_of(runs)
    named = shlex.join(found.places(found.runs))
    lines = [line for source in found.sources if (line := _line(found, source))]
    compared = [f"python -m mbpo.compare {named}", f"python -m mbpo.report {named}"]
    return Section("To repeat it", [TYPED, *_besides(found)], [Lines([*lines, *compared])])


def repetition_of(runs: Sequence[Run]) -> Repetition:
    """Return the runs with the parents that their forks need, each once."""
    own = [Source(run.paths, run.settings, run.status) for run in runs]
    found: dict[str, Source] = {}
    gone: dict[str, None] = {}
    for source in own:
        line = [source]  # up to an ancestor that is no fork, or that is there already; a circle ends, too
        while (paths := line[-1].parent) is not None:
            parent = _read(paths)
            if parent is None:
                gone[paths.run_id] = None
            if parent is None or parent.identity in {*found, *(each.identity for each in line)}:
                break
            line.append(parent)
        for each in reversed(line):
            found.setdefault(each.identity, each)
    return Repetition(own, list(found.values()), list(gone))


def _read(paths: RunPaths) -> Source | None:
    if not paths.root.is_absolute():  # no learner records such a place
        return None
    try:
        return Source(paths, read_settings(paths), read_status(paths) or RunStatus(state="finished"))
    except ConfigError:
        return None


def _line(found: Repetition, source: Source) -> str:
    """Return the command that makes a run again, nothing where there is none."""
    place = found.place(source.paths)
    root, name = os.path.split(place)
    into = [f"--runs-root={root}", f"--run-id={name}"]
    if source.unknown:
        return ""
    if source.kept:
        return shlex.join([*TRAIN, "--replay", place, into[0]])
    if source.branch is None or source.parent is None:
        return shlex.join([*TRAIN, *train_flags(source.settings), *into])
    there = source.branch.parent not in found.gone
    parent = found.place(source.parent) if there else os.path.join(root, source.branch.parent)  # noqa: PTH118
    whence = f"{parent}@{source.branch.fork_env_steps}"
    return shlex.join([*TRAIN, "--fork", whence, *fork_flags(source.branch), *into])


def _besides(found: Repetition) -> Iterator[str]:
    """Yield what must be there besides, and what comes out otherwise."""
    own = {source.identity for source in found.runs}
    about = {
        BY_HAND: found.places([source for source in found.sources if source.status.interactive]),
        UNKNOWN: found.places([source for source in found.sources if source.unknown]),
        GONE: found.gone,
        BESIDES: found.places([source for source in found.sources if source.identity not in own]),
        EARLY: found.places([source for source in found.sources if _ended_early(source)]),
        MODULES: sorted({module for source in found.sources for module in _modules(source.settings)}),
    }
    for what, names in about.items():
        if names:
            more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
            yield f"{what}: {', '.join(names[:MOST_NAMED])}{more}."


def _ended_early(source: Source) -> bool:
    return not source.kept and source.status.state != "finished"


def _modules(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the modules that an environment and its wrappers are in, as MODULE:NAME says."""
    for text in (settings["env_id"], *settings.get("wrappers", ())):
        module, colon, _ = str(text).partition(":")
        if colon:
            yield module
