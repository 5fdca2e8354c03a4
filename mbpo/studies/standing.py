"""Say how far each run of a study has come, from the run directories alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mbpo.comparison.alike import IGNORED
from mbpo.errors import ConfigError
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import ENDED, RunStatus, read_status
from mbpo.settings.config import resolve_run
from mbpo.settings.setting import shown
from mbpo.studies.study import Study, StudyRun

MISSING, AT_WORK, CUT_OFF, FINISHED, FAILED, DIVERGED, GIVEN_UP = (
    "missing",
    "at work",
    "cut off",
    "finished",
    "failed",
    "diverged",
    "given up",
)
DONE = (FINISHED, DIVERGED, GIVEN_UP)  # states that a study leaves alone
DECIDED_HERE = frozenset({"precision", "device"})  # each machine decides what auto is


@dataclass(frozen=True)
class Standing:
    """Hold a run of a study and what is there of it."""

    run: StudyRun
    paths: RunPaths
    status: RunStatus | None = None

    @property
    def state(self) -> str:
        """Return what has become of the run."""
        state = MISSING if self.status is None else standing_of(self.status.derived_state())
        return GIVEN_UP if state == CUT_OFF and self.run.given_up else state

    @property
    def env_steps(self) -> int:
        """Return the env steps that are done."""
        return 0 if self.status is None else self.status.env_steps

    @property
    def total_steps(self) -> int:
        """Return the env steps of the whole run."""
        return self.run.config.total_steps

    @property
    def reason(self) -> str:
        """Return why it failed."""
        return "" if self.status is None else self.status.reason


def standing_of(state: str) -> str:
    """Return what the state of a run, as a reader derives it, is to its study."""
    if state in (FINISHED, FAILED, DIVERGED):
        return state
    return CUT_OFF if state in (*ENDED, "lost", "silent") else AT_WORK


def standings(study: Study, folder: Path) -> list[Standing]:
    """Return how each run of a study stands; ``folder`` is that of its runs."""
    found = [RunPaths(folder / run.run_id) for run in study.runs]
    return [Standing(run, paths, read_status(paths)) for run, paths in zip(study.runs, found, strict=True)]


def check_same(found: Sequence[Standing]) -> None:
    """Check that the runs that are there have the settings of the study: they are gone on with by their own.

    Raises:
        ConfigError: one has others.
    """
    for one in found:
        if one.status is None or not one.paths.config.exists():
            continue
        there, asked = resolve_run(read_config(one.paths.config)).to_dict(), one.run.config.to_dict()
        names = [name for name in asked if name not in IGNORED | DECIDED_HERE and there.get(name) != asked[name]]
        if names or there["seed"] != asked["seed"]:
            name = names[0] if names else "seed"
            raise ConfigError(
                f"{shown(one.paths.run_id)} is there with {name} {shown(there.get(name))}, and the study has "
                f"{shown(asked[name])}; give the study another name"
            )
