"""Set runs side by side: what they share, how their settings differ, what is fair to compare."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from mbpo.errors import ConfigError
from mbpo.settings.config import LIVE_SETTINGS, SETTINGS
from workbench.dials import label
from workbench.fork_tree import descent, shared
from workbench.format import setting_value
from workbench.messages import NO_POINTS, Points, RunDetail, RunRow
from workbench.series import Floats

EVALUATION = ("eval/return_mean", "eval/return_std")  # the metrics that a comparison needs, drawn or not
MOST_TELLING = ("rollout_length", "real_ratio", "seed", "env_id", "algo")
LEAST_TELLING = ("run", "evaluation")  # groups of settings


@dataclass(frozen=True, eq=False)
class Compared:
    """Hold one of the runs compared. ``letter`` is empty where it is in focus and not marked."""

    row: RunRow
    detail: RunDetail
    letter: str = ""
    focused: bool = False

    def points(self, key: str) -> Points:
        """Return one of the run's metrics."""
        return self.detail.series.get(key, NO_POINTS)

    def setting(self, name: str) -> str:
        """Return a setting as it stands: changed live, else configured; ``?`` where it is none."""
        live = self.row.controls.get(name) if name in LIVE_SETTINGS else None
        value = self.detail.config.get(name) if live is None else live
        if value is None:
            return ""
        try:
            return setting_value(SETTINGS[name].check(value))
        except ConfigError:
            return "?"

    def evaluation_at(self, step: float) -> tuple[float, float]:
        """Return mean and standard deviation of the last evaluation at an env step, else NaN."""
        mean, std = map(self.points, EVALUATION)
        return _at(mean, step), _at(std, step)

    @property
    def evaluated(self) -> Floats:
        """Return the env steps that have an evaluation."""
        points = self.points(EVALUATION[0])
        return points.x[np.isfinite(points.y)]


@dataclass(frozen=True)
class Comparison:
    """Hold the runs compared, those that others branched off from first."""

    runs: tuple[Compared, ...] = ()
    descents: tuple[Mapping[str, float], ...] = ()

    @property
    def by_letter(self) -> tuple[Compared, ...]:
        """Return the runs in the order of their letters, one without a letter last."""
        return tuple(sorted(self.runs, key=lambda run: run.letter or "~"))

    @property
    def common_step(self) -> float:
        """Return the last env step at which every run has been evaluated, NaN where none is."""
        common = reduce(_common, [run.evaluated for run in self.runs] or [np.zeros(0)])
        return float(common[-1]) if len(common) else math.nan

    @property
    def differences(self) -> dict[str, tuple[str, ...]]:
        """Return the settings in which the runs differ, each with its values by letter.

        A setting that a run does not tell makes no difference.
        """
        found = {}
        rest = sorted(SETTINGS, key=lambda name: SETTINGS[name].group in LEAST_TELLING)
        for name in dict.fromkeys((*MOST_TELLING, *rest)):
            values = tuple(run.setting(name) for run in self.by_letter)
            if len(set(values) - {""}) > 1:
                found[label(name)] = tuple(value or "–" for value in values)
        return found

    def first_own(self, run: Compared, key: str) -> int:
        """Return the index of the first point of a metric that no run before it has.

        The rows up to a fork's env step are its parent's: they belong to the first that has them.
        """
        index = self.runs.index(run)
        begin = max((self._one_until(other, index, key) for other in range(index)), default=-math.inf)
        return int(np.searchsorted(run.points(key).x, begin, side="right"))

    def _one_until(self, other: int, index: int, key: str) -> float:
        """Return the env step up to which another run has the same points, as far as it has any."""
        x = self.runs[other].points(key).x
        newest = float(x[-1]) if len(x) else -math.inf
        return min(shared(self.descents[other], self.descents[index]), newest)


def compare(
    rows: Iterable[RunRow],
    letters: Mapping[Path, str],
    curves: Mapping[Path, RunDetail],
    focus: Path | None,
    detail: RunDetail | None,
) -> Comparison:
    """Return the marked runs and the one in focus side by side.

    ``rows`` are all runs, parents first; ``curves`` those of the marked.
    """
    rows = tuple(rows)
    known = {row.run_id: row for row in rows}
    read = {focus: detail} if focus is not None and detail is not None else {}
    runs = tuple(
        Compared(
            row, {**read, **curves}.get(row.path, RunDetail(row.path, 0)), letters.get(row.path, ""), row.path == focus
        )
        for row in rows
        if row.path in letters or row.path == focus
    )
    return Comparison(runs, tuple(descent(run.row, known) for run in runs))


def _common(some: Floats, others: Floats) -> Floats:
    """Return those of ``some`` that are among ``others``; both are in order."""
    if not len(others):
        return others
    nearest = np.minimum(np.searchsorted(others, some), len(others) - 1)
    return np.asarray(some[others[nearest] == some])


def _at(points: Points, step: float) -> float:
    index = int(np.searchsorted(points.x, step, side="right")) - 1
    return float(points.y[index]) if index >= 0 and points.x[index] == step else math.nan
