"""Hold what a what-if asks of a run: where its history parts, into which arms, for how long and how often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mbpo.errors import CheckpointError, ConfigError
from mbpo.runs.checkpoint_names import checkpoint_steps
from mbpo.runs.config_file import read_config
from mbpo.runs.find import is_run
from mbpo.runs.history import settings_in_force
from mbpo.runs.layout import RunPaths
from mbpo.runs.records.manifest import Manifest, read_manifest
from mbpo.settings.arms import Arm, arms_of, check_end
from mbpo.settings.config import LIVE_SETTINGS, SETTINGS, Config, resolve_run
from mbpo.settings.setting import shown
from mbpo.settings.threads import auto_threads
from mbpo.settings.typed_path import path_at_step

EVALUATIONS = 4  # of a fork, where the user gives no interval


@dataclass(frozen=True)
class Question:
    """Hold what is asked."""

    run: RunPaths
    config: Config  # of the run
    manifest: Manifest
    in_force: Mapping[str, Any]  # each setting of the run at ``step``
    step: int  # env step where the arms part
    steps: int  # env steps of each fork from there
    eval_every: int  # env steps
    repeats: int
    arms: tuple[Arm, ...]  # as it is first
    threads: int | None  # asked for; None: those of the run
    module_path: tuple[Path, ...] = ()
    sets: tuple[str, ...] = ()  # NAME=VALUE,VALUE of which the arms were made
    command: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """Return the env step at which every fork ends."""
        return self.step + self.steps

    @property
    def threads_each(self) -> int:
        """Return the threads of each fork."""
        return self.threads or self.manifest.threads or auto_threads()

    @property
    def evaluated_at(self) -> tuple[int, ...]:
        """Return the env steps of the evaluations that count: each interval's, and the end."""
        first = self.step - self.step % self.eval_every + self.eval_every
        return (*range(first, self.end, self.eval_every), self.end)

    @property
    def facts(self) -> dict[str, Any]:
        """Return what is asked by the fields of :class:`mbpo.runs.records.what_if.Asked`."""
        differ = dict.fromkeys(name for arm in self.arms for name in arm.changes)
        return {
            "command": list(self.command),
            "run": self.run.run_id,
            "run_dir": str(self.run.root),
            "env_id": self.config.env_id,
            "step": self.step,
            "steps": self.steps,
            "eval_every": self.eval_every,
            "repeats": self.repeats,
            "threads": self.threads_each,
            "in_force": {name: self.in_force[name] for name in differ},
        }

    def seed(self, repeat: int) -> int | None:
        """Return the seed that all arms have in a repeat; None in the first, whose luck is the run's own."""
        if repeat == 0:
            return None
        return int(np.random.SeedSequence([self.config.seed, repeat, *b"what if"]).generate_state(1)[0])


def ask(
    run: str,  # RUN_DIR or RUN_DIR@STEP
    given: Sequence[str],  # NAME=VALUE,VALUE
    *,
    steps: int,
    eval_every: int | None,
    repeats: int,
    threads: int | None = None,
    module_path: tuple[Path, ...] = (),
    command: Sequence[str] = (),
) -> tuple[Question, list[str]]:
    """Return the question, and notes on what of it is left out.

    Raises:
        CheckpointError: no env step is given, and there is no checkpoint.
        ConfigError: it is no run, a setting or value cannot be used, or the forks would end within warm-up.
        StorageError: the run has no manifest.
    """
    root, step = path_at_step(run)
    if not is_run(root):
        raise ConfigError(f"expected a run directory, but {shown(str(root))} is none; python -m mbpo.train prints its")
    paths = RunPaths(root)
    config, manifest = resolve_run(read_config(paths.config)), read_manifest(paths.manifest)
    step = _newest(paths) if step is None else step
    in_force = _in_force(paths, config, step)
    arms, notes = arms_of(given, config, in_force)
    every = -(-steps // EVALUATIONS) if eval_every is None else eval_every
    check_end(config, step, steps)
    length = step, steps, every, repeats
    return Question(
        paths, config, manifest, in_force, *length, arms, threads, module_path, tuple(given), tuple(command)
    ), notes


def _newest(paths: RunPaths) -> int:
    there = checkpoint_steps(paths.checkpoints)
    if not there:
        raise CheckpointError(f"{paths.root} has no checkpoint to fork from; give an env step: RUN_DIR@STEP")
    return there[-1]


def _in_force(paths: RunPaths, config: Config, step: int) -> dict[str, Any]:
    values = {name: getattr(config, name) for name in SETTINGS}
    live = settings_in_force(paths, {name: values[name] for name in LIVE_SETTINGS}, step)
    return values | {name: LIVE_SETTINGS[name].check(live[name]) for name in LIVE_SETTINGS}
