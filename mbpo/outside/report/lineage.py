"""Say where a run comes from, and which runs branched off from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from mbpo.outside.report.branches import branch_of, parent_of
from mbpo.outside.report.page import Table
from mbpo.outside.report.run_charts import said_of
from mbpo.outside.report.run_facts import RunFacts
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import list_runs
from mbpo.runs.records.manifest import Branch
from mbpo.runs.status import read_status
from mbpo.settings.numbers import short

MOST_ANCESTORS = 50
MOST_BESIDE = 2000  # runs in the same folder that are looked at
MOST_FORKS = 100


@dataclass(frozen=True)
class Kin:
    """Hold one run of a family."""

    depth: int
    paths: RunPaths
    branch: Branch | None  # where it left its parent
    own: bool = False  # whether the report is of it


def lineage_table(facts: RunFacts) -> Table | None:
    """Return the run between its ancestors and its forks; None where it has neither."""
    ancestors = list(_ancestors(facts.paths, facts.manifest.branch))[::-1]
    own = Kin(len(ancestors), facts.paths, facts.manifest.branch, own=True)
    family = [*(Kin(depth, *found) for depth, found in enumerate(ancestors)), own, *_forks(own)]
    if not family[1:]:
        return None
    return Table(("run", "branched off at", "with", "evaluation"), [_row(one) for one in family], frozenset({1, 3}))


def _ancestors(paths: RunPaths, branch: Branch | None) -> Iterator[tuple[RunPaths, Branch | None]]:
    """Yield the parent, its parent and so on."""
    seen = {paths.run_id}
    while branch is not None and branch.parent not in seen and len(seen) < MOST_ANCESTORS:
        seen.add(branch.parent)
        paths = parent_of(paths, branch)
        branch = branch_of(paths)
        yield paths, branch


def _forks(own: Kin) -> Iterator[Kin]:
    """Yield the run's forks, each before its own forks."""
    children: dict[str, list[RunPaths]] = {}
    for paths, status in islice(list_runs(own.paths.root.parent), MOST_BESIDE):
        if status.parent:
            children.setdefault(status.parent.rpartition("@")[0], []).append(paths)
    waiting, seen = [own], {own.paths.run_id}
    while waiting and len(seen) < MOST_FORKS:
        one = waiting.pop()
        if one is not own:
            yield one
        found = [paths for paths in children.get(one.paths.run_id, ()) if paths.run_id not in seen]
        seen |= {paths.run_id for paths in found}
        waiting += [Kin(one.depth + 1, paths, branch_of(paths)) for paths in reversed(found)]


def _row(one: Kin) -> tuple[str, str, str, str]:
    status = read_status(one.paths)
    value = None if status is None else status.eval_return
    changes: Mapping[str, object] = one.branch.fork_changes if one.branch else {}
    return (
        "↳ " * one.depth + one.paths.run_id + (" (this run)" if one.own else ""),
        f"{one.branch.fork_env_steps:,}" if one.branch else "—",
        said_of(changes) or ("the same settings" if one.branch else "—"),
        "—" if value is None else short(value, 4),
    )
