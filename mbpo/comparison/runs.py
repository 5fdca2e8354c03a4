"""Read from a run directory what a comparison needs: settings, seed and a curve."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mbpo.comparison.statistics import Array
from mbpo.errors import RecordError
from mbpo.runs.about import About, read_about
from mbpo.runs.config_file import read_settings
from mbpo.runs.kept_columns import KeptColumns
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import read_json
from mbpo.runs.records.manifest import Manifest
from mbpo.runs.rows import MetricLines, plain_number, rows_in
from mbpo.runs.status import RunStatus, read_status
from mbpo.settings.setting import shown


@dataclass(frozen=True)
class Curve:
    """Hold one metric of one run where it was measured, and where the run ends so far."""

    env_steps: Array  # [N], rising
    time_s: Array  # [N], wall seconds since the run began
    values: Array  # [N], finite
    end_env_steps: float
    end_time_s: float
    without_value: int  # rows whose value was not finite; they are left out

    def along(self, by: str) -> tuple[Array, float]:
        """Return where the values stand on axis ``by``, env_steps or time_s, and its end."""
        if by == "time_s":
            return self.time_s, self.end_time_s
        return self.env_steps, self.end_env_steps


@dataclass(frozen=True)
class Run:
    """Hold one run: what it was asked to do, how far it came, and one of its metrics."""

    paths: RunPaths
    settings: Mapping[str, Any]  # every setting, those missing in an older run at their default
    manifest: Manifest  # empty where there is none to read
    status: RunStatus
    curve: Curve
    about: About = About()  # what people say of it
    others: Mapping[str, Curve] = field(default_factory=dict)  # further metrics

    @property
    def name(self) -> str:
        """Return the run's title, where it has one, and its name, in printable characters."""
        name = shown(self.paths.run_id)
        return f"{shown(self.about.title)} ({name})" if self.about.title else name

    @property
    def seed(self) -> int:
        """Return the seed of its random streams."""
        return int(self.settings["seed"])


def read_run(paths: RunPaths, metric: str, others: Collection[str] = ()) -> Run:
    """Return the run with its curve of ``metric`` and of ``others``, which may still be empty.

    Raises:
        ConfigError: its config.toml cannot be used.
    """
    settings = read_settings(paths)
    status = read_status(paths) or RunStatus(state="finished")
    curves = read_curves(paths, [metric, *others])
    rest = {key: curves[key] for key in others}
    return Run(paths, settings, _manifest(paths), status, curves[metric], read_about(paths), rest)


def read_curve(paths: RunPaths, metric: str) -> Curve:
    """Return where and what ``metric`` was in every row of metrics.jsonl that counts so far."""
    return read_curves(paths, [metric])[metric]


def read_curves(paths: RunPaths, metrics: Collection[str]) -> dict[str, Curve]:
    """Return the curve of each of ``metrics``, read at once."""
    kept = {metric: KeptColumns("ddd") for metric in metrics}
    end = end_time = 0.0
    for row in rows_in(MetricLines(paths.metrics)):
        for columns in kept.values():
            columns.take_in(row)
        env_steps, time_s = row.get("env_steps"), row.get("time_s")
        if not (plain_number(env_steps) and plain_number(time_s)):
            continue
        end, end_time = float(env_steps), float(time_s)  # type: ignore[arg-type]
        for metric in kept.keys() & row.keys():
            value = float(row[metric]) if plain_number(row[metric]) else math.nan
            kept[metric].append(end, end_time, value)
    return {metric: _curve(columns, end, end_time) for metric, columns in kept.items()}


def _curve(kept: KeptColumns, end: float, end_time: float) -> Curve:
    without_value = sum(map(math.isnan, kept.columns[2]))
    points = [np.frombuffer(column) if column else np.zeros(0) for column in _risen(kept.columns)]
    return Curve(points[0], points[1], points[2], end, end_time, without_value)


def _risen(points: tuple[array[float], ...]) -> tuple[array[float], ...]:
    """Keep of points (env steps, time, value), in place, those with a value: of one env step the newest."""
    env_steps, held = points[0], 0
    for point in zip(*points, strict=True):
        if math.isnan(point[2]):
            continue
        while held and env_steps[held - 1] >= point[0]:
            held -= 1
        for column, number in zip(points, point, strict=True):
            column[held] = number
        held += 1
    for column in points:
        del column[held:]
    return points


def _manifest(paths: RunPaths) -> Manifest:
    try:
        return fitted(Manifest, read_json(paths.manifest))
    except RecordError:
        return Manifest()
