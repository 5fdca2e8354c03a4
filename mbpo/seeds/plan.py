"""Plan one learner per seed: how many at once, by how many threads, under which names."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mbpo.errors import StorageError
from mbpo.lifecycle.command_line import Launch
from mbpo.runs.layout import begun_now
from mbpo.seeds.display import Heading, counted
from mbpo.settings.config import SETTINGS, Auto, Config, defaults_of
from mbpo.settings.setting import Value
from mbpo.settings.threads import auto_threads, cores


@dataclass(frozen=True)
class Plan:
    """Hold what the learners of all seeds share."""

    config: Config  # but for seed and threads, which each learner is given
    threads: int  # of each learner
    seeds: tuple[int, ...]
    jobs: int  # learners at once
    runs_root: Path
    name: str  # what the names of the runs begin with
    makes_root: bool  # whether there is no runs root yet
    module_path: tuple[Path, ...] = ()

    @property
    def heading(self) -> Heading:
        """Return what stands above the learners."""
        title = f"{self.name}: {self.config.env_id}, {self.jobs} at once, {counted(self.threads, 'thread')} each"
        return Heading(title, "seed", 0, self.config.total_steps)

    @property
    def outputs(self) -> Path:
        """Return the folder of what the learners print; while it exists the name is taken."""
        return self.runs_root / ".launch" / self.name

    def run_id(self, seed: int) -> str:
        """Return the name of a seed's run; names sort together, and by seed."""
        width = len(str(max(self.seeds)))
        return f"{self.name}-s{seed:0{width}}"

    def command(self, seed: int) -> tuple[str, ...]:
        """Return the command of a seed's learner: what differs from the preset, as flags.

        A learner that starts hours later thus runs the same settings, though the file given by
        --config has changed.
        """
        config = dataclasses.replace(self.config, seed=seed, threads=self.threads)
        return (
            sys.executable,
            "-m",
            "mbpo.train",
            *_flags(config),
            f"--runs-root={self.runs_root}",
            f"--run-id={self.run_id(seed)}",
            *(f"--module-path={folder}" for folder in self.module_path),
        )

    def claim(self) -> bool:
        """Take the name; return whether it was free.

        Raises:
            StorageError: the runs root cannot be written.
        """
        try:
            self.outputs.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self.outputs.mkdir(mode=0o700)  # one process succeeds, whoever else tries
                if not any((self.runs_root / self.run_id(seed)).exists() for seed in self.seeds):
                    return True
                self.outputs.rmdir()
            return False
        except OSError as error:
            raise StorageError(
                f"cannot write in {self.runs_root}: {error.strerror}; give a writable --runs-root"
            ) from None

    def release(self) -> None:
        """Remove the folders made here that hold nothing: without a run there is no trace."""
        made = (self.outputs.parent, self.runs_root) if self.makes_root else ()
        for folder in (self.outputs, *made):
            with contextlib.suppress(OSError):
                folder.rmdir()


def make_plan(launch: Launch) -> Plan:
    """Return the plan for a command line with --seeds, its name claimed.

    Raises:
        StorageError: the runs root cannot be written.
    """
    config, seeds, root = launch.config, launch.seeds, launch.runs_root
    threads, jobs = share_cores(config.threads, len(seeds), launch.jobs)
    makes_root = not root.exists()
    begun = f"{config.preset}-{begun_now()}"
    for number in itertools.count(1):
        name = begun if number == 1 else f"{begun}-{number}"
        plan = Plan(config, threads, seeds, jobs, root, name, makes_root, launch.module_path)
        if plan.claim():
            break
    return plan


def share_cores(threads: int | Auto, seeds: int, jobs: int | None) -> tuple[int, int]:
    """Return the threads of each learner, and how many learners run at once.

    Threads follow from the cores and the seeds alone, not from ``jobs``: however many run at once,
    a seed gives the same metrics.
    """
    each = auto_threads(seeds) if threads == "auto" else threads
    at_once = max(1, cores() // each) if jobs is None else jobs
    return each, min(at_once, seeds)


def flags_of(values: Mapping[str, Value]) -> list[str]:
    """Return settings as flags of ``python -m mbpo.train``."""
    return [f"{SETTINGS[name].flag}={word}" for name, value in values.items() for word in SETTINGS[name].words(value)]


def _flags(config: Config) -> list[str]:
    preset = defaults_of(config.preset)
    values = {name: getattr(config, name) for name in SETTINGS}
    own = {n: v for n, v in values.items() if n != "preset" and (v != preset.get(n) or n in ("seed", "threads"))}
    return [f"--preset={config.preset}", *flags_of(own)]
