"""Choose among the runs found those that can be compared, and say what is left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from mbpo.comparison.figures import Figures
from mbpo.comparison.groups import Group
from mbpo.comparison.runs import Run, read_run
from mbpo.errors import ConfigError
from mbpo.runs.about import read_about
from mbpo.runs.layout import RunPaths

FEW_SEEDS = 5


@dataclass(frozen=True)
class Wanted:
    """Say which of the runs found count, by what people said of them."""

    tags: tuple[str, ...] = ()  # a run has all of these
    archived: bool = False  # whether those put away count too

    def of(self, found: Sequence[RunPaths]) -> tuple[list[RunPaths], list[str]]:
        """Return the runs that count, and notes on those that do not.

        Raises:
            ConfigError: none does.
        """
        said = {paths: read_about(paths) for paths in found}
        away = [paths for paths, about in said.items() if about.archived and not self.archived]
        kept = [paths for paths, about in said.items() if paths not in away and {*self.tags} <= {*about.tags}]
        if not kept:
            have = f"has the tag {' and '.join(self.tags)}" if self.tags else "is not archived; give --archived"
            raise ConfigError(f"expected at least one run, but of {counted(len(found), 'run')} found none {have}")
        notes = [f"{counted(len(away), 'archived run')} left out; --archived counts them"] if away else []
        return kept, notes


def usable_runs(found: Iterable[RunPaths], metric: str, others: Collection[str] = ()) -> tuple[list[Run], list[str]]:
    """Return the runs that have the metric, and notes on those left out or not at their end.

    Raises:
        ConfigError: none has it.
    """
    runs = [read_run(paths, metric, others) for paths in found]
    usable = [run for run in runs if run.curve.values.size]
    if not usable:
        raise ConfigError(
            f"expected at least one evaluation, but no row of metrics.jsonl has {metric} in "
            f"{counted(len(runs), 'run')} yet; wait for eval_every env steps, or give --metric"
        )
    return usable, [note for run in runs for note in _run_notes(run, metric)]


def _run_notes(run: Run, metric: str) -> list[str]:
    state, curve = run.status.derived_state(), run.curve
    where = f"at {curve.end_env_steps:,.0f} of {run.settings['total_steps']:,} env steps"
    if not curve.values.size:
        return [f"{run.name} is left out: {state} {where} without {metric}"]
    notes = []
    if state != "finished":
        notes.append(f"{run.name} is {state} {where}")
    if curve.without_value:
        rows = counted(curve.without_value, "row")
        notes.append(f"{run.name}: {rows} of {metric} without a finite value left out")
    return notes


def by_env(groups: Sequence[Group]) -> list[list[Group]]:
    """Return the groups of each environment, in order."""
    gathered: dict[str, list[Group]] = {}
    for group in groups:
        gathered.setdefault(group.env_id, []).append(group)
    return list(gathered.values())


def cautions_of(all_figures: Sequence[Figures]) -> list[str]:
    """Say where figures stand on too few seeds."""
    fewest = min(score.seeds for figures in all_figures for score in figures.scores)
    if fewest >= FEW_SEEDS:
        return []
    return [
        f"some figures stand on {counted(fewest, 'seed')}; of fewer than {FEW_SEEDS} seeds the intervals of IQM and P "
        "are too narrow (IQM's of 3 seeds holds the true value in 75 % of experiments), and one seed has none"
    ]


def counted(number: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{number} {noun}" + "s" * (number != 1)
