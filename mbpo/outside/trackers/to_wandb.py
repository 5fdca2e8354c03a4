"""Bring a run into Weights & Biases, offline: its own process writes a file, which ``wandb sync`` sends when asked to.

A row is a step of the run's history, numbered by its seq, with env_steps as the x axis of all metrics. Each follower
that has rows to add begins another file of the same run, as W&B does for a run that is resumed. A history never takes
back a step, so where rows are given up, the whole run begins again under another id.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError, StorageError
from mbpo.outside.trackers.texts import as_markdown, in_one_line
from mbpo.outside.trackers.tracker import Facts, Held, Mark, Step
from mbpo.outside.trackers.wandb_files import files_of, read_files, wait_for_writers
from mbpo.runs.rows import plain_number, whole
from mbpo.settings.packages import install_command
from mbpo.settings.setting import shown

PROJECT = "mbpo"
MOST_TOLD = 50  # events, the newest
QUIET: Mapping[str, Any] = {
    "mode": "offline",
    "console": "off",  # of this process, which says nothing of the run
    "silent": True,
    "disable_git": True,
    "disable_code": True,
    "x_disable_stats": True,  # this machine is not the learner's
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
    "x_transaction_log_flush_interval": 0.5,  # seconds; its own 15 are lost where it is killed
}


def open_wandb(facts: Facts, into: Path, project: str) -> Wandb:
    """Return the run's place.

    Raises:
        ConfigError: wandb is not installed, or has no project of that name.
        StorageError: the folder cannot be written.
    """
    try:
        import wandb  # noqa: F401
    except ImportError:
        raise ConfigError(f"wandb is not installed: {install_command('wandb')}") from None
    project = project or PROJECT
    if re.search(r"[/\\#?%:]", project) or len(project) > 128:
        raise ConfigError(f"--project must be at most 128 characters without / \\ # ? % :, got {shown(project)}")
    return Wandb(facts, into, project)


class Wandb:
    """Hold one run, and the file that is written at the moment."""

    def __init__(self, facts: Facts, into: Path, project: str) -> None:
        self.where = str(into / "wandb")
        self._facts = facts
        self._into = into
        self._project = project
        self._edition = 1  # how often the run began again
        self._run: Any = None
        self._summary: dict[str, Any] = {}

    def holds(self) -> Held:
        """Read the files of the run's newest edition, when nobody writes in them any more."""
        self._finish(0)
        while files_of(self._into, self._id(self._edition + 1)):
            self._edition += 1
        files = files_of(self._into, self._id(self._edition))
        wait_for_writers(files)
        held, self._summary = Held(), {}
        try:
            for seq, values in read_files(files, self._project):
                if seq is None:
                    self._summary |= values
                    continue
                env_steps = whole(values.pop("env_steps", None))
                numbers = {key: value for key, value in values.items() if plain_number(value)}
                held.add(seq, Step(seq, -1 if env_steps is None else env_steps, numbers).digest)
        except OSError as error:
            raise StorageError(f"cannot read {self.where}: {error.strerror}") from None
        return held

    def add(self, steps: Sequence[Step]) -> None:
        """Log each row as a step of its own."""
        with self._faults():
            run = self._opened()
            for step in steps:
                at = self._facts.begun + float(step.values.get("time_s", 0.0))
                run.log({**step.values, "env_steps": step.env_steps, "_timestamp": at}, step=step.seq, commit=True)

    def take_back(self, place: int, step: Step) -> None:
        """Begin the run again under another id."""
        self._finish(0)
        self._edition += 1

    def tell(self, marks: Sequence[Mark]) -> None:
        """Put the newest events into the run's summary, as text."""
        told = "\n".join(f"{mark.title} {mark.text}" for mark in marks[-MOST_TOLD:])
        self._summarise({"events": told, "changes": sum(mark.title == "control" for mark in marks)})

    def close(self, state: str) -> None:
        """Say in the summary how the run stands, and bring the file to its end."""
        self._summarise({"state": state})
        self._finish(int(state in ("failed", "diverged")))

    def _summarise(self, said: Mapping[str, Any]) -> None:
        news = {key: value for key, value in said.items() if self._summary.get(key) != value}
        if news:
            with self._faults():
                self._opened().summary.update(news)
            self._summary |= news

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """Say in one line that W&B refuses; its client raises many things, most of all where its process is gone."""
        try:
            yield
        except StorageError:
            raise
        except OSError as error:
            why = error.strerror or "its process has ended"
            raise StorageError(f"W&B cannot write in {self._into}: {why}; give the command again") from None
        except Exception as error:
            raise StorageError(f"W&B cannot write in {self._into}: {in_one_line(str(error), 100)}") from None

    def _id(self, edition: int) -> str:
        return self._facts.identity if edition == 1 else f"{self._facts.identity}-{edition}"

    def _finish(self, exit_code: int) -> None:
        run, self._run = self._run, None
        if run is not None:
            with self._faults():
                run.finish(exit_code=exit_code)

    def _opened(self) -> Any:
        """Return the run, begun in W&B where it is not open."""
        if self._run is None:
            self._run = self._begun()
            self._run.define_metric("env_steps", hidden=True)
            self._run.define_metric("*", step_metric="env_steps", step_sync=False)
        return self._run

    def _begun(self) -> Any:
        import wandb

        facts, run_id = self._facts, self._id(self._edition)
        while any(self._into.glob(f"wandb/*run-{time.strftime('%Y%m%d_%H%M%S')}-{run_id}")):
            time.sleep(0.1)  # a file's name has the second in which it is begun
        name = f"{facts.title} ({facts.name})" if facts.title else facts.name
        again = f"takes the place of {self._id(self._edition - 1)}, of which rows were written again"
        settings = {key: value for key, value in QUIET.items() if key in wandb.Settings.model_fields}
        self._into.mkdir(parents=True, exist_ok=True)
        return wandb.init(
            dir=str(self._into),
            project=self._project,
            id=run_id,
            name=in_one_line(name, 128),
            group=in_one_line(facts.group, 128),
            job_type=facts.kind,
            tags=list(facts.tags),
            notes=as_markdown(facts.note if self._edition == 1 else f"{facts.note} {again}"),
            config={**facts.settings, **({"parent": facts.parent} if facts.parent else {})},
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(**settings),
        )
