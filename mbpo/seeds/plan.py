"""Plan one learner per seed, and per value of a grid: how many at once, by how many threads, under which names."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path

from mbpo.lifecycle.command_line import Launch
from mbpo.runs.batch import Batch, claimed
from mbpo.seeds.display import Heading, counted
from mbpo.settings.config import Config
from mbpo.settings.flags import flags_beside_preset
from mbpo.settings.grid import Grid, Point
from mbpo.settings.threads import share_cores


@dataclass(frozen=True)
class Plan:
    """Hold what the learners of all runs share."""

    config: Config  # but for threads and what a point changes, which each learner is given
    threads: int  # of each learner
    grid: Grid
    jobs: int  # learners at once
    batch: Batch
    module_path: tuple[Path, ...] = ()

    @property
    def heading(self) -> Heading:
        """Return what stands above the learners."""
        title = f"{self.batch.name}: {self.config.env_id}, {self.jobs} at once, {counted(self.threads, 'thread')} each"
        return Heading(title, self.noun, 0, self.config.total_steps)

    @property
    def noun(self) -> str:
        """Return what one of the runs is called."""
        return "run" if self.grid.values else "seed"

    def run_id(self, point: Point) -> str:
        """Return the name of a run; names sort together, by values and then by seed."""
        return self.batch.run_id(point.end)

    def command(self, point: Point) -> tuple[str, ...]:
        """Return the command of a learner: what differs from the preset, as flags.

        A learner that starts hours later thus runs the same settings, though the file given by
        --config has changed.
        """
        config = dataclasses.replace(self.config, threads=self.threads, **point.changes)  # type: ignore[arg-type]
        return (
            sys.executable,
            "-m",
            "mbpo.train",
            *flags_beside_preset(vars(config), always=("seed", "threads")),
            f"--runs-root={self.batch.runs_root}",
            f"--run-id={self.run_id(point)}",
            *(f"--module-path={folder}" for folder in self.module_path),
        )


def make_plan(launch: Launch) -> Plan:
    """Return the plan for a command line with --seeds or --grid, its name claimed.

    Raises:
        StorageError: the runs root cannot be written.
    """
    config, grid = launch.config, launch.grid
    assert grid is not None
    threads, jobs = share_cores(config.threads, grid.size, launch.jobs)
    batch = claimed(launch.runs_root, config.preset, (point.end for point in grid.points))
    return Plan(config, threads, grid, jobs, batch, launch.module_path)
