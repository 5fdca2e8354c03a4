"""Fold runs that differ in their seed only into groups, each with a line of its own. Pure functions of rows."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mbpo.comparison.alike import IGNORED
from mbpo.comparison.groups import fork_name, names_apart, with_origins
from mbpo.comparison.statistics import iqm
from workbench.dials import label
from workbench.fork_tree import origin
from workbench.group_figures import GroupAsked, GroupScore
from workbench.messages import RunRow

PREFIX = "group:"  # a run's path is whole, so that none begins so
BROKEN = frozenset({"failed", "diverged", "lost", "unreadable"})


@dataclass(frozen=True)
class RunGroup:
    """Hold runs with the same settings, by seed, of one seed the newest first."""

    path: Path  # stands for it where a run's path would
    name: str
    rows: tuple[RunRow, ...]

    @property
    def seeds(self) -> tuple[RunRow, ...]:
        """Return the newest run of each seed: older ones are no further evidence."""
        newest: dict[int, RunRow] = {}
        for row in self.rows:
            newest.setdefault(row.seed, row)
        return tuple(newest.values())

    def asked(self, drawn: bool) -> GroupAsked:
        """Return what is to be read of it."""
        seeds = tuple((row.seed, row.path, row.active) for row in self.seeds)
        return GroupAsked(self.path, self.rows[0].env_id, seeds, drawn)


@dataclass(frozen=True)
class GroupRow(RunRow):
    """Be the line of a group in the table. Figures are those of its seeds together."""

    group: RunGroup = field(default_factory=lambda: RunGroup(Path(), "", ()))
    score: GroupScore = GroupScore()
    unfolded: bool = False

    @property
    def estimated(self) -> bool:
        """Return whether the evaluation is that of each seed's newest, not yet at a step that all share."""
        return not (self.score.read and math.isfinite(self.score.iqm))

    @property
    def fates(self) -> tuple[int, int, int]:
        """Return how many seeds are solved, at work, and failed."""
        seeds = self.group.seeds
        solved = sum(row.solved_at is not None for row in seeds)
        return solved, sum(row.active for row in seeds), sum(row.state in BROKEN for row in seeds)


def is_group(path: Path | None) -> bool:
    """Return whether a path stands for a group."""
    return path is not None and str(path).startswith(PREFIX)


def is_run(path: Path | None) -> bool:
    """Return whether a path is a run's, not one that stands for several."""
    return path is not None and path.is_absolute()


def groups_of(
    rows: Iterable[RunRow], every: Iterable[RunRow], *, place: str = "", least: int = 2
) -> tuple[RunGroup, ...]:
    """Return the groups of ``least`` runs and more among ``rows``, in the order of their first run.

    Groups of the same settings in two places, as two studies, are two: a ``place`` tells their paths apart.

    Forks are of one group where those that they branched off are, or are the same run, at the same env step: for that
    ``every`` run is needed. A run that was changed by hand repeats nothing and stands alone.
    """
    known = {row.run_id: row for row in every}
    keys: dict[str, str] = {}
    gathered: dict[str, list[RunRow]] = {}
    for row in rows:
        if key := _key(row, known, keys):
            gathered.setdefault(key, []).append(row)
    found = [same for same in gathered.values() if len(same) >= least]
    paths = [_path_of(place + _key(same[0], known, keys)) for same in found]
    return tuple(
        RunGroup(path, name, tuple(sorted(same, key=lambda row: (row.seed, -row.started))))
        for path, name, same in zip(paths, _names(found), found, strict=True)
    )


def _path_of(text: str) -> Path:
    return Path(PREFIX + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16])


def _key(row: RunRow, known: Mapping[str, RunRow], keys: dict[str, str]) -> str:
    """Return a text that is the same for the runs of a group; nothing where a run stands alone."""
    chain, at = list[RunRow](), row
    while at.run_id not in keys:
        chain.append(at)
        keys[at.run_id] = at.run_id  # a circle, which no learner makes, ends here
        parent = known.get(origin(at.parent)[0])
        if parent is None:
            break
        at = parent
    for each in reversed(chain):
        name, step = origin(each.parent)
        history = f"{keys.get(name, name)}@{step}" if name else ""
        keys[each.run_id] = f"{each.alike} {history}" if each.alike and not each.interactive else f"={each.run_id}"
    key = keys[row.run_id]
    return "" if key.startswith("=") else key


def _names(found: Sequence[Sequence[RunRow]]) -> list[str]:
    settings = [
        {**same[0].settings, **({"fork": fork_name(same[0].parent)} if same[0].parent else {})} for same in found
    ]
    for own in settings:
        for name in IGNORED:
            own.pop(name, None)
    origins = with_origins(settings, [same[0].parent for same in found])
    return names_apart(origins, label) if origins else []


def group_row(group: RunGroup, score: GroupScore, unfolded: bool) -> GroupRow:
    """Return the line of a group."""
    seeds = group.seeds
    states = Counter(row.state for row in seeds)
    lead = next((row for row in seeds if row.active), seeds[0])
    last = [row.eval_return for row in seeds if row.eval_return is not None]
    best = [row.best_return for row in seeds if row.best_return is not None]
    row = GroupRow(
        path=group.path,
        state=lead.state if lead.active else states.most_common(1)[0][0],
        env_id=lead.env_id,
        preset=lead.preset,
        seed=-1,
        env_steps=min(row.env_steps for row in seeds),
        total_steps=max(row.total_steps for row in seeds),
        best_return=max(best, default=None),
        steps_per_s=sum(row.steps_per_s for row in seeds if row.active),
        started=min(row.started for row in seeds),
        heartbeat=max(row.heartbeat for row in seeds),
        interactive=False,
        controls=lead.controls if all(row.controls == lead.controls for row in seeds) else {},
        threshold=lead.threshold,
        parent=lead.parent,
        name=group.name,
        settings=lead.settings,
        group=group,
        score=score,
        unfolded=unfolded,
    )
    newest = float(iqm(np.array(last))) if last else None
    return replace(row, eval_return=newest if row.estimated else score.iqm)


def folded(
    rows: Sequence[RunRow],
    groups: Iterable[RunGroup],
    scores: Mapping[Path, GroupScore],
    unfolded: Iterable[Path],
    in_order: Callable[[Sequence[RunRow]], Sequence[RunRow]],
) -> tuple[RunRow, ...]:
    """Return the lines of a table: a group's where its first run would be, its runs below it where it is unfolded."""
    group_at = {row.path: group for group in groups for row in group.rows}
    opened = set(unfolded)
    tops: dict[Path, RunRow] = {}
    for row in rows:
        group = group_at.get(row.path)
        if group is None:
            tops[row.path] = replace(row, lines="")
        elif group.path not in tops:
            score = scores.get(group.path, GroupScore(of=len(group.seeds)))
            tops[group.path] = group_row(group, score, group.path in opened)
    lines: list[RunRow] = []
    for top in in_order(tuple(tops.values())):
        lines.append(top)
        if isinstance(top, GroupRow) and top.unfolded:
            members = in_order(top.group.rows)
            lines += [replace(row, lines="└" if row is members[-1] else "├") for row in members]
    return tuple(lines)
