"""Set groups of seeds side by side: which are compared, how their settings differ, who does better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mbpo.comparison.alike import IGNORED
from mbpo.settings.config import SETTINGS
from mbpo.settings.language import tr
from workbench.dials import label
from workbench.format import setting_value
from workbench.group_figures import GroupAsked, GroupDetail, GroupScore, GroupsRead, Versus
from workbench.messages import RunRow
from workbench.run_groups import RunGroup
from workbench.side_by_side import LEAST_TELLING, MOST_TELLING

MOST_PAIRED = 8  # groups up to which each is set against each


@dataclass(frozen=True, eq=False)
class GroupCompared:
    """Hold a group that is in focus or marked, or a run that is marked beside groups: a group of one seed."""

    path: Path
    name: str
    seeds: tuple[RunRow, ...]
    letter: str = ""
    focused: bool = False
    folded: bool = True  # whether it is a group
    detail: GroupDetail = GroupDetail(0)
    score: GroupScore = GroupScore()

    @property
    def asked(self) -> GroupAsked:
        """Return what is to be read of it."""
        seeds = tuple((row.seed, row.path, row.active) for row in self.seeds)
        return GroupAsked(self.path, self.seeds[0].env_id, seeds, drawn=True)

    @property
    def title(self) -> str:
        """Return its name and how many seeds it has."""
        return f"{self.name} ×{len(self.seeds)}" if self.folded else self.name

    @property
    def remark(self) -> str:
        """Say why its figures end where they do: a seed that ended before the others, or has no evaluation."""
        if self.detail.read < self.detail.of:
            return tr("{n} of {of} seeds are read.", n=self.detail.read, of=self.detail.of)
        if not self.folded or math.isnan(self.score.at):
            return tr("No env step yet at which all its seeds were evaluated.") if self.folded else ""
        ahead = max(row.env_steps for row in self.seeds)
        behind = min(self.seeds, key=lambda row: row.env_steps)
        if behind.env_steps < ahead and not behind.active:
            return tr(
                "Seed {seed} ({state}) ends at {at:,}, and so does the band: / not name={name} leaves it out.",
                seed=behind.seed,
                state=tr(behind.state),
                at=behind.env_steps,
                name=behind.run_id,
            )
        missing = self.score.of - self.score.seeds
        if not missing:
            return ""
        return tr("{n} of {of} seeds have no evaluation and do not count.", n=missing, of=self.score.of)


@dataclass(frozen=True)
class GroupComparison:
    """Hold the groups compared, by letter, the one in focus last where it has none."""

    groups: tuple[GroupCompared, ...] = ()
    versus: Mapping[tuple[Path, Path], Versus] | None = None
    version: int = 0

    @property
    def focus(self) -> GroupCompared | None:
        """Return the group in focus."""
        return next((group for group in self.groups if group.focused), None)

    @property
    def against(self) -> tuple[GroupCompared, ...]:
        """Return those against which the others are set: all, of many the one in focus, or else the first."""
        return self.groups if len(self.groups) <= MOST_PAIRED else (self.focus or self.groups[0],)

    @property
    def asked(self) -> dict[Path, GroupAsked]:
        """Return what is to be read of each."""
        alone = self.against if len(self.groups) > MOST_PAIRED else ()
        return {group.path: replace(group.asked, against=group in alone) for group in self.groups}

    @property
    def differences(self) -> dict[str, tuple[str, ...]]:
        """Return the settings in which the groups differ, each with its values by letter."""
        found = {}
        rest = sorted(SETTINGS, key=lambda name: SETTINGS[name].group in LEAST_TELLING)
        for name in dict.fromkeys((*MOST_TELLING, *rest)):
            if name in IGNORED:
                continue
            values = tuple(_shown(group.seeds[0].setting(name)) for group in self.groups)
            if len(set(values) - {""}) > 1:
                found[label(name)] = tuple(value or "–" for value in values)
        return found

    def better(self, one: GroupCompared, other: GroupCompared) -> Versus | None:
        """Return how often a seed of one does better than one of another; None where that is not known."""
        return (self.versus or {}).get((one.path, other.path))


def compare_groups(
    rows: tuple[RunRow, ...],
    groups: tuple[RunGroup, ...],
    letters: Mapping[Path, str],
    focus: Path | None,
    read: GroupsRead,
) -> GroupComparison:
    """Return what is marked and in focus as groups; nothing where no group is among them."""
    by_path = {group.path: group for group in groups}
    wanted = dict.fromkeys((*letters, *([focus] if focus is not None else [])))
    if not any(path in by_path for path in wanted):
        return GroupComparison()
    known = {row.path: row for row in rows}
    found = []
    for path in wanted:
        letter, focused = letters.get(path, ""), path == focus
        if (group := by_path.get(path)) is not None:
            found.append(GroupCompared(path, group.name, group.seeds, letter, focused))
        elif (row := known.get(path)) is not None:
            found.append(GroupCompared(path, row.titled, (row,), letter, focused, folded=False))
    scored = tuple(
        replace(
            group,
            detail=read.details.get(group.path, GroupDetail(0, of=len(group.seeds))),
            score=read.common.get(group.path) or read.scores.get(group.path, GroupScore()),
        )
        for group in found
    )
    return GroupComparison(scored, read.versus, read.version)


def _shown(value: object) -> str:
    return "" if value is None else setting_value(value)
