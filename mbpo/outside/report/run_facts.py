"""Read once all that a report says of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mbpo.comparison.chosen import counted
from mbpo.errors import ConfigError, MBPOError, RecordError
from mbpo.outside.report.chart import Array
from mbpo.outside.report.in_force import SETTING_OF, turns_in, with_turns
from mbpo.runs.about import About, read_about
from mbpo.runs.config_file import read_settings
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import RunReader
from mbpo.runs.records.event import Answer, answer_in
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import read_json
from mbpo.runs.records.manifest import Manifest, read_manifest
from mbpo.runs.status import RunStatus, read_status

Points = tuple[Array, Array]  # env steps, finite values


@dataclass(frozen=True)
class Change:
    """Hold a change of settings that a learner took over."""

    at: int  # env step from which it holds
    by: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]


@dataclass(frozen=True)
class RunFacts:
    """Hold a run as it stands on disk."""

    paths: RunPaths
    settings: Mapping[str, Any]
    manifest: Manifest
    status: RunStatus
    about: About
    reader: RunReader

    @property
    def run_id(self) -> str:
        """Return its name."""
        return self.paths.run_id

    @property
    def title(self) -> str:
        """Return what people call it, and its name."""
        return f"{self.about.title} ({self.run_id})" if self.about.title else self.run_id

    @property
    def state(self) -> str:
        """Return how it stands."""
        return self.status.derived_state()

    @property
    def env_steps(self) -> int:
        """Return how far it came."""
        return max(int(self.reader.env_steps), self.status.env_steps)

    def points(self, key: str) -> Points:
        """Return where a metric has values, and these."""
        series = self.reader.series.get(key)
        if series is None:
            return np.zeros(0), np.zeros(0)
        x, y = np.array(series.env_steps), np.array(series.values)
        return x[np.isfinite(y)], y[np.isfinite(y)]

    def has(self, key: str) -> bool:
        """Return whether a metric has a value."""
        return self.points(key)[1].size > 0

    @cached_property
    def latest(self) -> dict[str, float | None]:
        """Return the newest value of each metric."""
        return {key: s.last for key, s in self.reader.series.items() if not math.isnan(s.last)}

    def in_force(self, key: str) -> Points:
        """Return of a metric that logs a setting where each of its values began to hold, and these."""
        x, y = self.points(key)
        if key not in SETTING_OF or self.settings["algo"] != "mbpo":  # which alone has a k
            return x, y
        return with_turns(x, y, turns_in(self.answers, self.manifest.branch, SETTING_OF[key]), self.env_steps)

    @cached_property
    def answers(self) -> list[Answer]:
        """Return what the learner answered that changed settings, as it came."""
        return [answer for answer in map(answer_in, self.reader.events) if answer is not None and answer.change]

    @cached_property
    def changes(self) -> list[Change]:
        """Return the changes made by hand, in order."""
        found = [Change(a.at_env_steps, a.by or "", a.old or {}, a.change or {}) for a in self.answers]
        return sorted(found, key=lambda change: change.at)

    def events(self, *names: str) -> Iterator[Mapping[str, Any]]:
        """Yield the events of these names."""
        return (event for event in self.reader.events if event.get("event") in names)


def read_run_facts(paths: RunPaths) -> RunFacts:
    """Return what is on disk of a run.

    Raises:
        ConfigError: its config.toml cannot be used, or no row of metrics is there yet.
    """
    settings = read_settings(paths)
    reader = RunReader(paths.root)
    while reader.poll():
        pass
    if not reader.series:
        damaged = f", and {counted(reader.bad_lines, 'damaged line')}" if reader.bad_lines else ""
        raise ConfigError(
            f"expected rows in {paths.run_id}/metrics.jsonl, but there are none{damaged}; "
            f"the first comes after {settings['log_every']:,} env steps"
        )
    status = read_status(paths) or RunStatus(state="finished", env_steps=int(reader.env_steps))
    return RunFacts(paths, settings, _manifest(paths), status, read_about(paths), reader)


def _manifest(paths: RunPaths) -> Manifest:
    """Return the manifest; of a damaged one what can be read."""
    try:
        return read_manifest(paths.manifest)
    except MBPOError:
        try:
            return fitted(Manifest, read_json(paths.manifest))
        except RecordError:
            return Manifest()
